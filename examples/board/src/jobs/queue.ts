/** The queue: BullMQ over the app's Redis driver, under the environment's own prefix. */
import { Queue } from "bullmq";
import type { Redis } from "../redis.ts";
import type { Topic, Work } from "./topics.ts";

export const QUEUE = "work";

/** Retries outlive a restart of whatever a job talks to; what failed for good is kept for a week to be looked at. */
const JOB_OPTIONS = {
  attempts: 5,
  backoff: { type: "exponential", delay: 1_000 },
  removeOnComplete: { age: 3_600, count: 1_000 },
  removeOnFail: { age: 7 * 24 * 3_600, count: 1_000 },
} as const;

/** Counts the jobs that were done. The queue itself forgets them within the hour. */
export const doneKey = (namespace: string) => `${namespace}:jobs-done`;

export interface Jobs {
  add<T extends Topic>(topic: T, payload: Work[T], jobId: string): Promise<void>;
  /** Rejects when the queue cannot be reached. */
  depth(): Promise<Record<string, number>>;
  /** Jobs that were done since the namespace began, by all workers together. */
  done(): Promise<number>;
  close(): Promise<void>;
}

/** Rejects when Redis goes away meanwhile: the queue would never work again. */
export async function openJobs(redis: Redis, namespace: string): Promise<Jobs> {
  const queue = new Queue(QUEUE, {
    connection: redis as never,
    prefix: namespace,
    defaultJobOptions: JOB_OPTIONS,
  });
  // Without a listener an error event ends the process; the driver's own listener has logged it.
  queue.on("error", () => {});
  await queue.waitUntilReady();
  return {
    async add(topic, payload, jobId) {
      await queue.add(topic, payload, { jobId });
    },
    depth: () => queue.getJobCounts("waiting", "active", "delayed", "failed"),
    done: async () => Number((await redis.get(doneKey(namespace))) ?? 0),
    close: () => queue.close(),
  };
}
