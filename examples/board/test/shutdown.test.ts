import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Person, request } from "./person.ts";
import { upgradeStatus } from "./wire.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();

describe("a web process told to go", () => {
  test("is gone at once when nobody holds a socket", async () => {
    const web = await board.web({ SHUTDOWN_GRACE_MS: "60000" });
    await request(web.url, "GET", "/api/public/summary");
    const started = performance.now();
    expect(await web.stop()).toBe(0);
    // 10 to 20 ms where nothing else runs.
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(web.log.at(-1)?.event).toBe("stopped");
  });

  test("tells every client, closes each with 1001 at its own moment within the grace, and turns newcomers away", async () => {
    const web = await board.web({ SHUTDOWN_GRACE_MS: "1000" });
    const ann = await Person.signUp(web.url);
    const wires = await Promise.all(Array.from({ length: 20 }, () => ann.connect()));
    const started = performance.now();
    const closings = wires.map(async (wire) => ({
      code: await wire.closed,
      at: performance.now() - started,
    }));
    const exit = web.stop();

    const notice = await wires[0]?.next("SERVER_SHUTDOWN");
    expect(notice?.payload).toEqual({ reason: expect.any(String), reconnectWithinMs: 1000 });
    expect(await upgradeStatus(web.url)).toBe(503);
    const { status, body } = await request(web.url, "GET", "/ready");
    expect(status).toBe(503);
    expect(body.checks.draining).toBe(true);
    expect((await request(web.url, "GET", "/health")).status).toBe(200);

    const closed = await Promise.all(closings);
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1001]));
    const times = closed.map(({ at }) => at).sort((a, b) => a - b);
    // Spread over the window: 20 at random moments leave no gap of half of it, and do not come together.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(300);
    for (const wire of wires.slice(1))
      expect(wire.received.map(({ type }) => type)).toContain("SERVER_SHUTDOWN");
    expect(await exit).toBe(0);
  });

  test("finishes the request it is in the middle of", async () => {
    const web = await board.web();
    const ann = await Person.signUp(web.url);
    const body = JSON.stringify({ title: "Half sent" });
    let answer = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: Number(new URL(web.url).port),
      socket: {
        data(_, chunk) {
          answer += chunk.toString();
        },
      },
    });
    const head = ["POST /api/tasks HTTP/1.1", "host: board", `authorization: Bearer ${ann.token}`];
    socket.write(
      `${[...head, "content-type: application/json", `content-length: ${body.length}`].join("\r\n")}\r\n\r\n`,
    );
    socket.write(body.slice(0, 5));
    await Bun.sleep(100);
    const exit = web.stop();
    await web.logged((line) => line.event === "draining");
    socket.write(body.slice(5));
    expect(await exit).toBe(0);
    expect(answer).toStartWith("HTTP/1.1 201");
    expect(await board.sql`SELECT 1 FROM tasks WHERE title = 'Half sent'`).toHaveLength(1);
  });
});

describe("a worker told to go", () => {
  test("says when it is ready, finishes the job it has, takes no other, and exits 0", async () => {
    const ready = join(tmpdir(), `board-ready-${crypto.randomUUID()}`);
    const worker = await board.worker({ READY_FILE: ready });
    expect(existsSync(ready)).toBe(true);

    // A row lock makes the job wait for as long as this test wants.
    const enqueue = (day: string) => board.sql`
      INSERT INTO outbox (topic, payload) VALUES ('summary.daily', ${{ day }}::jsonb)`;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const blocking = board.sql.begin(async (tx) => {
      await tx`LOCK TABLE daily_summaries IN EXCLUSIVE MODE`;
      await held;
    });
    await Bun.sleep(50);
    await enqueue("2030-01-01");
    await worker.logged((line) => line.event === "outbox_drained");
    await Bun.sleep(200);

    const exit = worker.stop();
    await worker.logged((line) => line.event === "quieting");
    expect(existsSync(ready)).toBe(false);
    await enqueue("2030-01-02");
    await Bun.sleep(300);
    release();
    await blocking;
    expect(await exit).toBe(0);
    const days = await board.sql`SELECT day::text FROM daily_summaries`;
    expect(days.map(({ day }: { day: string }) => day)).toEqual(["2030-01-01"]);
  });

  test("work that came while no worker lived is done by the next", async () => {
    const first = await board.worker();
    first.signal("SIGKILL");
    await first.exited;
    await board.sql`INSERT INTO outbox (topic, payload) VALUES ('summary.daily', ${{ day: "2030-02-01" }}::jsonb)`;
    await board.worker();
    // Other work may have waited too, so the first job that is done need not be this one.
    const summary = () => board.sql`SELECT 1 FROM daily_summaries WHERE day = '2030-02-01'`;
    while ((await summary()).length === 0) await Bun.sleep(50);
    expect(await summary()).toHaveLength(1);
  });
});
