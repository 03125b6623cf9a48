// Serves the built site: files of dist/, _site/, public/ or this folder, whichever is there. Written by `slipway init`.
import { existsSync } from "node:fs";
import { join, normalize } from "node:path";

const root = ["dist", "_site", "public"].find((folder) => existsSync(join(folder, "index.html"))) ?? ".";
const hashed = /[.-][0-9a-zA-Z_-]{8,}\.(?:js|css|woff2|svg|png|jpg|webp)$/;
const headers = {
  "Referrer-Policy": "strict-origin-when-cross-origin",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "X-XSS-Protection": "0",
};
const policies = new Map<string, string>();

// Scripts run if the page itself holds them or names their host. Handlers in attributes (onclick="…") do not.
function policy(page: string): string {
  const scripts = new Set(["'self'"]);
  for (const [, attributes, text] of page.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi)) {
    const source = /\bsrc\s*=\s*["']?([^"'\s>]+)/i.exec(attributes)?.[1];
    if (source === undefined) {
      const digest = new Bun.CryptoHasher("sha256").update(text.replace(/\r\n?/g, "\n")).digest("base64");
      scripts.add(`'sha256-${digest}'`);
    } else {
      const url = URL.parse(source, "https://own");
      if (url?.protocol === "https:" && url.host !== "own") scripts.add(url.origin);
    }
  }
  return [
    "default-src 'self'",
    `script-src ${[...scripts].join(" ")}`,
    "style-src 'self' 'unsafe-inline' https:",
    "img-src 'self' data: https:",
    "font-src 'self' data: https:",
    "media-src 'self' https:",
    "connect-src 'self' https: wss:",
    "frame-src https:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self' https:",
    "frame-ancestors 'none'",
  ].join("; ");
}

async function policyOf(name: string, page: Bun.BunFile): Promise<string> {
  const known = policies.get(name) ?? policy(await page.text());
  policies.set(name, known);
  return known;
}

function refused(status: number, text: string): Response {
  return new Response(text, { status, headers });
}

const server = Bun.serve({
  hostname: process.env.HOST ?? "127.0.0.1",
  port: Number(process.env.PORT ?? 3000),
  async fetch(request) {
    if (request.method !== "GET" && request.method !== "HEAD") return refused(405, "");
    let path = "/";
    try {
      path = normalize(decodeURIComponent(new URL(request.url).pathname));
    } catch {
      return refused(400, "bad request");
    }
    const hidden = path.split("/").some((part) => part.startsWith(".") && part !== ".well-known");
    if (hidden) return refused(404, "not found");
    for (const name of [path, join(path, "index.html"), `${path}.html`]) {
      const file = Bun.file(join(root, name));
      if (name.endsWith("/") || !(await file.exists())) continue;
      const cache = hashed.test(name) ? "public, max-age=31536000, immutable" : "no-cache";
      const csp = name.endsWith(".html") ? { "Content-Security-Policy": await policyOf(name, file) } : {};
      return new Response(file, { headers: { "Cache-Control": cache, ...headers, ...csp } });
    }
    return refused(404, "not found");
  },
});

process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
