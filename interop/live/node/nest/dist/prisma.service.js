"use strict";
var __decorate = (this && this.__decorate) || function (decorators, target, key, desc) {
    var c = arguments.length, r = c < 3 ? target : desc === null ? desc = Object.getOwnPropertyDescriptor(target, key) : desc, d;
    if (typeof Reflect === "object" && typeof Reflect.decorate === "function") r = Reflect.decorate(decorators, target, key, desc);
    else for (var i = decorators.length - 1; i >= 0; i--) if (d = decorators[i]) r = (c < 3 ? d(r) : c > 3 ? d(target, key, r) : d(target, key)) || r;
    return c > 3 && r && Object.defineProperty(target, key, r), r;
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.PrismaService = void 0;
const common_1 = require("@nestjs/common");
const users = [
    {
        id: 42,
        username: "ada",
        name: "Ada Lovelace 🎩",
        roles: ["admin", "author"],
        createdAt: new Date("2025-12-10T09:30:00.125Z"),
    },
];
/** Answers as Prisma's client would, from one user in place of a database. */
let PrismaService = class PrismaService {
    user = {
        findUnique: async ({ where }) => users.find((u) => u.username === where.username && where.password === "engine") ?? null,
    };
};
exports.PrismaService = PrismaService;
exports.PrismaService = PrismaService = __decorate([
    (0, common_1.Injectable)()
], PrismaService);
