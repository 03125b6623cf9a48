/** Topics inside one object: everyone on the board is in it, so a message need not go anywhere else. */
import type { PubSubAdapter } from "@ws-kit/core/pubsub";

export function localTopics(reachable: (clientId: string) => boolean): PubSubAdapter {
  const topics = new Map<string, Set<string>>();
  let deliver: Parameters<NonNullable<PubSubAdapter["start"]>>[0] = () => {};
  // One delivery after another: two messages reach every client in the order in which they were published.
  let delivered: Promise<void> = Promise.resolve();

  return {
    async publish(envelope) {
      const stamped = { ...envelope, meta: { timestamp: Date.now(), ...envelope.meta } };
      const mine = delivered.then(() => deliver(stamped));
      delivered = mine.catch(() => {});
      await mine;
      return { ok: true, capability: "unknown" };
    },
    async subscribe(clientId, topic) {
      topics.set(topic, (topics.get(topic) ?? new Set()).add(clientId));
    },
    async unsubscribe(clientId, topic) {
      topics.get(topic)?.delete(clientId);
    },
    /** Called with nothing when a client leaves. */
    async replace(clientId, wanted) {
      for (const clients of topics.values()) clients.delete(clientId);
      const list = [...wanted];
      for (const topic of list) await this.subscribe(clientId, topic);
      return { added: list.length, removed: 0, total: list.length };
    },
    async *getSubscribers(topic) {
      for (const clientId of topics.get(topic) ?? []) if (reachable(clientId)) yield clientId;
    },
    start(onMessage) {
      deliver = onMessage;
      return () => {};
    },
  };
}
