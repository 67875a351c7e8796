import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Post,
  Put,
  Redirect,
  Req,
  Session,
  UnauthorizedException,
} from "@nestjs/common";
import { PrismaService } from "./prisma.service";

export type Session = Record<string, any>;

@Controller("session")
export class SessionController {
  constructor(private readonly prisma: PrismaService) {}

  @Post()
  async login(
    @Session() session: Session,
    @Body("username") username: string,
    @Body("password") password: string,
  ) {
    const user = await this.prisma.user.findUnique({
      where: { username, password },
    });
    if (!user) {
      throw new UnauthorizedException();
    }
    session.user = user;
    return;
  }

  @Get()
  me(@Session() session: Session) {
    return session.user;
  }

  @Post("regenerate")
  @HttpCode(204)
  async regenerate(@Req() request: { session: Session }) {
    const user = request.session.user;
    await new Promise<void>((resolve, reject) =>
      request.session.regenerate((err?: Error) => (err ? reject(err) : resolve())),
    );
    request.session.user = user; // request.session is a new object, and empty
  }

  @Delete()
  logout(@Session() session: Session) {
    return new Promise<void>((resolve, reject) =>
      session.destroy((err?: Error) => (err ? reject(err) : resolve())),
    );
  }

  @Get("reload")
  async reload(@Req() request: { session: Session }) {
    await new Promise<void>((resolve, reject) =>
      request.session.reload((err?: Error) => (err ? reject(err) : resolve())),
    );
    return request.session.user; // request.session is a new object, as the store has it
  }

  @Put("theme")
  @Redirect("/session/theme", 303)
  async save(@Session() session: Session, @Body("theme") theme: string) {
    session.theme = theme;
    await new Promise<void>((resolve, reject) =>
      session.save((err?: Error) => (err ? reject(err) : resolve())),
    );
  }

  @Get("theme")
  theme(@Session() session: Session) {
    return session.theme;
  }
}
