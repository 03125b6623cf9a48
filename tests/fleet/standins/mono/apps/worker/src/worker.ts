/** The worker: marks notes as sent. */
import { rmSync, writeFileSync } from "node:fs";
import { db } from "@mono/db";
import { Worker } from "bullmq";
import Redis from "ioredis";

const connection = new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
connection.on("error", (error) => console.warn(`redis: ${error.message}`));
const send = async ({ data }: { data: { id: number } }) => {
  await db.execute({ sql: "UPDATE notes SET sent_at = datetime() WHERE id = ?", args: [data.id] });
};
const worker = new Worker("mail", send, { connection, prefix: process.env.REDIS_NAMESPACE });
worker.on("error", (error) => console.warn(`worker: ${error.message}`));
await worker.waitUntilReady();
const ready = process.env.READY_FILE;
if (ready) writeFileSync(ready, "");
process.on("SIGTERM", async () => {
  if (ready) rmSync(ready, { force: true });
  await worker.close();
  process.exit(0);
});
