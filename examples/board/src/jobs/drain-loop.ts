/** The worker's loop over the outbox. It is here and not in web: a web process only does what a request asks for. */
import { errorFields } from "../log.ts";
import type { Services } from "../services.ts";
import { drainOutbox, sweepOutbox } from "./outbox.ts";

const BATCH = 100;
const IDLE_MS = 500;
const SWEEP_MS = 60_000;

export function drainLoop({ sql, jobs, log }: Services): { stop(): Promise<void> } {
  const stopped = new AbortController();
  let sweptAt = 0;

  const loop = async () => {
    while (!stopped.signal.aborted) {
      try {
        const drained = await drainOutbox(sql, jobs, BATCH);
        if (drained.leased) log.info({ event: "outbox_drained", ...drained });
        if (Date.now() - sweptAt > SWEEP_MS) {
          await sweepOutbox(sql, 1_000);
          sweptAt = Date.now();
        }
        // A full batch means that there may be more.
        if (drained.leased === BATCH) continue;
      } catch (error) {
        log.error({ event: "outbox_failed", ...errorFields(error) });
      }
      await pause(IDLE_MS, stopped.signal);
    }
  };
  const running = loop();

  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

/** Ends early when the signal fires: shutting down should not wait out a pause. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
