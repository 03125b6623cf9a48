/** Routes that need no identity and cost next to nothing: the health check, and what the world may know of the board. */
import { Elysia } from "elysia";
import { z } from "zod";
import pkg from "../../package.json" with { type: "json" };
import { countTasks } from "../board/tasks.ts";
import type { WebEnv } from "../env.ts";
import { features } from "../features.ts";
import type { Services } from "../services.ts";

const Health = z.object({
  status: z.literal("ok"),
  timestamp: z.iso.datetime(),
  uptime: z.number(),
  version: z.string(),
  release: z.number().nullable(),
  build: z.string().nullable(),
});
const Summary = z.object({ todo: z.number(), doing: z.number(), done: z.number(), total: z.number() });
const Config = z.object({
  features: z.record(z.string(), z.boolean()),
  /** Where else than here a page may open its socket. */
  realtime: z.string().nullable(),
});

/** Long enough that a crowd costs the database one query a second, short enough that nobody notices. */
const SUMMARY_CACHE_MS = 1_000;

export function openRoutes(env: WebEnv, { sql }: Services) {
  const flags = features();
  let cached: { at: number; summary: Promise<z.infer<typeof Summary>> } | undefined;

  const summary = () => {
    if (cached && Date.now() - cached.at < SUMMARY_CACHE_MS) return cached.summary;
    // The promise is what is kept: callers who come while the query runs wait for that one.
    const fresh = countTasks(sql).then((n) => ({ ...n, total: n.todo + n.doing + n.done }));
    cached = { at: Date.now(), summary: fresh };
    fresh.catch(() => {
      cached = undefined;
    });
    return fresh;
  };

  return new Elysia()
    .get(
      "/health",
      // Touches nothing: a slow database must not make a balancer replace healthy hosts.
      () => ({
        status: "ok" as const,
        timestamp: new Date().toISOString(),
        uptime: process.uptime(),
        version: pkg.version,
        release: env.SLIPWAY_RELEASE ?? null,
        build: env.SLIPWAY_BUILD ?? null,
      }),
      { response: Health },
    )
    .get("/api/public/summary", () => summary(), { response: Summary })
    .get("/api/config", () => ({ features: flags, realtime: env.REALTIME_URL ?? null }), {
      response: Config,
    });
}
