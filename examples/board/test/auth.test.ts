import { describe, expect, test } from "bun:test";
import { SignJWT } from "jose";
import { ORIGIN, run } from "./app.ts";
import { type Answer, Person, request } from "./person.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const web = await board.web();
const ann = await Person.signUp(web.url);

describe("signing in", () => {
  test("gives an access token in the body and a refresh token in a cookie that no script sees", async () => {
    const answer = await request(web.url, "POST", "/api/auth/sign-in", {
      email: ann.email,
      password: ann.password,
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ accessToken: expect.any(String), expiresIn: 900 });
    const cookie = answer.headers.getSetCookie().find((each) => each.startsWith("refresh=")) ?? "";
    for (const attribute of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/api/auth"]) {
      expect(cookie).toContain(attribute);
    }
  });

  test("says the same for a wrong password and an unknown address", async () => {
    const wrong = await request(web.url, "POST", "/api/auth/sign-in", {
      email: ann.email,
      password: "wrong",
    });
    const unknown = await request(web.url, "POST", "/api/auth/sign-in", {
      email: "no@board.example",
      password: "wrong",
    });
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect(wrong.body.error.message).toBe(unknown.body.error.message);
  });

  test("stops a guesser who changes address, by the account", async () => {
    const bob = await Person.signUp(web.url);
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const from = { "x-forwarded-for": `198.51.100.${i}` };
      const guess = { email: bob.email, password: `guess ${i}` };
      statuses.push((await request(web.url, "POST", "/api/auth/sign-in", guess, from)).status);
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses.slice(10)).toEqual([429, 429]);
  });

  test("exploit: a guesser locks no one out of a device that has signed in before", async () => {
    const bob = await Person.signUp(web.url);
    const right = { email: bob.email, password: bob.password };
    const wrong = { email: bob.email, password: "guess" };
    const signIn = async (body: object, cookie = "") =>
      request(web.url, "POST", "/api/auth/sign-in", body, cookie ? { cookie } : {});
    const before = await signIn(right);
    const device =
      before.headers
        .getSetCookie()
        .find((each) => each.startsWith("device="))
        ?.split(";")[0] ?? "";
    for (let i = 0; i < 12; i++) await signIn(wrong);
    expect((await signIn(right)).status).toBe(429);
    expect((await signIn(right, device)).status).toBe(200);
    // It is no way around the limit: not for this account, and not for another.
    const guesses = await Promise.all(Array.from({ length: 12 }, () => signIn(wrong, device)));
    expect(guesses.filter(({ status }) => status === 429)).toHaveLength(2);
    const eve = await Person.signUp(web.url);
    for (let i = 0; i < 10; i++) await signIn({ email: eve.email, password: "guess" }, device);
    expect((await signIn({ email: eve.email, password: eve.password }, device)).status).toBe(429);
  });

  test("an address can be taken once, however it is spelled", async () => {
    const again = { email: ann.email.toUpperCase(), password: "long enough to be one", name: "Not Ann" };
    expect((await request(web.url, "POST", "/api/auth/sign-up", again)).status).toBe(409);
  });
});

describe("the session", () => {
  const refresh = (headers: Record<string, string>) =>
    request(web.url, "POST", "/api/auth/refresh", undefined, headers);

  const cookieOf = (answer: Answer) => answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";

  test("goes on with the cookie, and only with it", async () => {
    const dan = await Person.signUp(web.url);
    expect((await refresh({ cookie: dan.cookie })).status).toBe(200);
    expect((await refresh({})).status).toBe(401);
    // An access token is no refresh token.
    expect((await refresh({ cookie: `refresh=${ann.token}` })).status).toBe(401);
  });

  test("goes on by another cookie each time, and the one before is worth nothing", async () => {
    const eve = await Person.signUp(web.url);
    const second = cookieOf(await refresh({ cookie: eve.cookie }));
    expect(second).not.toBe(eve.cookie);
    expect((await refresh({ cookie: eve.cookie })).status).toBe(401);
    expect((await refresh({ cookie: second })).status).toBe(200);
  });

  test("does not go on for another origin's page", async () => {
    const fay = await Person.signUp(web.url);
    expect((await refresh({ cookie: fay.cookie, origin: "https://evil.example" })).status).toBe(403);
    expect((await refresh({ cookie: fay.cookie, origin: ORIGIN })).status).toBe(200);
  });

  test("ends on the server when someone signs out", async () => {
    const bob = await Person.signUp(web.url);
    await request(web.url, "POST", "/api/auth/sign-out", undefined, { cookie: bob.cookie });
    expect((await refresh({ cookie: bob.cookie })).status).toBe(401);
  });
});

describe("authority", () => {
  test.each(["/api/me", "/api/tasks", "/api/notifications", "/api/admin/audit"])(
    "%s is 401 for strangers",
    async (path) => {
      const { status, headers } = await request(web.url, "GET", path);
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toBe("Bearer");
    },
  );

  test("a token by another key, of another kind or expired is no token", async () => {
    const sign = (key: string, claims: object, alg = "HS256", seconds = 60) =>
      new SignJWT({ sub: ann.id, name: "Ann", role: "admin", ...claims })
        .setProtectedHeader({ alg })
        .setIssuer(ORIGIN)
        .setAudience("board")
        .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
        .sign(new TextEncoder().encode(key));
    const secret = board.env.JWT_SECRET as string;
    const status = async (token: string) =>
      (await request(web.url, "GET", "/api/tasks", undefined, { authorization: `Bearer ${token}` })).status;
    // The first proves that the others fail for their own reason.
    expect(await status(await sign(secret, {}))).toBe(200);
    expect(await status(await sign("another-secret-that-is-long-enough-to-use", {}))).toBe(401);
    expect(await status(await sign(secret, {}, "HS512"))).toBe(401);
    expect(await status(await sign(secret, {}, "HS256", -10))).toBe(401);
    expect(await status(await sign(secret, { role: "root" }))).toBe(401);
    const [, claims] = (await sign(secret, {})).split(".");
    expect(await status(`${btoa('{"alg":"none"}').replaceAll("=", "")}.${claims}.`)).toBe(401);
  });

  test("a member may not read the audit; an admin may, from the moment of becoming one until no longer being one", async () => {
    const audit = async () => (await ann.call("GET", "/api/admin/audit")).status;
    const setRole = (role: string) =>
      run("task", ["users.set-role", "--input", JSON.stringify({ email: ann.email, role })], board.env);
    expect(await audit()).toBe(403);
    expect((await setRole("admin")).exitCode).toBe(0);
    expect(await audit()).toBe(200);
    await setRole("member");
    expect(await audit()).toBe(403);
  });

  test("only its owner removes a task", async () => {
    const bob = await Person.signUp(web.url);
    const { body } = await ann.call("POST", "/api/tasks", { title: "Ann's" });
    expect((await bob.call("DELETE", `/api/tasks/${body.id}`)).status).toBe(403);
    expect((await ann.call("DELETE", `/api/tasks/${body.id}`)).status).toBe(204);
    expect((await ann.call("DELETE", `/api/tasks/${body.id}`)).status).toBe(404);
  });
});

test("the audit trail has actors and ids, and no bodies", async () => {
  const { body } = await ann.call(
    "POST",
    "/api/tasks",
    { title: "A private matter" },
    { "x-request-id": "audited-1" },
  );
  const rows = await board.sql`SELECT * FROM audit WHERE request_id = 'audited-1'`;
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ actor_id: ann.id, action: "task.create", subject_id: body.id });
  expect(JSON.stringify(rows)).not.toContain("private matter");
});

test("no password, token, cookie or address is in the log, and every line is JSON with the fields to find it by", () => {
  expect(web.log.length).toBeGreaterThan(20);
  for (const line of web.log) {
    expect(line).toMatchObject({
      service: "board",
      release: 7,
      event: expect.any(String),
      level: expect.any(String),
    });
    expect(line.ts).toMatch(/^\d{4}-\d\d-\d\dT/);
    if (line.event === "http_request") expect(line.requestId).toBeTruthy();
  }
  const secrets = [
    ann.password,
    ann.token,
    ann.cookie,
    ann.email,
    board.env.JWT_SECRET,
    board.env.DATABASE_URL,
  ];
  for (const secret of secrets) expect(web.output).not.toContain(secret as string);
});
