/**
 * Topics across hosts. What is published goes to Redis, and comes back to every host, the sender's own included:
 * one way for a message to arrive, wherever it came from.
 */
import type { PublishEnvelope, PubSubAdapter } from "@ws-kit/core/pubsub";
import { createRedisPubSub } from "@ws-kit/redis-pubsub";
import { errorFields, type Log } from "../log.ts";
import type { Redis } from "../redis.ts";
import { topicTable } from "./topic-table.ts";

/** One channel for all topics: a host subscribes once, before its first client. */
const CHANNEL = "topics";

export interface Subscribers {
  /** False for a client that is gone or too slow: it is skipped. */
  reachable(clientId: string): boolean;
}

export function redisTopics(
  redis: Redis,
  namespace: string,
  subscribers: Subscribers,
  log: Log,
): PubSubAdapter {
  const bus = createRedisPubSub({ client: selfHealing(redis), namespace });
  // One delivery after another: two messages on a topic reach every client in the order in which they were published.
  let delivered: Promise<void> = Promise.resolve();

  return {
    ...topicTable((clientId) => subscribers.reachable(clientId)),
    async publish(envelope: PublishEnvelope) {
      try {
        await bus.publish(CHANNEL, { ...envelope, meta: { timestamp: Date.now(), ...envelope.meta } });
        return { ok: true, capability: "unknown" };
      } catch (error) {
        // Not fatal: the row is committed, and a page reads the board again whenever it reconnects.
        log.warn({ event: "publish_failed", type: envelope.type, ...errorFields(error), stack: undefined });
        return { ok: false, error: "ADAPTER_ERROR", retryable: true, adapter: "redis" };
      }
    },
    async start(deliver) {
      const subscription = bus.subscribe<PublishEnvelope>(CHANNEL, (envelope) => {
        delivered = delivered
          .then(() => deliver(envelope))
          .catch((error) => {
            log.error({ event: "deliver_failed", ...errorFields(error) });
          });
      });
      await subscription.ready;
      return () => subscription.unsubscribe();
    },
    close: () => bus.close(),
  };
}

/**
 * The driver reconnects and subscribes again by itself. The bus would do the same beside it, and leave a connection
 * behind at every outage. So the bus is shown a client that never seems to fail.
 */
function selfHealing(redis: Redis) {
  const facade = (client: Redis): object => ({
    isOpen: true,
    on() {},
    publish: (channel: string, text: string) => client.publish(channel, text),
    subscribe: (channel: string, listener: (text: string) => void) => client.subscribe(channel, listener),
    unsubscribe: (channel: string) => client.unsubscribe(channel),
    async quit() {
      client.destroy();
    },
    // Redis wants a connection of its own for subscriptions; the bus connects it right away.
    duplicate() {
      const own = client.duplicate() as Redis;
      own.on("error", () => {});
      return { ...facade(own), isOpen: false, connect: () => own.connect() };
    },
  });
  return facade(redis);
}
