/** From a job's name to what does it, with a time limit each. Every one may run twice: each says how it stays right. */
import type { Services } from "../services.ts";
import { dailySummary } from "./daily-summary.ts";
import { inspectUpload } from "./inspect-upload.ts";
import { notifyOwner } from "./notify-owner.ts";
import type { Topic, Work } from "./topics.ts";

type Perform<T extends Topic> = (services: Services, payload: Work[T], jobId: string) => Promise<void>;

const PERFORM: { [T in Topic]: { run: Perform<T>; timeoutMs: number } } = {
  "task.done": { run: notifyOwner, timeoutMs: 10_000 },
  "upload.inspect": { run: inspectUpload, timeoutMs: 20_000 },
  "summary.daily": { run: dailySummary, timeoutMs: 30_000 },
};

export async function perform(
  services: Services,
  topic: string,
  payload: unknown,
  jobId: string,
): Promise<void> {
  if (!(topic in PERFORM)) throw new Error(`no job is called ${topic}`);
  const { run, timeoutMs } = PERFORM[topic as Topic] as { run: Perform<Topic>; timeoutMs: number };
  let timer: Timer | undefined;
  // What a job waits for has its own time-out; this one keeps a forgotten one from holding a place for ever.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${topic} took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  await Promise.race([run(services, payload as Work[Topic], jobId), late]).finally(() => clearTimeout(timer));
}
