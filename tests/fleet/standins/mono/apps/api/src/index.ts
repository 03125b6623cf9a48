/** The API: notes are written to libSQL, and a job for the worker is queued in Redis. */
import { db } from "@mono/db";
import { Queue } from "bullmq";
import { Elysia, t } from "elysia";
import Redis from "ioredis";

const connection = new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
connection.on("error", (error) => console.warn(`redis: ${error.message}`));
const mail = new Queue("mail", { connection, prefix: process.env.REDIS_NAMESPACE });

const app = new Elysia()
  .headers({ "X-Content-Type-Options": "nosniff" })
  .get("/health", () => "ok")
  .get("/ready", async ({ status }) => {
    await db.execute("SELECT 1");
    return connection.status === "ready" ? "ok" : status(503, "redis is away");
  })
  .get("/api/notes", async () => (await db.execute("SELECT id, text FROM notes ORDER BY id DESC LIMIT 20")).rows)
  .post(
    "/api/notes",
    async ({ body, status }) => {
      const made = await db.execute({ sql: "INSERT INTO notes (text) VALUES (?)", args: [body.text] });
      const id = Number(made.lastInsertRowid);
      await mail.add("send", { id });
      return status(201, { id });
    },
    { body: t.Object({ text: t.String({ minLength: 1, maxLength: 500 }) }) },
  )
  .listen(process.env.PORT ?? 3000);

process.on("SIGTERM", async () => {
  await app.stop();
  process.exit(0);
});
