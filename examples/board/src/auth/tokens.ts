/** The two tokens: a short-lived access token for the API, a long-lived refresh token for the cookie. */
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { WebEnv } from "../env.ts";
import type { User } from "./users.ts";

export const ACCESS_SECONDS = 15 * 60;
export const REFRESH_SECONDS = 14 * 24 * 3600;

/**
 * What an access token says. The role is as old as the token: what only an admin may do looks it up again. `expires`:
 * when, in seconds since 1970.
 */
export type Identity = User & { expires: number };

export interface Tokens {
  access(user: User): Promise<string>;
  refresh(sessionId: string): Promise<string>;
  /** Null for anything but a valid, unexpired token of ours. */
  readAccess(token: string): Promise<Identity | null>;
  readRefresh(token: string): Promise<string | null>;
}

const AccessClaims = z.object({
  sub: z.uuid(),
  name: z.string(),
  role: z.enum(["member", "admin"]),
  exp: z.number(),
});
/** What it takes to read an access token: also where no other secret of the app is. */
export type AccessEnv = Pick<WebEnv, "JWT_SECRET" | "PUBLIC_URL" | "SERVICE_NAME">;
const RefreshClaims = z.object({ sid: z.uuid() });

export function createTokens(env: WebEnv): Tokens {
  const accessKey = new TextEncoder().encode(env.JWT_SECRET);
  const refreshKey = new TextEncoder().encode(env.JWT_REFRESH_SECRET);
  const who = parties(env);

  const sign = (claims: Record<string, string>, key: Uint8Array, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(who.issuer)
      .setAudience(who.audience)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(key);

  return {
    access: (user) => sign({ sub: user.id, name: user.name, role: user.role }, accessKey, ACCESS_SECONDS),
    refresh: (sid) => sign({ sid }, refreshKey, REFRESH_SECONDS),
    ...createAccessReader(env),
    async readRefresh(token) {
      return (await read(token, refreshKey, who, RefreshClaims))?.sid ?? null;
    },
  };
}

export function createAccessReader(env: AccessEnv): Pick<Tokens, "readAccess"> {
  const key = new TextEncoder().encode(env.JWT_SECRET);
  return {
    async readAccess(token) {
      const claims = await read(token, key, parties(env), AccessClaims);
      return claims && { id: claims.sub, name: claims.name, role: claims.role, expires: claims.exp };
    },
  };
}

const parties = (env: AccessEnv) => ({ issuer: env.PUBLIC_URL, audience: env.SERVICE_NAME });

async function read<T>(
  token: string,
  key: Uint8Array,
  who: ReturnType<typeof parties>,
  claims: z.ZodType<T>,
): Promise<T | null> {
  try {
    // The algorithm is pinned: a token must not choose how it is verified.
    const { payload } = await jwtVerify(token, key, { ...who, algorithms: ["HS256"] });
    return claims.safeParse(payload).data ?? null;
  } catch {
    return null;
  }
}
