/** CORS: one origin, spelled out, with credentials. Any other gets no header at all, and its browser refuses. */

const METHODS = "GET, POST, PATCH, DELETE";
const REQUEST_HEADERS = "Authorization, Content-Type, X-Request-Id";
const EXPOSED = "X-Request-Id, X-Release, Retry-After";

export function cors(frontend: string) {
  return (request: Request, headers: Headers): void => {
    headers.append("vary", "Origin");
    if (request.headers.get("origin") !== frontend) return;
    headers.set("access-control-allow-origin", frontend);
    headers.set("access-control-allow-credentials", "true");
    headers.set("access-control-expose-headers", EXPOSED);
    if (!isPreflight(request)) return;
    headers.set("access-control-allow-methods", METHODS);
    headers.set("access-control-allow-headers", REQUEST_HEADERS);
    headers.set("access-control-max-age", "600");
  };
}

export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}
