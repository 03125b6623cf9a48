/** What every process of the app stands on: its connections, opened together at start and closed together at the end. */
import { pendingMigrations } from "./db/migrations.ts";
import { openDatabase, type Sql } from "./db/sql.ts";
import type { WorkerEnv } from "./env.ts";
import { cannotStart, EXIT } from "./exit.ts";
import { type Jobs, openJobs } from "./jobs/queue.ts";
import { createLog, errorFields, type Log } from "./log.ts";
import { openRedis, type Redis } from "./redis.ts";
import { openStorage, type Storage } from "./s3.ts";
import { errorReporter, type ReportError } from "./sentry.ts";

export interface Services {
  log: Log;
  report: ReportError;
  sql: Sql;
  redis: Redis;
  jobs: Jobs;
  storage: Storage;
  close(): Promise<void>;
}

/** Exits the process, with a line that says why, when the database is behind this build, or what it needs out of reach. */
export async function openServices(env: WorkerEnv, process_: string): Promise<Services> {
  const log = createLog(env, process_);
  const report = errorReporter(env);
  process.on("unhandledRejection", (error) => {
    log.error({ event: "unhandled_rejection", ...errorFields(error) });
    report(error);
  });

  const sql = openDatabase(env.DATABASE_URL, {
    poolSize: env.DATABASE_POOL_SIZE,
    caFile: env.DATABASE_CA_FILE,
  });
  const [redis, queueRedis] = await Promise.all([
    openRedis(env.REDIS_URL, log, { failFast: true }),
    openRedis(env.REDIS_URL, log, { failFast: false }),
    refusePendingMigrations(sql, log),
  ]);
  const jobs = await openJobs(queueRedis, env.REDIS_NAMESPACE).catch(
    cannotStart(log, "the queue cannot be reached"),
  );

  return {
    log,
    report,
    sql,
    redis,
    jobs,
    storage: openStorage(env),
    async close() {
      await Promise.allSettled([jobs.close(), sql.close({ timeout: 2 })]);
      // Nothing is in flight any more: no need to wait for a farewell from a server that may be gone.
      for (const client of [redis, queueRedis]) if (client.isOpen) client.destroy();
    },
  };
}

/** Code that expects a column which is not there yet must not serve: it would fail request by request. */
async function refusePendingMigrations(sql: Sql, log: Log): Promise<void> {
  const pending = await pendingMigrations(sql).catch(cannotStart(log, "the database cannot be reached"));
  if (!pending.length) return;
  log.error(
    { event: "boot_refused", pending },
    `migrations are pending: ${pending.join(", ")}. Run: migrate up`,
  );
  process.exit(EXIT.pendingMigration);
}
