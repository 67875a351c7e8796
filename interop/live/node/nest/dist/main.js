"use strict";
var __decorate = (this && this.__decorate) || function (decorators, target, key, desc) {
    var c = arguments.length, r = c < 3 ? target : desc === null ? desc = Object.getOwnPropertyDescriptor(target, key) : desc, d;
    if (typeof Reflect === "object" && typeof Reflect.decorate === "function") r = Reflect.decorate(decorators, target, key, desc);
    else for (var i = decorators.length - 1; i >= 0; i--) if (d = decorators[i]) r = (c < 3 ? d(r) : c > 3 ? d(target, key, r) : d(target, key)) || r;
    return c > 3 && r && Object.defineProperty(target, key, r), r;
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.start = start;
require("reflect-metadata");
const common_1 = require("@nestjs/common");
const core_1 = require("@nestjs/core");
const session = require("express-session");
const prisma_service_1 = require("./prisma.service");
const session_controller_1 = require("./session.controller");
let AppModule = class AppModule {
};
AppModule = __decorate([
    (0, common_1.Module)({ controllers: [session_controller_1.SessionController], providers: [prisma_service_1.PrismaService] })
], AppModule);
/** Starts the application on a free port of loopback and returns that. */
async function start(store) {
    const app = await core_1.NestFactory.create(AppModule, { logger: ["error", "warn"] });
    app.use(session({
        store,
        secret: process.env["SESSION_SECRET"],
        resave: false,
        saveUninitialized: false,
        cookie: {
            secure: process.env["NODE_ENV"] !== "none",
            httpOnly: true,
            maxAge: 1000 * 60 * 60 * 24 * 7, // 1 week
        },
    }));
    await app.listen(0, "127.0.0.1");
    return app.getHttpServer().address().port;
}
