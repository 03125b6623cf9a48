import { expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { RedisClient } from "bun";
import { Person, request } from "./person.ts";
import { newBoard, services } from "./world.ts";

/** So many messages of 64 KiB are less than what makes a reader too slow. */
const AT_ONCE = 10;

/** A client that says it is there, signs in, and then never reads again. */
async function deafClient(url: string, token: string): Promise<Socket> {
  const socket = createConnection({ host: "127.0.0.1", port: Number(new URL(url).port) });
  const lines = ["GET /ws HTTP/1.1", "host: board", "connection: Upgrade", "upgrade: websocket"];
  const key = ["sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];
  socket.write(`${[...lines, ...key].join("\r\n")}\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  const payload = Buffer.from(JSON.stringify({ type: "AUTH", meta: {}, payload: { token } }));
  // A text frame, masked with zeroes, of a length that needs two bytes.
  const head = Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  socket.write(Buffer.concat([head, payload]));
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  return socket;
}

test("a reader too slow to keep up is dropped with 1013, and the others lose nothing", async () => {
  const board = await newBoard();
  const web = await board.web();
  const ann = await Person.signUp(web.url);
  const deaf = await deafClient(web.url, ann.token);
  const good = await ann.connect();

  // More than any kernel buffers: straight into the channel, as another host would publish it. Never far ahead of the
  // good reader, which on a busy machine would be too slow as well.
  const redis = new RedisClient(board.env.REDIS_URL as string);
  const text = "x".repeat(64 * 1024);
  for (let first = 0; first < 300; first += AT_ONCE) {
    const numbers = Array.from({ length: AT_ONCE }, (_, i) => first + i);
    for (const n of numbers) {
      const envelope = { topic: "board", type: "SAID", payload: { text, n } };
      await redis.send("PUBLISH", [`${board.env.REDIS_NAMESPACE}:topics`, JSON.stringify(envelope)]);
    }
    for (const n of numbers) expect((await good.next("SAID")).payload.n).toBe(n);
  }
  redis.close();

  await web.logged((line) => line.event === "ws_slow_reader");
  await web.logged((line) => line.event === "ws_disconnect" && line.code !== 1000);
  expect((await request(web.url, "GET", "/metrics")).body).toContain("board_websockets_open 1");
  deaf.destroy();
});

/** How many connections Redis has, this one not counted. */
async function connections(url: string): Promise<number> {
  const redis = new RedisClient(url);
  const list: string = await redis.send("CLIENT", ["LIST"]);
  redis.close();
  return list.trim().split("\n").length - 1;
}

test("without Redis the process stays up and says so; when it is back, each message arrives once again", async () => {
  const redis = await services.ownRedis();
  const board = await newBoard({ REDIS_URL: redis.url });
  const [one, two] = await Promise.all([board.web(), board.web()]);
  const ann = await Person.signUp(one.url);
  const [here, there] = [await ann.connect(one.url), await ann.connect(two.url)];

  const before = await connections(redis.url);
  await redis.stop();
  const down = await request(one.url, "GET", "/ready");
  expect(down.status).toBe(503);
  expect(down.body.checks).toMatchObject({ database: true, redis: false });
  expect((await request(one.url, "GET", "/health")).status).toBe(200);
  // The limits are open and the row is kept; only nobody is told.
  expect((await ann.call("POST", "/api/tasks", { title: "In the dark" })).status).toBe(201);

  await redis.start();
  for (const { url } of [one, two]) {
    for (let i = 0; (await request(url, "GET", "/ready")).status !== 200; i++) {
      if (i > 100) throw new Error("not ready again");
      await Bun.sleep(50);
    }
  }
  // Subscriptions come back by themselves a moment after the connection.
  for (let i = 0; !there.received.some(({ type }) => type === "SAID") && i < 100; i++) {
    here.send("SAY", { text: "anyone?" });
    await Bun.sleep(50);
  }
  await Bun.sleep(300);
  there.received.length = 0;
  here.send("SAY", { text: "once" });
  await there.next("SAID");
  await Bun.sleep(200);
  expect(there.received.filter(({ type }) => type === "SAID")).toEqual([]);
  // Nobody reconnected what somebody else was already reconnecting.
  expect(await connections(redis.url)).toBe(before);
});
