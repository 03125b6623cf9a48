/** Sessions: what a refresh cookie stands for. Signing out deletes the row, and the cookie is worth nothing. */
import type { Sql } from "../db/sql.ts";
import { REFRESH_SECONDS } from "./tokens.ts";
import type { User } from "./users.ts";

export async function openSession(sql: Sql, userId: string): Promise<string> {
  const expiresAt = new Date(Date.now() + REFRESH_SECONDS * 1000);
  const [row] = await sql`
    INSERT INTO sessions (user_id, expires_at) VALUES (${userId}, ${expiresAt}) RETURNING id`;
  return row.id;
}

/** Who the session belongs to, with today's role; null once it ended. */
export async function sessionUser(sql: Sql, sessionId: string): Promise<User | null> {
  const [user] = await sql`
    SELECT u.id, u.name, u.role FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = ${sessionId} AND s.expires_at > now()`;
  return user ?? null;
}

export async function closeSession(sql: Sql, sessionId: string): Promise<void> {
  await sql`DELETE FROM sessions WHERE id = ${sessionId}`;
}
