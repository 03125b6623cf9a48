/** Rate limits: how often a key was hit in the current window, counted in Redis so that every host counts together. */
import { errorFields, type Log } from "./log.ts";
import type { Redis } from "./redis.ts";

export interface Verdict {
  allowed: boolean;
  retryAfterMs: number;
}

export interface Limiter {
  hit(key: string, limit: number): Promise<Verdict>;
  /** Starts a key's window anew. */
  forget(key: string): Promise<void>;
}

const WINDOW_MS = 60_000;
const ALLOWED: Verdict = { allowed: true, retryAfterMs: 0 };

/** One round trip, and atomic: a counter without an expiry would lock someone out for ever. */
const HIT = `
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { n, redis.call('PTTL', KEYS[1]) }`;

export function createLimiter(redis: Redis, namespace: string, log: Log): Limiter {
  let warnedAt = 0;
  return {
    async hit(key, limit) {
      try {
        const reply = await redis.eval(HIT, {
          keys: [`${namespace}:limit:${key}`],
          arguments: [String(WINDOW_MS)],
        });
        const [count, ttl] = reply as [number, number];
        return count <= limit ? ALLOWED : { allowed: false, retryAfterMs: Math.max(ttl, 1) };
      } catch (error) {
        // Open, not shut: without Redis the edge's own limits still stand, and readiness already tells.
        if (Date.now() - warnedAt > 10_000)
          log.warn({ event: "limits_off", ...errorFields(error), stack: undefined });
        warnedAt = Date.now();
        return ALLOWED;
      }
    },
    async forget(key) {
      // It expires by itself, should Redis be away.
      await redis.del(`${namespace}:limit:${key}`).catch(() => 0);
    },
  };
}
