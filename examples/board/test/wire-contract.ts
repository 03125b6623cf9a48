/** What holds on a socket whatever runtime is behind it. Each runtime's test file brings a way to start it. */
import { describe, expect, test } from "bun:test";
import { type Env, ORIGIN, type Process } from "./app.ts";
import { Person } from "./person.ts";
import { upgradeStatus, Wire } from "./wire.ts";

export interface Runtime {
  name: string;
  /** Where people sign up: the app itself. Its tokens must be good everywhere. */
  app: string;
  start(settings: Env): Promise<Process>;
  /** Headers by which a caller comes from this address, as the runtime's own proxy would set them. */
  from(address: string): Record<string, string>;
  /** And by which our own load test is exempt, where something of ours vouches for it. */
  vouched?: Record<string, string>;
}

/** Limits of number, none of time: a busy machine must not run into one where another is tried. */
const STRICT = {
  WS_MESSAGE_LIMIT: "5",
  WS_CONNECTIONS_PER_IP: "2",
  WS_MAX_PAYLOAD: "1024",
};

let addresses = 0;

export async function holdsTheWireContract({ name, app, start, from, vouched }: Runtime): Promise<void> {
  const [roomy, strict, hasty, silence] = await Promise.all([
    start({ SLIPWAY_HOST: "here" }),
    start(STRICT),
    start({ WS_AUTH_TIMEOUT_MS: "100" }),
    start({ WS_IDLE_TIMEOUT_MS: "1500" }),
  ]);
  const ann = await Person.signUp(app);
  const bob = await Person.signUp(app);
  const elsewhere = () => from(`203.0.113.${++addresses}`);

  describe(`being let in, on ${name}`, () => {
    test("who does not sign in in time is closed with 4401", async () => {
      const wire = await Wire.open(hasty.url, elsewhere());
      expect(await wire.closed).toBe(4401);
    });

    test("a bad token closes with 4401, and a message before AUTH is refused", async () => {
      const wire = await Wire.open(roomy.url);
      wire.send("SAY", { text: "let me in" });
      expect((await wire.next("ERROR")).payload.code).toBe("UNAUTHENTICATED");
      wire.send("AUTH", { token: "not a token" });
      expect(await wire.closed).toBe(4401);
    });

    test("a token with another signature closes with 4401", async () => {
      const wire = await Wire.open(roomy.url);
      const [head, body, signature] = ann.token.split(".") as [string, string, string];
      wire.send("AUTH", { token: [head, body, [...signature].reverse().join("")].join(".") });
      expect(await wire.closed).toBe(4401);
    });

    test("AUTH and the first message may come in one breath", async () => {
      const wire = await Wire.open(roomy.url);
      wire.send("AUTH", { token: ann.token });
      wire.send("PING", { n: 1 });
      expect((await wire.next("PONG")).payload.n).toBe(1);
    });

    test("a stranger hears nothing of the board", async () => {
      const stranger = await Wire.open(roomy.url);
      const speaker = await ann.connect(roomy.url);
      speaker.send("SAY", { text: "among us" });
      await speaker.next("SAID");
      await Bun.sleep(50);
      expect(stranger.received).toEqual([]);
    });

    test("only our own pages may connect from a browser, and only to a socket", async () => {
      expect(await upgradeStatus(roomy.url, { origin: ORIGIN })).toBe(101);
      expect(await upgradeStatus(roomy.url)).toBe(101);
      for (const origin of ["https://evil.example", "null", `${ORIGIN}:81`]) {
        expect(await upgradeStatus(roomy.url, { origin })).toBe(403);
      }
      expect((await fetch(`${roomy.url}/ws`)).status).toBe(426);
    });

    test("an address may have so many sockets; a closed one makes room", async () => {
      const address = elsewhere();
      const first = await ann.connect(strict.url, address);
      await ann.connect(strict.url, address);
      expect(await upgradeStatus(strict.url, address)).toBe(429);
      expect(await upgradeStatus(strict.url, elsewhere())).toBe(101);
      if (vouched) expect(await upgradeStatus(strict.url, { ...address, ...vouched })).toBe(101);
      first.close();
      await first.closed;
      // The server hears of the close a moment after the client.
      const deadline = Date.now() + 5_000;
      let status = await upgradeStatus(strict.url, address);
      while (status === 429 && Date.now() < deadline) {
        await Bun.sleep(50);
        status = await upgradeStatus(strict.url, address);
      }
      expect(status).toBe(101);
    });
  });

  describe(`once in, on ${name}`, () => {
    test("what one says both hear, once, and the speaker too", async () => {
      const [here, there] = [await ann.connect(roomy.url), await bob.connect(roomy.url)];
      here.send("SAY", { text: "hello" });
      for (const wire of [here, there]) {
        const { payload } = await wire.next("SAID");
        expect(payload).toEqual({ text: "hello", from: ann.id, name: "Pat", host: "here" });
      }
      await Bun.sleep(100);
      expect(there.received.filter((message) => message.type === "SAID")).toEqual([]);
    });

    test("messages arrive in the order in which they were said", async () => {
      const [here, there] = [await ann.connect(roomy.url), await bob.connect(roomy.url)];
      for (let i = 0; i < 50; i++) here.send("SAY", { text: String(i) });
      const heard: string[] = [];
      while (heard.length < 50) heard.push((await there.next("SAID")).payload.text);
      expect(heard).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
    });

    test("an echo tells which host and release answers", async () => {
      const wire = await ann.connect(roomy.url);
      for (const n of [0, 42]) {
        wire.send("PING", { n });
        expect((await wire.next("PONG")).payload).toEqual({ n, host: "here", release: 7 });
      }
    });

    test("too many messages are answered with when to try again, counted per user over all sockets", async () => {
      const dave = await Person.signUp(app);
      const wires = [
        await dave.connect(strict.url, elsewhere()),
        await dave.connect(strict.url, elsewhere()),
      ];
      for (let i = 1; i <= 6; i++) for (const wire of wires) wire.send("PING", { n: i });
      for (const wire of wires) {
        const { payload } = await wire.next("ERROR");
        expect(payload).toMatchObject({ code: "RESOURCE_EXHAUSTED", retryable: true });
        expect(payload.retryAfterMs).toBeWithin(1, 60_001);
      }
      const pongs = wires.flatMap((wire) => wire.received.filter((message) => message.type === "PONG"));
      expect(pongs.length).toBeLessThan(6);
    });

    test("nonsense is refused and the socket lives on", async () => {
      const wire = await ann.connect(roomy.url);
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

    test("a payload over the cap closes with 1009, counted in bytes", async () => {
      for (const text of ["x".repeat(2000), "€".repeat(400)]) {
        const wire = await ann.connect(strict.url, elsewhere());
        wire.send("SAY", { text });
        expect(await wire.closed).toBe(1009);
      }
    });

    test("whoever falls silent is closed, and whoever speaks is not", async () => {
      const silent = await ann.connect(silence.url);
      const [speaking, beating] = [await bob.connect(silence.url), await bob.connect(silence.url)];
      let closed = false;
      for (const wire of [speaking, beating])
        wire.closed.then(() => {
          closed = true;
        });
      for (let i = 1; i <= 8; i++) {
        await Bun.sleep(300);
        speaking.send("PING", { n: i });
        beating.send("PING", { n: 0 });
      }
      expect(closed).toBe(false);
      expect(await silent.closed).toBe(1000);
    });

    test("connect, message and disconnect are logged, without what was said", async () => {
      const wire = await ann.connect(roomy.url);
      wire.send("SAY", { text: "between you and me" });
      await wire.next("SAID");
      wire.close();
      expect(await wire.closed).toBe(1000);
      const { clientId } = await roomy.logged((line) => line.event === "ws_message" && line.type === "SAY");
      expect(clientId).toBeTruthy();
      await roomy.logged((line) => line.event === "ws_connect" && line.clientId === clientId);
      await roomy.logged(
        (line) => line.event === "ws_disconnect" && line.userId === ann.id && line.code === 1000,
      );
      expect(roomy.output).not.toContain("between you and me");
      expect(roomy.output).not.toContain(ann.token);
    });
  });
}
