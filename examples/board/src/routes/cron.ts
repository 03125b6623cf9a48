/** What a timer calls. Each route does a bounded piece of work and answers; the timer decides when. */
import { Elysia } from "elysia";
import { z } from "zod";
import type { WebEnv } from "../env.ts";
import { unauthorized } from "../http/problem.ts";
import { sameSecret } from "../http/secret.ts";
import { drainOutbox, enqueue } from "../jobs/outbox.ts";
import type { Services } from "../services.ts";

const BATCH = 100;

const Drained = z.object({ leased: z.number(), sent: z.number(), failed: z.number(), dead: z.number() });
const Queued = z.object({ queued: z.string() });

export function cronRoutes(env: WebEnv, { sql, jobs }: Services) {
  return (
    new Elysia({ prefix: "/cron" })
      .onBeforeHandle(({ headers }) => {
        if (!sameSecret(headers.authorization ?? "", `Bearer ${env.CRON_SECRET}`)) throw unauthorized();
      })
      /** A second pair of hands, for when no worker drains: the leases keep the two apart. */
      .post("/outbox", () => drainOutbox(sql, jobs, BATCH), { response: Drained })
      .post(
        "/daily-summary",
        async () => {
          const day = new Date().toISOString().slice(0, 10);
          // Keyed by the day: a timer that fires twice makes one summary.
          await enqueue(sql, "summary.daily", { day }, `summary-${day}`);
          return { queued: day };
        },
        { response: Queued },
      )
  );
}
