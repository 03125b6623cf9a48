/** Sockets on Cloudflare: the Worker's bundle on workerd, with tokens of the app, held to the same contract as Bun. */
import { afterAll, describe, expect, test } from "bun:test";
import type { Env } from "./app.ts";
import { Person, request } from "./person.ts";
import { upgradeStatus, Wire } from "./wire.ts";
import { holdsTheWireContract } from "./wire-contract.ts";
import { Workerd } from "./workerd.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const app = await board.web();
const SECRET = `realtime-${"x".repeat(32)}`;
const started: Workerd[] = [];
afterAll(() => Promise.all(started.map((worker) => worker.stop())));

/** With the app's own public names and its one secret that the Worker needs, and no other. */
async function worker(settings: Env = {}): Promise<Workerd> {
  const needed = ["PUBLIC_URL", "FRONTEND_URL", "SERVICE_NAME", "SLIPWAY_RELEASE", "JWT_SECRET"];
  const limits = { WS_MESSAGE_LIMIT: "100000", WS_CONNECTIONS_PER_IP: "1000", REALTIME_SECRET: SECRET };
  const given = Object.fromEntries(needed.map((name) => [name, board.env[name] as string]));
  const running = await Workerd.start({ ...given, ...limits, ...settings });
  started.push(running);
  return running;
}

await holdsTheWireContract({
  name: "the Worker",
  app: app.url,
  start: async (settings) => (await worker(settings)).process,
  from: (address) => ({ "cf-connecting-ip": address }),
});

const ann = await Person.signUp(app.url);
const bob = await Person.signUp(app.url);
const bearer = (person: Person) => ({ authorization: `Bearer ${person.token}` });
const post = (url: string, path: string, body?: unknown, secret = SECRET) =>
  fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe("only on the Worker", () => {
  test("a full board refuses with 503 and when to come again; who leaves makes room", async () => {
    const { url } = await worker({ MAX_CONNECTIONS: "2" });
    const first = await ann.connect(url);
    await bob.connect(url);
    const refused = await fetch(`${url}/ws`, { headers: { connection: "Upgrade", upgrade: "websocket" } });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "10"]);
    first.close();
    await first.closed;
    await Bun.sleep(50);
    expect(await upgradeStatus(url)).toBe(101);
  });

  test("the object sleeps while its sockets stay; who wakes it is still signed in, and heard", async () => {
    const { url, process } = await worker();
    const [here, there] = [await ann.connect(url), await bob.connect(url)];
    // Ten seconds without an event, says Cloudflare; the heartbeat is none.
    for (let i = 0; i < 13; i++) {
      await Bun.sleep(1_000);
      here.send("PING", { n: 0 });
      expect((await here.next("PONG")).payload.n).toBe(0);
    }
    here.send("SAY", { text: "good morning" });
    for (const wire of [here, there]) expect((await wire.next("SAID")).payload.from).toBe(ann.id);
    expect(await process.logged((line) => line.event === "woke")).toMatchObject({ sockets: 2 });
  }, 30_000);

  test("before it is replaced everyone is told and closed with 1001, and newcomers are asked to wait", async () => {
    const { url } = await worker();
    const wires = [await ann.connect(url), await bob.connect(url)];
    const farewell = post(url, "/farewell");
    for (const wire of wires) {
      const { payload } = await wire.next("SERVER_SHUTDOWN");
      expect(payload).toEqual({ reason: "the board is being replaced", reconnectWithinMs: 8000 });
    }
    expect(await upgradeStatus(url)).toBe(503);
    for (const wire of wires) expect(await wire.closed).toBe(1001);
    expect(await (await farewell).json()).toEqual({ told: 2 });
    expect(await upgradeStatus(url)).toBe(101);
  });

  test("only the app may publish, and only what belongs on the board", async () => {
    const { url } = await worker();
    const wire = await ann.connect(url);
    const news = { type: "TASK_REMOVED", payload: { id: crypto.randomUUID() } };
    expect((await post(url, "/publish", news, "x".repeat(SECRET.length))).status).toBe(401);
    expect((await post(url, "/publish", news, "")).status).toBe(401);
    expect((await fetch(`${url}/publish`)).status).toBe(405);
    for (const nonsense of [null, {}, { type: "AUTH", payload: {} }, { ...news, payload: { id: 1 } }])
      expect((await post(url, "/publish", nonsense)).status).toBe(400);
    expect((await post(url, "/publish", news)).status).toBe(204);
    expect((await wire.next("TASK_REMOVED")).payload).toEqual(news.payload);
    expect(wire.received).toEqual([]);
  });

  test("what is said and done on the app's own hosts is heard here, in order, and a Worker that is away holds up nobody", async () => {
    const running = await worker();
    const far = await board.web({ REALTIME_URL: running.url, REALTIME_SECRET: SECRET, SLIPWAY_HOST: "web9" });
    const here = await ann.connect(running.url);
    const { body: task } = await bob.call("POST", "/api/tasks", {
      title: "Not told: this host knows no Worker",
    });
    const made = await request(far.url, "POST", "/api/tasks", { title: "Live" }, bearer(bob));
    expect((await here.next("TASK_CREATED")).payload).toEqual({ task: made.body });
    for (const status of ["doing", "done"])
      await request(far.url, "PATCH", `/api/tasks/${made.body.id}`, { status }, bearer(bob));
    for (const status of ["doing", "done"])
      expect((await here.next("TASK_UPDATED")).payload.task.status).toBe(status);
    const there = await bob.connect(far.url);
    there.send("SAY", { text: "from web9" });
    expect((await here.next("SAID")).payload).toMatchObject({
      text: "from web9",
      from: bob.id,
      host: "web9",
    });
    expect(here.received.filter((message) => message.payload.task?.id === task.id)).toEqual([]);

    running.process.signal("SIGKILL");
    const begun = Date.now();
    there.send("SAY", { text: "still here" });
    await there.next("SAID");
    await there.next("SAID");
    expect(Date.now() - begun).toBeLessThan(1_500);
    await far.logged((line) => line.event === "realtime_failed" && line.type === "SAID");
  });

  test("without the app's secret nobody publishes, and without its own it serves nobody", async () => {
    const shut = await worker({ REALTIME_SECRET: "" });
    expect((await post(shut.url, "/publish", {}, "")).status).toBe(401);
    const broken = await worker({ JWT_SECRET: "short" });
    expect(await upgradeStatus(broken.url)).toBe(503);
    const line = await broken.process.logged((each) => each.event === "misconfigured");
    expect(line.bindings).toEqual(["JWT_SECRET"]);
    expect(broken.process.output).not.toContain("short");
  });

  test("health answers without waking the object; everything else is not there", async () => {
    const { url } = await worker();
    expect(await (await fetch(`${url}/health`)).json()).toEqual({
      status: "ok",
      service: "board",
      release: 7,
    });
    expect((await fetch(`${url}/api/tasks`)).status).toBe(404);
  });

  test("a token of another installation is none here", async () => {
    const { url } = await worker({ PUBLIC_URL: "http://other.test", FRONTEND_URL: "http://other.test" });
    const wire = await Wire.open(url);
    wire.send("AUTH", { token: ann.token });
    expect(await wire.closed).toBe(4401);
  });
});
