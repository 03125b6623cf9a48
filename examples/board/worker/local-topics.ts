/** Topics inside one object: everyone on the board is in it, so a message need not go anywhere else. */
import type { PubSubAdapter } from "@ws-kit/core/pubsub";
import { topicTable } from "../src/ws/topic-table.ts";

export function localTopics(reachable: (clientId: string) => boolean): PubSubAdapter {
  let deliver: Parameters<NonNullable<PubSubAdapter["start"]>>[0] = () => {};
  // One delivery after another: two messages reach every client in the order in which they were published.
  let delivered: Promise<void> = Promise.resolve();

  return {
    ...topicTable(reachable),
    async publish(envelope) {
      const stamped = { ...envelope, meta: { timestamp: Date.now(), ...envelope.meta } };
      const mine = delivered.then(() => deliver(stamped));
      delivered = mine.catch(() => {});
      await mine;
      return { ok: true, capability: "unknown" };
    },
    start(onMessage) {
      deliver = onMessage;
      return () => {};
    },
  };
}
