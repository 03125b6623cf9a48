import { describe, expect, test } from "bun:test";
import { ORIGIN } from "./app.ts";
import { Person, request } from "./person.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const web = await board.web({ SLIPWAY_HOST: "web1" });
const get = (path: string, headers = {}) => request(web.url, "GET", path, undefined, headers);

describe("what an operator asks", () => {
  test("health says what runs and for how long", async () => {
    expect((await get("/health")).body).toMatchObject({
      status: "ok",
      version: "1.0.0",
      release: 7,
      build: "b7",
    });
    expect(Object.keys((await get("/health")).body).sort()).toEqual([
      "build",
      "release",
      "status",
      "timestamp",
      "uptime",
      "version",
    ]);
  });

  test("readiness names each thing it needs", async () => {
    const { status, body } = await get("/ready");
    expect(status).toBe(200);
    expect(body).toEqual({
      status: "ready",
      checks: { database: true, redis: true, queue: true, draining: false },
    });
  });

  test("metrics count requests and sockets, and show the backlog", async () => {
    await get("/api/public/summary");
    const { body } = await get("/metrics");
    expect(body).toMatch(/board_http_requests_total\{method="GET",status="200"\} [1-9]/);
    expect(body).toContain("board_websockets_open 0");
    expect(body).toContain('board_queue_jobs{state="waiting"} 0');
    expect(body).toContain('board_outbox_rows{state="dead"} 0');
    expect(body).toContain("board_outbox_oldest_seconds 0");
    expect(body).toContain("board_jobs_done_total 0");
    expect(body).toMatch(/board_http_request_duration_seconds_bucket\{le="\+Inf"\} [1-9]/);
  });
});

describe("every response", () => {
  test.each(["/", "/health", "/api/me", "/nothing-here"])("%s carries the security headers", async (path) => {
    const { headers } = await get(path);
    expect(headers.get("strict-transport-security")).toBe("max-age=31536000; includeSubDomains");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("x-xss-protection")).toBe("0");
    expect(headers.get("referrer-policy")).toBeTruthy();
    expect(headers.get("content-security-policy")).toContain(
      "default-src 'none'; script-src 'self'; style-src 'self'",
    );
    expect(headers.get("content-security-policy")).not.toContain("unsafe");
    expect(headers.get("x-served-by")).toBe("web1");
    expect(headers.get("x-release")).toBe("7+b7");
  });

  test("keeps a well-formed request id, and replaces any other", async () => {
    const own = "abc-12345678";
    expect((await get("/health", { "x-request-id": own })).headers.get("x-request-id")).toBe(own);
    for (const bad of ["x", "a b c d e f g h i", `${"a".repeat(65)}`, '"}{"event":"forged']) {
      const given = (await get("/health", { "x-request-id": bad })).headers.get("x-request-id");
      expect(given).not.toBe(bad);
      expect(given).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("allows the one frontend's origin, with credentials, and no other", async () => {
    const ours = await get("/health", { origin: ORIGIN });
    expect(ours.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(ours.headers.get("access-control-allow-credentials")).toBe("true");
    for (const origin of ["https://evil.example", `${ORIGIN}.evil.example`, "null"]) {
      const { headers } = await get("/health", { origin });
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("access-control-allow-credentials")).toBeNull();
    }
    const preflight = { "access-control-request-method": "PATCH" };
    const answer = await request(web.url, "OPTIONS", "/api/tasks", undefined, {
      origin: ORIGIN,
      ...preflight,
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-methods")).toContain("PATCH");
  });
});

describe("what is not there, or not right", () => {
  test.each([
    "/swagger",
    "/openapi",
    "/docs",
    "/api/nope",
    "/assets/main.js.map",
    "/assets/../package.json",
    "/.env",
  ])("%s is a 404 in JSON", async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body.error.code).toBe("NOT_FOUND");
    expect(body.error.requestId).toBeTruthy();
  });

  test("a body over the limit is 413, announced or not", async () => {
    const ann = await Person.signUp(web.url);
    const headers = { authorization: `Bearer ${ann.token}`, "content-type": "application/json" };
    const post = (body: string | ReadableStream) =>
      fetch(`${web.url}/api/tasks`, { method: "POST", body, headers });
    expect((await post("x".repeat(1024 * 1024 + 1))).status).toBe(413);
    const chunks = async function* () {
      for (let i = 0; i < 20; i++) yield new Uint8Array(64 * 1024 + 1);
    };
    expect((await post(new ReadableStream({ pull: feed(chunks()) }))).status).toBe(413);
  });

  test("what cannot be parsed is 400, what does not fit is 422", async () => {
    const ann = await Person.signUp(web.url);
    const headers = { authorization: `Bearer ${ann.token}`, "content-type": "application/json" };
    expect((await fetch(`${web.url}/api/tasks`, { method: "POST", body: "{", headers })).status).toBe(400);
    expect((await ann.call("POST", "/api/tasks", { title: "" })).status).toBe(422);
    expect((await ann.call("POST", "/api/tasks", { title: "x", owner: "someone else" })).status).toBe(422);
  });

  test("an unexpected error tells a request id and nothing else, and is logged under it", async () => {
    const ann = await Person.signUp(web.url);
    await board.sql`ALTER TABLE tasks RENAME TO elsewhere`;
    try {
      const { status, body } = await ann.call("GET", "/api/tasks", undefined, {
        "x-request-id": "forced-error-1",
      });
      expect(status).toBe(500);
      expect(body).toEqual({ error: { code: "INTERNAL", requestId: "forced-error-1" } });
      const line = await web.logged(
        (l) => l.event === "unexpected_error" && l.requestId === "forced-error-1",
      );
      expect(line).toMatchObject({ level: "error", service: "board", release: 7, code: "42P01" });
    } finally {
      await board.sql`ALTER TABLE elsewhere RENAME TO tasks`;
    }
  });
});

test("an unexpected error is reported to the error tracker, with its request id and without what was sent", async () => {
  const reported: string[] = [];
  const tracker = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(report) {
      reported.push(`${new URL(report.url).pathname}\n${await report.text()}`);
      return new Response();
    },
  });
  const tracked = await board.web({ SENTRY_DSN: `http://public-key@127.0.0.1:${tracker.port}/42` });
  const ann = await Person.signUp(tracked.url);
  await board.sql`ALTER TABLE tasks RENAME TO elsewhere`;
  try {
    await ann.call("POST", "/api/tasks", { title: "A private matter" }, { "x-request-id": "forced-error-2" });
    for (let i = 0; !reported.length && i < 100; i++) await Bun.sleep(20);
  } finally {
    await board.sql`ALTER TABLE elsewhere RENAME TO tasks`;
    tracker.stop(true);
  }
  expect(reported).toHaveLength(1);
  expect(reported[0]).toStartWith("/api/42/envelope/");
  expect(reported[0]).toContain("forced-error-2");
  for (const secret of ["private matter", ann.token, ann.email]) expect(reported[0]).not.toContain(secret);
});

test("the page comes without inline script or style, and is asked for again by its tag", async () => {
  const { status, body, headers } = await get("/");
  expect(status).toBe(200);
  expect(body).not.toMatch(/<style|style=|<script(?![^>]*src=)|onclick=/);
  expect((await get("/", { "if-none-match": headers.get("etag") as string })).status).toBe(304);
  expect((await get("/assets/main.js")).headers.get("content-type")).toContain("javascript");
});

function feed(chunks: AsyncGenerator<Uint8Array>) {
  return async (controller: ReadableStreamDefaultController) => {
    const { value, done } = await chunks.next();
    if (done) controller.close();
    else controller.enqueue(value);
  };
}
