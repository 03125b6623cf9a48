/** Redis, through node-redis: one driver for limits, broadcasts and BullMQ. */
import { createClient } from "redis";
import { errorFields, type Log } from "./log.ts";

export type Redis = Awaited<ReturnType<typeof openRedis>>;

/**
 * A connected client that reconnects by itself.
 * `failFast`: while Redis is away a command fails at once. Right for a request, which someone is waiting for;
 * wrong for the queue, whose commands may wait until Redis is back.
 */
export async function openRedis(url: string, log: Log, options: { failFast: boolean }) {
  const client = createClient({
    url,
    disableOfflineQueue: options.failFast,
    socket: { connectTimeout: 5_000, reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 2_000) },
  });
  client.on("error", (error) => log.warn({ event: "redis_error", ...errorFields(error), stack: undefined }));
  await client.connect();
  return client;
}
