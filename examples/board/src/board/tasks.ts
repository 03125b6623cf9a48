/** Tasks: the rows, and what changing one entails: an audit row and, where work follows, an outbox row. */
import { z } from "zod";
import type { Identity } from "../auth/tokens.ts";
import type { Sql, Transaction } from "../db/sql.ts";
import { enqueue } from "../jobs/outbox.ts";
import { audit } from "./audit.ts";
import { text } from "./text.ts";

export const Status = z.enum(["todo", "doing", "done"]);
export const Task = z.object({
  id: z.uuid(),
  title: z.string(),
  status: Status,
  ownerId: z.uuid().nullable(),
  ownerName: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Task = z.infer<typeof Task>;

export const NewTask = z.strictObject({
  title: text().min(1).max(200),
  status: Status.optional(),
});
export const TaskChange = z
  .strictObject({ title: text().min(1).max(200).optional(), status: Status.optional() })
  .refine((change) => Object.keys(change).length > 0, "must change something");

/** The board shows what is recent; it is not an archive. */
const BOARD_SIZE = 500;

/** Who does it, and in which request: what the audit trail wants to know. */
export interface Act {
  actorId: string;
  requestId: string;
}

export async function listTasks(sql: Sql): Promise<Task[]> {
  const rows = await sql`
    SELECT t.*, u.name AS owner_name FROM tasks t LEFT JOIN users u ON u.id = t.owner_id
    ORDER BY t.created_at DESC LIMIT ${BOARD_SIZE}`;
  return rows.map(toTask);
}

export async function countTasks(sql: Sql): Promise<Record<z.infer<typeof Status>, number>> {
  const rows: { status: z.infer<typeof Status>; n: number }[] =
    await sql`SELECT status, count(*)::int AS n FROM tasks GROUP BY status`;
  return { todo: 0, doing: 0, done: 0, ...Object.fromEntries(rows.map((row) => [row.status, row.n])) };
}

/** Inside a transaction of the caller's. `ownerId` null: it came from outside, and only an admin may remove it. */
export async function createTask(
  tx: Transaction,
  act: Act,
  task: z.infer<typeof NewTask>,
  ownerId: string | null,
): Promise<Task> {
  const [row] = await tx`
    WITH made AS (
      INSERT INTO tasks (title, status, owner_id) VALUES (${task.title}, ${task.status ?? "todo"}, ${ownerId}) RETURNING *)
    SELECT made.*, u.name AS owner_name FROM made LEFT JOIN users u ON u.id = made.owner_id`;
  await audit(tx, act, "task.create", row.id);
  return toTask(row);
}

/** Null when there is no such task. Any member may move or rename any task: the board is shared. */
export async function changeTask(
  sql: Sql,
  act: Act,
  id: string,
  change: z.infer<typeof TaskChange>,
): Promise<Task | null> {
  return sql.begin(async (tx) => {
    const [before] = await tx`SELECT status FROM tasks WHERE id = ${id} FOR UPDATE`;
    if (!before) return null;
    const [row] = await tx`
      WITH made AS (
        UPDATE tasks SET title = coalesce(${change.title ?? null}, title),
          status = coalesce(${change.status ?? null}, status), updated_at = now()
        WHERE id = ${id} RETURNING *)
      SELECT made.*, u.name AS owner_name FROM made LEFT JOIN users u ON u.id = made.owner_id`;
    await audit(tx, act, "task.change", id);
    // In the same transaction: the owner hears of it if, and only if, it happened.
    if (row.status === "done" && before.status !== "done") {
      await enqueue(tx, "task.done", { taskId: id, actorId: act.actorId });
    }
    return toTask(row);
  });
}

export type Removal = "removed" | "not_found" | "forbidden";

/** Only its owner or an admin may remove a task. */
export async function removeTask(sql: Sql, act: Act, id: string, by: Identity): Promise<Removal> {
  return sql.begin(async (tx) => {
    const [task] = await tx`SELECT owner_id FROM tasks WHERE id = ${id} FOR UPDATE`;
    if (!task) return "not_found";
    if (task.owner_id !== by.id && by.role !== "admin") return "forbidden";
    await tx`DELETE FROM tasks WHERE id = ${id}`;
    await audit(tx, act, "task.remove", id);
    return "removed";
  });
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it; the response schema checks the result.
function toTask(row: any): Task {
  return {
    id: row.id,
    title: row.title,
    status: row.status,
    ownerId: row.owner_id,
    ownerName: row.owner_name,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
