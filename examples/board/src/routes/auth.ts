/** Signing up, in, on and out. The access token is for the page's memory; the refresh token never leaves its cookie. */
import { type Cookie, Elysia } from "elysia";
import { z } from "zod";
import { closeSession, continueSession, openSession } from "../auth/sessions.ts";
import { ACCESS_SECONDS, REFRESH_SECONDS, type Tokens } from "../auth/tokens.ts";
import { authenticate, createUser, type User } from "../auth/users.ts";
import { audit } from "../board/audit.ts";
import { text } from "../board/text.ts";
import type { WebEnv } from "../env.ts";
import { contextOf } from "../http/context.ts";
import { forbidden, Problem, unauthorized } from "../http/problem.ts";
import { sameSecret } from "../http/secret.ts";
import type { Limiter } from "../limits.ts";
import type { Services } from "../services.ts";

const Credentials = z.strictObject({ email: z.email().max(254), password: z.string().min(1).max(200) });
const Registration = z.strictObject({
  email: z.email().max(254),
  password: z.string().min(12).max(200),
  name: text().min(1).max(80),
});
const SignedIn = z.object({ accessToken: z.string(), expiresIn: z.number() });

/**
 * Guesses at one account within a minute, from wherever they come. A device that has signed in to it before is counted
 * by itself: else whoever guesses would lock its owner out.
 */
const SIGN_IN_ATTEMPTS = 10;
const COOKIE = "refresh";
const DEVICE = "device";
const DEVICE_SECONDS = 180 * 24 * 3600;

export function authRoutes(env: WebEnv, { sql }: Services, parts: { tokens: Tokens; limiter: Limiter }) {
  const { tokens, limiter } = parts;
  const ownOrigins = new Set([env.PUBLIC_URL, env.FRONTEND_URL]);

  const begin = async (user: User, cookie: Cookie<unknown>) =>
    handOut(user, await openSession(sql, user.id), cookie);

  const handOut = async (user: User, session: string, cookie: Cookie<unknown>) => {
    cookie.set({
      value: await tokens.refresh(session),
      httpOnly: true,
      secure: true,
      sameSite: "lax",
      // Sent to the three routes that need it, and to nothing else.
      path: "/api/auth",
      maxAge: REFRESH_SECONDS,
    });
    return { accessToken: await tokens.access(user), expiresIn: ACCESS_SECONDS };
  };

  /** SameSite keeps the cookie from other sites; this keeps it from our own sub-domains' pages too. */
  const sameOrigin = (request: Request) => {
    const origin = request.headers.get("origin");
    if (origin !== null && !ownOrigins.has(origin)) throw forbidden("this origin may not use the session");
  };

  return new Elysia({ prefix: "/api/auth" })
    .post(
      "/sign-up",
      async ({ body, cookie, request, status }) => {
        const user = await createUser(sql, body.email, body.name, body.password);
        if (!user) throw new Problem(409, "ALREADY_EXISTS", "this address cannot be used");
        await audit(
          sql,
          { actorId: user.id, requestId: contextOf(request).requestId },
          "user.sign-up",
          user.id,
        );
        return status(201, await begin(user, cookie[COOKIE] as Cookie<unknown>));
      },
      { body: Registration, response: { 201: SignedIn } },
    )
    .post(
      "/sign-in",
      async ({ body, cookie, request }) => {
        const { client, requestId } = contextOf(request);
        const device = knownDevice(body.email, cookie[DEVICE]?.value);
        const guessing = device ? `sign-in-device:${device}` : guessesAt(body.email);
        if (!client.loadTest) await refuse(guessing);
        const user = await authenticate(sql, body.email, body.password);
        // The same words for a wrong address and a wrong password.
        if (!user) throw new Problem(401, "UNAUTHORIZED", "address or password is wrong");
        // Whoever knows the password does not guess: what counts is failures in a row.
        await limiter.forget(guessing);
        if (!device) remember(body.email, cookie[DEVICE] as Cookie<unknown>);
        await audit(sql, { actorId: user.id, requestId }, "user.sign-in", user.id);
        return begin(user, cookie[COOKIE] as Cookie<unknown>);
      },
      { body: Credentials, response: SignedIn },
    )
    .post(
      "/refresh",
      async ({ cookie, request }) => {
        sameOrigin(request);
        const session = await tokens.readRefresh(String(cookie[COOKIE]?.value ?? ""));
        const going = session && (await continueSession(sql, session));
        if (!going) throw unauthorized();
        return handOut(going.user, going.session, cookie[COOKIE] as Cookie<unknown>);
      },
      { response: SignedIn },
    )
    .post("/sign-out", async ({ cookie, request, set }) => {
      sameOrigin(request);
      const session = await tokens.readRefresh(String(cookie[COOKIE]?.value ?? ""));
      if (session) await closeSession(sql, session);
      cookie[COOKIE]?.set({
        value: "",
        httpOnly: true,
        secure: true,
        sameSite: "lax",
        path: "/api/auth",
        maxAge: 0,
      });
      set.status = 204;
    });

  /** By a digest, so that no address lands in Redis. */
  function guessesAt(email: string): string {
    return `sign-in:${new Bun.CryptoHasher("sha256", env.JWT_SECRET).update(email.toLowerCase()).digest("hex")}`;
  }

  /** The device's own name, if the cookie is one that a sign-in to this account has set. */
  function knownDevice(email: string, value: unknown): string | null {
    const [name = "", mac = ""] = String(value ?? "").split(".");
    return name && sameSecret(mac, deviceMac(email, name)) ? name : null;
  }

  function remember(email: string, cookie: Cookie<unknown>): void {
    const name = crypto.randomUUID();
    cookie.set({
      value: `${name}.${deviceMac(email, name)}`,
      httpOnly: true,
      secure: true,
      sameSite: "lax",
      path: "/api/auth",
      maxAge: DEVICE_SECONDS,
    });
  }

  function deviceMac(email: string, name: string): string {
    const text = `device:${name}:${email.toLowerCase()}`;
    return new Bun.CryptoHasher("sha256", env.JWT_SECRET).update(text).digest("hex");
  }

  async function refuse(guessing: string): Promise<void> {
    const { allowed, retryAfterMs } = await limiter.hit(guessing, SIGN_IN_ATTEMPTS);
    if (!allowed) throw tooMany(retryAfterMs);
  }
}

const tooMany = (retryAfterMs: number) =>
  new Problem(429, "RESOURCE_EXHAUSTED", "too many attempts", {
    "retry-after": String(Math.ceil(retryAfterMs / 1000)),
  });
