/** Hono on Bun, which serves what the module exports. */
import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";

const app = new Hono();
app.use(secureHeaders());
app.get("/", (c) => c.text("links"));
app.get("/healthz", (c) => c.text("ok"));

export default { hostname: process.env.HOST, port: process.env.PORT, fetch: app.fetch };
