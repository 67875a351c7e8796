import { Injectable } from "@nestjs/common";

/** What the users' table has, less the password. */
export interface User {
  id: number;
  username: string;
  name: string;
  roles: string[];
  createdAt: Date;
}

const users: User[] = [
  {
    id: 42,
    username: "ada",
    name: "Ada Lovelace 🎩",
    roles: ["admin", "author"],
    createdAt: new Date("2025-12-10T09:30:00.125Z"),
  },
];

/** Answers as Prisma's client would, from one user in place of a database. */
@Injectable()
export class PrismaService {
  readonly user = {
    findUnique: async ({ where }: { where: { username: string; password: string } }): Promise<User | null> =>
      users.find((u) => u.username === where.username && where.password === "engine") ?? null,
  };
}
