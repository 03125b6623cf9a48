/** An API on Hono and Node, bundled by esbuild: people sign in by JSON and carry a bearer token. */
import { timingSafeEqual } from "node:crypto";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { jwt, sign } from "hono/jwt";
import { logger } from "hono/logger";
import { secureHeaders } from "hono/secure-headers";

const secret = process.env.JWT_SECRET ?? "";
const app = new Hono<{ Variables: { jwtPayload: { sub: string } } }>();

app.use(logger());
app.use(secureHeaders());
app.get("/health", (c) => c.json({ ok: true }));
app.get("/", (c) => c.json({ name: "glass" }));

app.post("/api/sign-in", async (c) => {
  const body = await c.req.json().catch(() => {
    throw new HTTPException(400, { message: "the body is no JSON" });
  });
  if (!same(body?.email, process.env.SMOKE_EMAIL) || !same(body?.password, process.env.SMOKE_PASSWORD)) {
    throw new HTTPException(401, { message: "unknown account or wrong password" });
  }
  const exp = Math.floor(Date.now() / 1000) + 900;
  return c.json({ token: await sign({ sub: body.email, exp }, secret, "HS256") });
});

const signedIn = jwt({ secret, alg: "HS256" });
app.get("/api/me", signedIn, (c) => {
  c.header("Cache-Control", "no-store");
  return c.json({ email: c.get("jwtPayload").sub });
});

function same(given: unknown, wanted = ""): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT) });
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  if ("closeIdleConnections" in server) server.closeIdleConnections();
});
