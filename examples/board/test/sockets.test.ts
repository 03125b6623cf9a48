import { describe, expect, test } from "bun:test";
import { ORIGIN } from "./app.ts";
import { Person } from "./person.ts";
import { upgradeStatus, Wire } from "./wire.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const [one, two] = await Promise.all([
  board.web({ SLIPWAY_HOST: "web1" }),
  board.web({ SLIPWAY_HOST: "web2" }),
]);
const strict = await board.web({
  WS_AUTH_TIMEOUT_MS: "100",
  WS_IDLE_TIMEOUT_MS: "300",
  WS_MESSAGE_LIMIT: "5",
  WS_CONNECTIONS_PER_IP: "2",
  WS_MAX_PAYLOAD: "1024",
});
const ann = await Person.signUp(one.url);
const bob = await Person.signUp(one.url);

describe("across hosts", () => {
  test("what one says on web1, one on web2 hears, once, and so does the speaker", async () => {
    const [here, there] = [await ann.connect(one.url), await bob.connect(two.url)];
    here.send("SAY", { text: "hello" });
    for (const wire of [here, there]) {
      const { payload } = await wire.next("SAID");
      expect(payload).toEqual({ text: "hello", from: ann.id, name: "Pat", host: "web1" });
    }
    await Bun.sleep(100);
    expect(there.received.filter((message) => message.type === "SAID")).toEqual([]);
  });

  test("messages arrive in the order in which they were said", async () => {
    const [here, there] = [await ann.connect(one.url), await bob.connect(two.url)];
    for (let i = 0; i < 50; i++) here.send("SAY", { text: String(i) });
    const heard: string[] = [];
    while (heard.length < 50) heard.push((await there.next("SAID")).payload.text);
    expect(heard).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test("a task made, changed and removed over HTTP on web1 shows on web2", async () => {
    const there = await bob.connect(two.url);
    const { body: task } = await ann.call("POST", "/api/tasks", { title: "Live" });
    expect((await there.next("TASK_CREATED")).payload).toEqual({ task });
    await ann.call("PATCH", `/api/tasks/${task.id}`, { status: "doing" });
    expect((await there.next("TASK_UPDATED")).payload.task.status).toBe("doing");
    await ann.call("DELETE", `/api/tasks/${task.id}`);
    expect((await there.next("TASK_REMOVED")).payload).toEqual({ id: task.id });
  });

  test("an echo tells which host and release answers", async () => {
    const wire = await ann.connect(two.url);
    wire.send("PING", { n: 42 });
    expect((await wire.next("PONG")).payload).toEqual({ n: 42, host: "web2", release: 7 });
  });
});

describe("being let in", () => {
  test("who does not sign in in time is closed with 4401", async () => {
    const wire = await Wire.open(strict.url);
    expect(await wire.closed).toBe(4401);
  });

  test("a bad token closes with 4401, and a message before AUTH is refused", async () => {
    const wire = await Wire.open(one.url);
    wire.send("SAY", { text: "let me in" });
    expect((await wire.next("ERROR")).payload.code).toBe("UNAUTHENTICATED");
    wire.send("AUTH", { token: "not a token" });
    expect(await wire.closed).toBe(4401);
  });

  test("AUTH and the first message may come in one breath", async () => {
    const wire = await Wire.open(one.url);
    wire.send("AUTH", { token: ann.token });
    wire.send("PING", { n: 1 });
    expect((await wire.next("PONG")).payload.n).toBe(1);
  });

  test("a stranger hears nothing of the board", async () => {
    const stranger = await Wire.open(one.url);
    const speaker = await ann.connect(one.url);
    speaker.send("SAY", { text: "among us" });
    await speaker.next("SAID");
    await Bun.sleep(50);
    expect(stranger.received).toEqual([]);
  });

  test("only our own pages may connect from a browser", async () => {
    expect(await upgradeStatus(one.url, { origin: ORIGIN })).toBe(101);
    expect(await upgradeStatus(one.url)).toBe(101);
    for (const origin of ["https://evil.example", "null", `${ORIGIN}:81`]) {
      expect(await upgradeStatus(one.url, { origin })).toBe(403);
    }
  });

  test("an address may have so many sockets; a closed one makes room", async () => {
    const address = { "x-forwarded-for": "203.0.113.77" };
    const carol = await Person.signUp(strict.url);
    const first = await carol.connect(strict.url, address);
    await carol.connect(strict.url, address);
    expect(await upgradeStatus(strict.url, address)).toBe(429);
    expect(await upgradeStatus(strict.url, { "x-forwarded-for": "203.0.113.78" })).toBe(101);
    expect(await upgradeStatus(strict.url, { ...address, "x-load-test": "verified" })).toBe(101);
    first.close();
    await first.closed;
    await Bun.sleep(50);
    expect(await upgradeStatus(strict.url, address)).toBe(101);
  });
});

describe("once in", () => {
  test("too many messages are answered with when to try again, counted per user over all hosts", async () => {
    const dave = await Person.signUp(strict.url);
    const wire = await dave.connect(strict.url, { "x-forwarded-for": "203.0.113.80" });
    for (let i = 0; i < 6; i++) wire.send("PING", { n: i });
    const { payload } = await wire.next("ERROR");
    expect(payload).toMatchObject({ code: "RESOURCE_EXHAUSTED", retryable: true });
    expect(payload.retryAfterMs).toBeWithin(1, 60_001);
    expect(wire.received.filter((message) => message.type === "PONG").length).toBeLessThan(6);
  });

  test("nonsense is refused and the socket lives on", async () => {
    const wire = await ann.connect(one.url);
    for (const nonsense of ["{", "[]", '{"type":42}', '{"type":"SAID"}', '{"type":"<script>"}']) {
      wire.raw(nonsense);
      expect((await wire.next("ERROR")).payload.code).toBe("INVALID_ARGUMENT");
    }
    wire.send("SAY", { text: "" });
    expect((await wire.next("ERROR")).payload.code).toBe("INVALID_ARGUMENT");
    wire.send("SAY", { text: "x", as: "someone else" });
    expect((await wire.next("ERROR")).payload.code).toBe("INVALID_ARGUMENT");
    wire.send("PING", { n: 1 });
    await wire.next("PONG");
  });

  test("a payload over the cap closes with 1009", async () => {
    const erin = await Person.signUp(strict.url);
    const wire = await erin.connect(strict.url, { "x-forwarded-for": "203.0.113.81" });
    wire.send("SAY", { text: "x".repeat(2000) });
    expect(await wire.closed).toBe(1009);
  });

  test("whoever falls silent is closed, and whoever speaks is not", async () => {
    const frank = await Person.signUp(strict.url);
    const silent = await frank.connect(strict.url, { "x-forwarded-for": "203.0.113.82" });
    const speaking = await frank.connect(strict.url, {
      "x-forwarded-for": "203.0.113.83",
      "x-load-test": "verified",
    });
    let closed = false;
    speaking.closed.then(() => {
      closed = true;
    });
    for (let i = 0; i < 8; i++) {
      await Bun.sleep(80);
      speaking.send("PING", { n: i });
    }
    expect(closed).toBe(false);
    expect(await silent.closed).toBe(1000);
  });

  test("connect, message and disconnect are logged, without what was said", async () => {
    const wire = await ann.connect(one.url);
    wire.send("SAY", { text: "between you and me" });
    await wire.next("SAID");
    wire.close();
    await wire.closed;
    const { clientId } = await one.logged((line) => line.event === "ws_message" && line.type === "SAY");
    expect(clientId).toBeTruthy();
    await one.logged((line) => line.event === "ws_connect" && line.clientId === clientId);
    await one.logged(
      (line) => line.event === "ws_disconnect" && line.userId === ann.id && line.code === 1000,
    );
    expect(one.output).not.toContain("between you and me");
  });
});
