import { describe, expect, test } from "bun:test";
import { Person, request } from "./person.ts";
import { newBoard } from "./world.ts";

const board = await newBoard({ RATE_LIMIT_REQUESTS: "5" });
const [one, two] = await Promise.all([board.web(), board.web()]);

let addresses = 0;
/** A caller's own address, as our proxy appends it. */
const from = () => `203.0.113.${++addresses}`;
const summary = (url: string, headers: Record<string, string>) =>
  request(url, "GET", "/api/public/summary", undefined, headers);

async function statuses(times: number, ask: (i: number) => Promise<{ status: number }>): Promise<number[]> {
  const answers: number[] = [];
  for (let i = 0; i < times; i++) answers.push((await ask(i)).status);
  return answers;
}

describe("the request limit", () => {
  test("answers 429 with Retry-After in JSON, on whichever host", async () => {
    const headers = { "x-forwarded-for": from() };
    expect(await statuses(5, (i) => summary(i % 2 ? one.url : two.url, headers))).toEqual(Array(5).fill(200));
    for (const { url } of [one, two]) {
      const refused = await summary(url, headers);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get("retry-after"))).toBeWithin(1, 61);
      expect(refused.body.error.code).toBe("RESOURCE_EXHAUSTED");
    }
  });

  test("counts by the entry that our proxy appended: what the caller put before it gains nothing", async () => {
    const real = from();
    const rotating = (i: number) => summary(one.url, { "x-forwarded-for": `192.0.2.${i}, ${real}` });
    expect((await statuses(8, rotating)).slice(5)).toEqual([429, 429, 429]);
  });

  test("counts a user as one, wherever he calls from, and an address without him apart", async () => {
    const ann = await Person.signUp(one.url);
    const answers = await statuses(7, () =>
      ann.call("GET", "/api/tasks", undefined, { "x-forwarded-for": from() }),
    );
    expect(answers.at(-1)).toBe(429);
    expect((await summary(one.url, { "x-forwarded-for": from() })).status).toBe(200);
  });

  test("spares our own load test, when our edge vouches for it", async () => {
    const vouched = { "x-forwarded-for": from(), "x-load-test": "verified" };
    expect(await statuses(8, () => summary(one.url, vouched))).toEqual(Array(8).fill(200));
    // Straight to the app, past the proxy, the header is worth nothing.
    const direct = await statuses(8, () => summary(two.url, { "x-load-test": "verified" }));
    expect(direct).toContain(429);
  });

  test("spares health, readiness and metrics", async () => {
    const headers = { "x-forwarded-for": from() };
    expect(await statuses(8, () => request(one.url, "GET", "/health", undefined, headers))).toEqual(
      Array(8).fill(200),
    );
  });
});
