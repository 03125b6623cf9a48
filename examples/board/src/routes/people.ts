/** Routes about people: oneself, what one was told, and, for admins, what everybody did. */
import { Elysia } from "elysia";
import { z } from "zod";
import { findUser } from "../auth/users.ts";
import { AuditEntry, recentAudit } from "../board/audit.ts";
import { adminOnly, signedIn } from "../http/guards.ts";
import { unauthorized } from "../http/problem.ts";
import type { Services } from "../services.ts";

const Me = z.object({ id: z.uuid(), name: z.string(), role: z.enum(["member", "admin"]) });
const Notification = z.object({ taskId: z.uuid(), kind: z.string(), at: z.iso.datetime() });
const Page = z.object({ limit: z.coerce.number().int().min(1).max(200).default(50) });

export function peopleRoutes({ sql }: Services) {
  const own = new Elysia({ prefix: "/api" })
    .use(signedIn)
    .get(
      "/me",
      async ({ user }) => {
        const current = await findUser(sql, user.id);
        if (!current) throw unauthorized();
        return current;
      },
      { response: Me },
    )
    .get(
      "/notifications",
      async ({ user }) => {
        const rows = await sql`
          SELECT task_id, kind, created_at FROM notifications WHERE user_id = ${user.id} ORDER BY id DESC LIMIT 50`;
        return rows.map((row: { task_id: string; kind: string; created_at: Date }) => ({
          taskId: row.task_id,
          kind: row.kind,
          at: row.created_at.toISOString(),
        }));
      },
      { response: z.array(Notification) },
    );

  const admin = new Elysia({ prefix: "/api/admin" })
    .use(adminOnly(sql))
    .get("/audit", ({ query }) => recentAudit(sql, query.limit), {
      query: Page,
      response: z.array(AuditEntry),
    });

  return new Elysia().use(own).use(admin);
}
