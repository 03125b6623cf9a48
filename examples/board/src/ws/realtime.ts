/** The board's sockets on Cloudflare, where there are any: what is published here is told to them too. */
import type { PubSubAdapter } from "@ws-kit/core/pubsub";
import type { WebEnv } from "../env.ts";
import { errorFields } from "../error-fields.ts";
import type { Lines } from "../log.ts";

/** An answer that takes longer is not worth keeping the next message waiting. */
const TIMEOUT_MS = 2_000;
/** Beyond so many waiting messages the Worker is taken to be away: a page reads the board again when it reconnects. */
const MOST_WAITING = 1_000;

/** `topics`, and a copy of each message to the Worker; its failures hold up nobody here. */
export function alsoOnTheWorker(
  topics: PubSubAdapter,
  env: Pick<WebEnv, "REALTIME_URL" | "REALTIME_SECRET">,
  log: Pick<Lines, "warn">,
): PubSubAdapter {
  const { REALTIME_URL: url, REALTIME_SECRET: secret } = env;
  if (!url) return topics;
  // One after another: they arrive in the order in which they were published here.
  let told: Promise<void> = Promise.resolve();
  let waiting = 0;

  const tell = async (type: string | undefined, payload: unknown) => {
    const response = await fetch(`${url}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ type, payload }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the Worker answered ${response.status}`);
  };

  return {
    ...topics,
    publish(envelope, options) {
      if (waiting < MOST_WAITING) {
        waiting++;
        told = told
          .then(() => tell(envelope.type, envelope.payload))
          .catch((error) =>
            log.warn({
              event: "realtime_failed",
              type: envelope.type,
              ...errorFields(error),
              stack: undefined,
            }),
          )
          .finally(() => waiting--) as Promise<void>;
      } else {
        log.warn({ event: "realtime_failed", type: envelope.type, error: "too many are waiting" });
      }
      return topics.publish(envelope, options);
    },
    async close() {
      await Promise.race([told, Bun.sleep(TIMEOUT_MS)]);
      await topics.close?.();
    },
  };
}
