/** The outbox: work written down in the transaction that causes it, then handed to the queue in bounded batches. */
import type { Queryable, Sql } from "../db/sql.ts";
import type { Jobs } from "./queue.ts";
import type { Topic, Work } from "./topics.ts";

/** Longer than handing over a batch can take: until then nobody else tries the same row. */
const LEASE_SECONDS = 30;
/** After this many failed hand-overs a row is a dead letter: kept, counted in /metrics, left for a person. */
export const MAX_ATTEMPTS = 8;
/** Sent rows are kept this long so that their dedupe keys still work. */
const KEEP_SENT = "2 days";

/** Call it with the transaction that makes the work necessary. A dedupe key seen before makes it a no-op. */
export async function enqueue<T extends Topic>(
  sql: Queryable,
  topic: T,
  payload: Work[T],
  dedupeKey?: string,
) {
  await sql`
    INSERT INTO outbox (topic, payload, dedupe_key) VALUES (${topic}, ${payload}::jsonb, ${dedupeKey ?? null})
    ON CONFLICT (dedupe_key) DO NOTHING`;
}

export interface Drained {
  leased: number;
  sent: number;
  failed: number;
  dead: number;
}

interface Row {
  id: string;
  topic: Topic;
  payload: Work[Topic];
  attempts: number;
}

/** One batch. Any number of drainers may run at once: each row is leased to one of them. */
export async function drainOutbox(sql: Sql, jobs: Pick<Jobs, "add">, batchSize: number): Promise<Drained> {
  // Short and committed at once: no transaction stays open while Redis is spoken to.
  const rows: Row[] = await sql`
    UPDATE outbox SET attempts = attempts + 1, locked_until = now() + make_interval(secs => ${LEASE_SECONDS})
    WHERE id IN (
      SELECT id FROM outbox
      WHERE sent_at IS NULL AND dead_at IS NULL AND next_attempt_at <= now()
        AND (locked_until IS NULL OR locked_until < now())
      ORDER BY next_attempt_at, id LIMIT ${batchSize} FOR UPDATE SKIP LOCKED)
    RETURNING id, topic, payload, attempts`;

  const drained: Drained = { leased: rows.length, sent: 0, failed: 0, dead: 0 };
  const sent: string[] = [];
  for (const row of rows) {
    try {
      // The row's id is the job's id: handed over twice (we died before the next statement), it is one job.
      await jobs.add(row.topic, row.payload, `outbox-${row.id}`);
      sent.push(row.id);
    } catch (error) {
      const dead = row.attempts >= MAX_ATTEMPTS;
      drained[dead ? "dead" : "failed"]++;
      await postpone(sql, row, dead, error);
    }
  }
  if (sent.length) {
    await sql`UPDATE outbox SET sent_at = now(), locked_until = NULL WHERE id IN ${sql(sent)}`;
    drained.sent = sent.length;
  }
  return drained;
}

async function postpone(sql: Sql, row: Row, dead: boolean, error: unknown): Promise<void> {
  const seconds = Math.min(2 ** row.attempts, 600);
  await sql`
    UPDATE outbox SET locked_until = NULL, last_error = ${error instanceof Error ? error.name : "error"},
      next_attempt_at = now() + make_interval(secs => ${seconds}),
      dead_at = CASE WHEN ${dead} THEN now() END
    WHERE id = ${row.id}`;
}

/** Forgets what was sent long ago, in bounded bites. */
export async function sweepOutbox(sql: Sql, batchSize: number): Promise<void> {
  await sql`
    DELETE FROM outbox WHERE id IN (
      SELECT id FROM outbox WHERE sent_at < now() - ${KEEP_SENT}::interval LIMIT ${batchSize})`;
}

export async function outboxDepth(sql: Sql): Promise<{ pending: number; dead: number }> {
  const [row] = await sql`
    SELECT count(*) FILTER (WHERE dead_at IS NULL)::int AS pending, count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead
    FROM outbox WHERE sent_at IS NULL`;
  return row;
}

/** Seconds since the oldest row was written that is neither sent nor dead; 0 if there is none. */
export async function outboxAge(sql: Sql): Promise<number> {
  const [row] = await sql`
    SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float AS seconds
    FROM outbox WHERE sent_at IS NULL AND dead_at IS NULL`;
  return row.seconds;
}
