import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import * as session from "express-session";
import { PrismaService } from "./prisma.service";
import { SessionController } from "./session.controller";

@Module({ controllers: [SessionController], providers: [PrismaService] })
class AppModule {}

/** Starts the application on a free port of loopback and returns that. */
export async function start(store: session.Store): Promise<number> {
  const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
  app.use(
    session({
      store,
      secret: process.env["SESSION_SECRET"]!,
      resave: false,
      saveUninitialized: false,
      cookie: {
        secure: process.env["NODE_ENV"] !== "none",
        httpOnly: true,
        maxAge: 1000 * 60 * 60 * 24 * 7, // 1 week
      },
    }),
  );
  await app.listen(0, "127.0.0.1");
  return app.getHttpServer().address().port;
}
