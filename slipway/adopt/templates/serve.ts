// Serves the built site: files of dist/, _site/, public/ or this folder, whichever is there. Written by `slipway init`.
import { existsSync } from "node:fs";
import { join, normalize } from "node:path";

const root = ["dist", "_site", "public"].find((folder) => existsSync(join(folder, "index.html"))) ?? ".";
const hashed = /[.-][0-9a-zA-Z_-]{8,}\.(?:js|css|woff2|svg|png|jpg|webp)$/;

const server = Bun.serve({
  hostname: process.env.HOST ?? "127.0.0.1",
  port: Number(process.env.PORT ?? 3000),
  async fetch(request) {
    if (request.method !== "GET" && request.method !== "HEAD") return new Response(null, { status: 405 });
    let path = "/";
    try {
      path = normalize(decodeURIComponent(new URL(request.url).pathname));
    } catch {
      return new Response("bad request", { status: 400 });
    }
    if (path.split("/").some((part) => part.startsWith("."))) return new Response("not found", { status: 404 });
    for (const name of [path, join(path, "index.html"), `${path}.html`]) {
      const file = Bun.file(join(root, name));
      if (name.endsWith("/") || !(await file.exists())) continue;
      const cache = hashed.test(name) ? "public, max-age=31536000, immutable" : "no-cache";
      return new Response(file, { headers: { "Cache-Control": cache, "X-Content-Type-Options": "nosniff" } });
    }
    return new Response("not found", { status: 404 });
  },
});

process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
