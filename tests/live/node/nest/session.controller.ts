import {
  Body,
  Controller,
  Delete,
  Get,
  Post,
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

  @Delete()
  logout(@Session() session: Session) {
    return new Promise<void>((resolve, reject) =>
      session.destroy((err?: Error) => (err ? reject(err) : resolve())),
    );
  }
}
