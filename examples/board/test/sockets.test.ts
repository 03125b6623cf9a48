/** Sockets on Bun: what holds on every runtime, and what only several hosts on one Redis show. */
import { describe, expect, test } from "bun:test";
import { SignJWT } from "jose";
import { ORIGIN } from "./app.ts";
import { Person } from "./person.ts";
import { Wire } from "./wire.ts";
import { holdsTheWireContract } from "./wire-contract.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const [one, two] = await Promise.all([
  board.web({ SLIPWAY_HOST: "web1" }),
  board.web({ SLIPWAY_HOST: "web2" }),
]);
const ann = await Person.signUp(one.url);
const bob = await Person.signUp(one.url);

await holdsTheWireContract({
  name: "Bun",
  app: one.url,
  start: (settings) => board.web(settings),
  from: (address) => ({ "x-forwarded-for": address }),
  vouched: { "x-load-test": "verified" },
});

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

describe("the token of a socket", () => {
  const token = (seconds: number) =>
    new SignJWT({ sub: ann.id, name: "Ann", role: "member" })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(ORIGIN)
      .setAudience("board")
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(new TextEncoder().encode(board.env.JWT_SECRET as string));

  const signedIn = async (seconds: number) => {
    const wire = await Wire.open(one.url);
    wire.send("AUTH", { token: await token(seconds) });
    await wire.next("AUTHENTICATED");
    return wire;
  };

  test("exploit: a socket does not outlive it", async () => {
    expect(await (await signedIn(2)).closed).toBe(4401);
  });

  test("is followed by a fresh one on the same socket", async () => {
    const wire = await signedIn(3);
    wire.send("AUTH", { token: await token(60) });
    await wire.next("AUTHENTICATED");
    expect(await Promise.race([wire.closed, Bun.sleep(4000)])).toBeUndefined();
    wire.send("PING", { n: 1 });
    await wire.next("PONG");
  });
});
