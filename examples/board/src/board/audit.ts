/** The audit trail: who did what to which id, in which request. The app's role can add to it but not change it. */
import { z } from "zod";
import type { Queryable, Sql } from "../db/sql.ts";
import type { Act } from "./tasks.ts";

export const AuditEntry = z.object({
  at: z.iso.datetime(),
  actorId: z.string(),
  action: z.string(),
  subjectId: z.string(),
  requestId: z.string(),
});

/** Takes a transaction where the act has one, so that neither is there without the other. */
export async function audit(sql: Queryable, act: Act, action: string, subjectId: string): Promise<void> {
  await sql`
    INSERT INTO audit (actor_id, action, subject_id, request_id)
    VALUES (${act.actorId}, ${action}, ${subjectId}, ${act.requestId})`;
}

export async function recentAudit(sql: Sql, limit: number): Promise<z.infer<typeof AuditEntry>[]> {
  const rows = await sql`SELECT * FROM audit ORDER BY id DESC LIMIT ${limit}`;
  return rows.map((row: Record<string, string> & { at: Date }) => ({
    at: row.at.toISOString(),
    actorId: row.actor_id,
    action: row.action,
    subjectId: row.subject_id,
    requestId: row.request_id,
  }));
}
