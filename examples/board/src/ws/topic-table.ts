/** Which clients of this process listen to which topic: the same under Redis and inside one object. */
import type { PubSubAdapter } from "@ws-kit/core/pubsub";

type Table = Pick<PubSubAdapter, "subscribe" | "unsubscribe" | "replace" | "getSubscribers">;

/** `reachable` is false for a client that is gone or too slow: it is skipped. */
export function topicTable(reachable: (clientId: string) => boolean): Table {
  const topics = new Map<string, Set<string>>();
  const subscribe = async (clientId: string, topic: string) => {
    topics.set(topic, (topics.get(topic) ?? new Set()).add(clientId));
  };

  return {
    subscribe,
    async unsubscribe(clientId, topic) {
      topics.get(topic)?.delete(clientId);
    },
    /** Called with nothing when a client leaves. */
    async replace(clientId, wanted) {
      for (const clients of topics.values()) clients.delete(clientId);
      const list = [...wanted];
      for (const topic of list) await subscribe(clientId, topic);
      return { added: list.length, removed: 0, total: list.length };
    },
    async *getSubscribers(topic) {
      for (const clientId of topics.get(topic) ?? []) if (reachable(clientId)) yield clientId;
    },
  };
}
