/** Routes for whoever runs the app: readiness and metrics. The edge does not let them out. */
import { Elysia } from "elysia";
import type { WebEnv } from "../env.ts";
import { outboxAge, outboxDepth } from "../jobs/outbox.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Metrics } from "../metrics.ts";
import type { Services } from "../services.ts";
import type { Sockets } from "../ws/sockets.ts";

const CHECK_TIMEOUT_MS = 2_000;

export function operationRoutes(
  env: WebEnv,
  { sql, redis, jobs }: Services,
  parts: { metrics: Metrics; sockets: Sockets; lifecycle: Lifecycle },
) {
  const { metrics, sockets, lifecycle } = parts;

  return new Elysia()
    .get("/ready", async () => {
      const [database, cache, queue] = await Promise.all([
        passes(sql`SELECT 1`),
        passes(redis.ping()),
        passes(jobs.depth()),
      ]);
      const checks = { database, redis: cache, queue, draining: lifecycle.draining };
      const ready = database && cache && queue && !lifecycle.draining;
      return Response.json(
        { status: ready ? "ready" : "unavailable", checks },
        { status: ready ? 200 : 503 },
      );
    })
    .get("/metrics", async () => {
      const text = metrics.render({
        [`board_build_info{release="${env.SLIPWAY_RELEASE ?? ""}",build="${env.SLIPWAY_BUILD ?? ""}"}`]: 1,
        board_websockets_open: sockets.size,
        board_http_requests_in_flight: lifecycle.inFlight,
        board_uptime_seconds: process.uptime(),
        board_resident_memory_bytes: process.memoryUsage.rss(),
        ...(await backlog()),
      });
      return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
    });

  /** Asked for at the scrape, so that no loop runs here. Without an answer the series are absent, which alarms too. */
  async function backlog(): Promise<Record<string, number>> {
    const [queue, done, outbox, age] = await Promise.allSettled([
      within(jobs.depth()),
      within(jobs.done()),
      within(outboxDepth(sql)),
      within(outboxAge(sql)),
    ]);
    const gauges: Record<string, number> = {};
    if (queue.status === "fulfilled") {
      for (const [state, n] of Object.entries(queue.value)) gauges[`board_queue_jobs{state="${state}"}`] = n;
    }
    if (outbox.status === "fulfilled") {
      for (const [state, n] of Object.entries(outbox.value))
        gauges[`board_outbox_rows{state="${state}"}`] = n;
    }
    if (done.status === "fulfilled") gauges.board_jobs_done_total = done.value;
    if (age.status === "fulfilled") gauges.board_outbox_oldest_seconds = age.value;
    return gauges;
  }
}

async function passes(check: PromiseLike<unknown>): Promise<boolean> {
  return within(check).then(
    () => true,
    () => false,
  );
}

function within<T>(work: PromiseLike<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), CHECK_TIMEOUT_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
