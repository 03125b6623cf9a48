/** The web page: a handful of static files, read once at start. A CDN in front may serve them instead. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const PUBLIC_DIR = join(import.meta.dir, "../../public");

interface File {
  body: Uint8Array<ArrayBuffer>;
  type: string;
  etag: string;
}

/** The file that a path names, or null. Only what was there at start can be named: no path is ever put together. */
export async function loadPage(): Promise<(request: Request, path: string) => Response | null> {
  const files = new Map<string, File>();
  for (const name of readdirSync(PUBLIC_DIR)) {
    const file = Bun.file(join(PUBLIC_DIR, name));
    const body = await file.bytes();
    const etag = `"${Bun.hash(body).toString(36)}"`;
    files.set(name === "index.html" ? "/" : `/assets/${name}`, { body, type: file.type, etag });
  }

  return (request, path) => {
    const file = files.get(path);
    if (!file || (request.method !== "GET" && request.method !== "HEAD")) return null;
    // Asked for each time and answered with 304: a release must not leave an old script with a new page.
    const headers = { etag: file.etag, "content-type": file.type, "cache-control": "no-cache" };
    if (request.headers.get("if-none-match") === file.etag)
      return new Response(null, { status: 304, headers });
    return new Response(request.method === "HEAD" ? null : file.body, { headers });
  };
}
