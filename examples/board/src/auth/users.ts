/** People: who they are and what they may do. */
import type { Sql } from "../db/sql.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

export type Role = "member" | "admin";
export interface User {
  id: string;
  name: string;
  role: Role;
}

/** The new user, or null when the address is taken. */
export async function createUser(
  sql: Sql,
  email: string,
  name: string,
  password: string,
): Promise<User | null> {
  const hash = await hashPassword(password);
  const [user] = await sql`
    INSERT INTO users (email, name, password_hash) VALUES (${email}, ${name}, ${hash})
    ON CONFLICT DO NOTHING RETURNING id, name, role`;
  return user ?? null;
}

export async function findUser(sql: Sql, id: string): Promise<User | null> {
  const [user] = await sql`SELECT id, name, role FROM users WHERE id = ${id}`;
  return user ?? null;
}

/** The user whose address and password these are, or null. It takes as long for an unknown address as for a known one. */
export async function authenticate(sql: Sql, email: string, password: string): Promise<User | null> {
  const [row] =
    await sql`SELECT id, name, role, password_hash FROM users WHERE lower(email) = lower(${email})`;
  const matches = await verifyPassword(password, row?.password_hash);
  return row && matches ? { id: row.id, name: row.name, role: row.role } : null;
}

/** False when there is no such user. */
export async function setRole(sql: Sql, email: string, role: Role): Promise<boolean> {
  const changed =
    await sql`UPDATE users SET role = ${role} WHERE lower(email) = lower(${email}) RETURNING id`;
  return changed.length > 0;
}

/** The user that smoke tests sign in as: a member like any other, whose password follows the secret store. */
export async function ensureSmokeUser(sql: Sql, email: string, password: string): Promise<void> {
  if (await authenticate(sql, email, password)) return;
  const hash = await hashPassword(password);
  await sql`
    INSERT INTO users (email, name, password_hash) VALUES (${email}, 'Smoke test', ${hash})
    ON CONFLICT (lower(email)) DO UPDATE SET password_hash = excluded.password_hash, role = 'member'`;
}
