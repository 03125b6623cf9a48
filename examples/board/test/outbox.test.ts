import { beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { openDatabase } from "../src/db/sql.ts";
import {
  drainOutbox,
  enqueue,
  MAX_ATTEMPTS,
  outboxAge,
  outboxDepth,
  sweepOutbox,
} from "../src/jobs/outbox.ts";
import { type Process, run } from "./app.ts";
import { Person, request } from "./person.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const { sql } = board;
/** As the app connects: through the pooler, as its own role. */
const app = openDatabase(board.env.DATABASE_URL as string, { poolSize: 4 });

function queue() {
  const added: string[] = [];
  return { added, add: async (_topic: string, _payload: unknown, jobId: string) => void added.push(jobId) };
}
const brokenQueue = { add: () => Promise.reject(new Error("the queue is away")) };
const write = (n: number) =>
  Promise.all(Array.from({ length: n }, () => enqueue(app, "summary.daily", { day: "2030-01-01" })));
/** Leases and pauses run out at once. */
const passTime = () => sql`UPDATE outbox SET locked_until = now() - interval '1s', next_attempt_at = now()`;

describe("the outbox", () => {
  beforeEach(async () => {
    await sql`DELETE FROM outbox`;
  });

  test("is drained in bounded batches", async () => {
    await write(25);
    const { added, add } = queue();
    const batches = [];
    for (let i = 0; i < 4; i++) batches.push((await drainOutbox(app, { add }, 10)).sent);
    expect(batches).toEqual([10, 10, 5, 0]);
    expect(new Set(added).size).toBe(25);
    expect(await outboxDepth(app)).toEqual({ pending: 0, dead: 0 });
  });

  test("two drainers at once hand over each row once", async () => {
    await write(40);
    const { added, add } = queue();
    const drained = await Promise.all([1, 2, 3, 4].map(() => drainOutbox(app, { add }, 20)));
    expect(drained.reduce((sum, { sent }) => sum + sent, 0)).toBe(40);
    expect(added.length).toBe(new Set(added).size);
  });

  test("a row whose drainer died is leased until the lease runs out, and then taken up by another", async () => {
    await write(1);
    // Leased, and never heard of again.
    drainOutbox(app, { add: () => new Promise<void>(() => {}) }, 10);
    await Bun.sleep(100);
    const { added, add } = queue();
    expect((await drainOutbox(app, { add }, 10)).leased).toBe(0);
    await passTime();
    expect((await drainOutbox(app, { add }, 10)).sent).toBe(1);
    expect(added).toHaveLength(1);
  });

  test("a failed hand-over waits longer each time, and ends as a dead letter that is kept", async () => {
    await write(1);
    const waits: number[] = [];
    for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
      expect(await drainOutbox(app, brokenQueue, 10)).toMatchObject({ failed: 1, dead: 0 });
      const [row] = await sql`SELECT extract(epoch FROM next_attempt_at - now())::float AS wait FROM outbox`;
      waits.push(row.wait);
      expect((await drainOutbox(app, brokenQueue, 10)).leased).toBe(0);
      await passTime();
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(await drainOutbox(app, brokenQueue, 10)).toMatchObject({ failed: 0, dead: 1 });
    await passTime();
    expect((await drainOutbox(app, queue(), 10)).leased).toBe(0);
    expect(await outboxDepth(app)).toEqual({ pending: 0, dead: 1 });
  });

  test("what is rolled back was never there, and the same key is written once", async () => {
    const undone = app.begin(async (tx) => {
      await enqueue(tx, "summary.daily", { day: "2030-01-01" });
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    await enqueue(app, "summary.daily", { day: "2030-01-01" }, "once");
    await enqueue(app, "summary.daily", { day: "2030-01-01" }, "once");
    expect(await outboxDepth(app)).toEqual({ pending: 1, dead: 0 });
  });

  test("its age is that of the oldest row that waits, however many are sent or dead", async () => {
    expect(await outboxAge(app)).toBe(0);
    await write(3);
    await sql`UPDATE outbox SET created_at = now() - interval '3 hours', sent_at = now() WHERE id = (SELECT min(id) FROM outbox)`;
    await sql`UPDATE outbox SET created_at = now() - interval '2 hours', dead_at = now() WHERE id = (SELECT max(id) FROM outbox)`;
    await sql`UPDATE outbox SET created_at = now() - interval '1 hour' WHERE sent_at IS NULL AND dead_at IS NULL`;
    expect(Math.round(await outboxAge(app))).toBe(3_600);
  });

  test("what was sent is forgotten after two days, not before", async () => {
    await write(2);
    await drainOutbox(app, queue(), 10);
    await sql`UPDATE outbox SET sent_at = now() - interval '3 days' WHERE id = (SELECT min(id) FROM outbox)`;
    await sweepOutbox(app, 100);
    expect((await sql`SELECT count(*)::int AS n FROM outbox`)[0].n).toBe(1);
  });
});

describe("work, from the request to its end", () => {
  let web: Process;
  let worker: Process;
  // Not while the tests above run: the worker drains the outbox too.
  beforeAll(async () => {
    [web, worker] = await Promise.all([board.web(), board.worker()]);
  });
  const bearer = { authorization: `Bearer ${board.env.CRON_SECRET}` };
  const eventually = async (check: () => PromiseLike<unknown[]>) => {
    for (let i = 0; i < 100; i++) {
      if ((await check()).length) return;
      await Bun.sleep(50);
    }
    throw new Error(`did not happen: ${worker.output}`);
  };

  test("the owner of a task hears that another finished it, once, and not of finishing it himself", async () => {
    const [ann, bob] = [await Person.signUp(web.url), await Person.signUp(web.url)];
    const mine = (await ann.call("POST", "/api/tasks", { title: "Mine" })).body;
    const own = (await ann.call("POST", "/api/tasks", { title: "Own" })).body;
    await ann.call("PATCH", `/api/tasks/${own.id}`, { status: "done" });
    await bob.call("PATCH", `/api/tasks/${mine.id}`, { status: "done" });
    await bob.call("PATCH", `/api/tasks/${mine.id}`, { status: "done" });
    await eventually(async () => (await ann.call("GET", "/api/notifications")).body);
    await Bun.sleep(700);
    const { body } = await ann.call("GET", "/api/notifications");
    expect(body).toEqual([{ taskId: mine.id, kind: "task.done", at: expect.any(String) }]);
  });

  test.each(["/cron/outbox", "/cron/daily-summary"])("%s refuses who has not the bearer", async (path) => {
    expect((await request(web.url, "POST", path)).status).toBe(401);
    const wrong = { authorization: `Bearer ${board.env.CRON_SECRET}x` };
    expect((await request(web.url, "POST", path, undefined, wrong)).status).toBe(401);
  });

  test("the daily summary is made once, however often its timer fires", async () => {
    for (let i = 0; i < 3; i++) {
      expect((await request(web.url, "POST", "/cron/daily-summary", undefined, bearer)).status).toBe(200);
    }
    await eventually(() => sql`SELECT * FROM daily_summaries`);
    expect(await sql`SELECT * FROM outbox WHERE dedupe_key LIKE 'summary-%'`).toHaveLength(1);
  });

  test("timer and task drain too, one batch a call", async () => {
    await worker.stop();
    await sql`DELETE FROM outbox`;
    await write(3);
    expect((await request(web.url, "POST", "/cron/outbox", undefined, bearer)).body).toMatchObject({
      sent: 3,
    });
    await write(3);
    const task = await run("task", ["outbox.drain", "--batch-size", "2"], board.env);
    expect(JSON.parse(task.stdout)).toEqual({ leased: 2, sent: 2, failed: 0, dead: 0 });
    expect((await run("task", ["outbox.drain", "--batch-size", "0"], board.env)).exitCode).toBe(64);
    expect((await run("task", ["no.such.task"], board.env)).exitCode).toBe(64);
  });
});
