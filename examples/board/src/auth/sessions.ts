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

/**
 * Who the session belongs to, with today's role, and its new id; null once it ended. With each use it gets another id:
 * a refresh token that was copied is worth nothing after the next one was given out.
 */
export async function continueSession(
  sql: Sql,
  sessionId: string,
): Promise<{ session: string; user: User } | null> {
  const [row] = await sql`
    UPDATE sessions s SET id = gen_random_uuid() FROM users u
    WHERE s.id = ${sessionId} AND s.expires_at > now() AND u.id = s.user_id
    RETURNING s.id AS session, u.id, u.name, u.role`;
  return row ? { session: row.session, user: { id: row.id, name: row.name, role: row.role } } : null;
}

export async function closeSession(sql: Sql, sessionId: string): Promise<void> {
  await sql`DELETE FROM sessions WHERE id = ${sessionId}`;
}
