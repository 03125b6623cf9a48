/** Limits, counted in the object's memory: all sockets are in it. A sleep forgets them; nobody sleeps in a flood. */
import type { Limiter } from "../src/limits.ts";

const WINDOW_MS = 60_000;
/** Beyond so many keys those whose window is over are swept out. */
const SWEEP_AT = 10_000;

export function memoryLimiter(now: () => number = Date.now): Limiter {
  const windows = new Map<string, { hits: number; until: number }>();
  return {
    async hit(key, limit) {
      const at = now();
      if (windows.size >= SWEEP_AT)
        for (const [old, { until }] of windows) if (until <= at) windows.delete(old);
      const current = windows.get(key);
      const window = current && current.until > at ? current : { hits: 0, until: at + WINDOW_MS };
      windows.set(key, window);
      window.hits++;
      const allowed = window.hits <= limit;
      return { allowed, retryAfterMs: allowed ? 0 : Math.max(window.until - at, 1) };
    },
    async forget(key) {
      windows.delete(key);
    },
  };
}
