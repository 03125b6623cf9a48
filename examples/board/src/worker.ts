/** Process `worker`: takes jobs from the queue and drains the outbox into it, until SIGTERM. */
import { rmSync, writeFileSync } from "node:fs";
import { Worker } from "bullmq";
import { loadEnv } from "./env.ts";
import { cannotStart, EXIT } from "./exit.ts";
import { drainLoop } from "./jobs/drain-loop.ts";
import { perform } from "./jobs/perform.ts";
import { doneKey, QUEUE } from "./jobs/queue.ts";
import { errorFields } from "./log.ts";
import { openRedis } from "./redis.ts";
import { openServices } from "./services.ts";

const CONCURRENCY = 8;

const env = loadEnv("worker");
const services = await openServices(env, "worker");
const { log, report } = services;
const redis = await openRedis(env.REDIS_URL, log, { failFast: false });

const worker = new Worker(QUEUE, (job) => perform(services, job.name, job.data, job.id ?? ""), {
  connection: redis as never,
  prefix: env.REDIS_NAMESPACE,
  concurrency: CONCURRENCY,
  // Not before it is ready: after a failure on the way there it would ask for jobs without end, and never get one.
  autorun: false,
});
worker.on("error", (error) => log.warn({ event: "worker_error", ...errorFields(error), stack: undefined }));
worker.on("completed", (job) => {
  log.info({ event: "job_done", topic: job.name, jobId: job.id });
  // What is shown of it is a number on a dashboard: a lost one is no reason to fail.
  redis.incr(doneKey(env.REDIS_NAMESPACE)).catch(() => 0);
});
worker.on("failed", (job, error) => {
  log.error({
    event: "job_failed",
    topic: job?.name,
    jobId: job?.id,
    attempt: job?.attemptsMade,
    ...errorFields(error),
  });
  report(error, { topic: job?.name ?? "unknown" });
});
await worker.waitUntilReady().catch(cannotStart(log, "the queue cannot be reached"));
worker.run().catch((error) => worker.emit("error", error));
const draining = drainLoop(services);

if (env.READY_FILE) writeFileSync(env.READY_FILE, `${process.pid}\n`);
log.info({ event: "ready", build: env.SLIPWAY_BUILD, uptimeMs: Math.round(performance.now()) });

let quitting = false;
async function quiet(signal: string): Promise<void> {
  if (quitting) return;
  quitting = true;
  log.info({ event: "quieting", signal });
  if (env.READY_FILE) rmSync(env.READY_FILE, { force: true });
  // Takes no further job and waits for those it has. What it cannot finish in time, systemd ends,
  // and another worker takes the job up when its lock runs out.
  await Promise.all([worker.close(), draining.stop()]);
  await services.close();
  if (redis.isOpen) redis.destroy();
  log.info({ event: "stopped" });
  process.exit(EXIT.ok);
}
process.on("SIGTERM", () => quiet("SIGTERM"));
process.on("SIGINT", () => quiet("SIGINT"));
