/** From a request to its response: identity, limits, routes, headers, one log line. */
import type { Server } from "bun";
import type { WebEnv } from "../env.ts";
import { errorFields } from "../log.ts";
import type { Services } from "../services.ts";
import { WS_PATH } from "../ws/server.ts";
import type { SocketData } from "../ws/sockets.ts";
import { type ApiParts, createApi } from "./api.ts";
import { identifyClient } from "./client.ts";
import { attachContext, type RequestContext, requestIdOf } from "./context.ts";
import { isPreflight } from "./cors.ts";
import { finisher } from "./headers.ts";
import { loadPage } from "./page.ts";
import { Problem, problemResponse, unexpectedResponse } from "./problem.ts";

/** Asked for every second by machines of ours: neither limited nor logged. */
const PROBES = new Set(["/health", "/ready", "/metrics"]);

export async function createServe(env: WebEnv, services: Services, parts: ApiParts) {
  const { log } = services;
  const { board, tokens, limiter, metrics, lifecycle } = parts;
  const api = createApi(env, services, parts);
  const page = await loadPage();
  const finish = finisher(env);

  return async function serve(request: Request, server: Server<SocketData>): Promise<Response | undefined> {
    const started = performance.now();
    const { pathname } = new URL(request.url);
    const requestId = requestIdOf(request);
    const bearer = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const context: RequestContext = {
      requestId,
      client: identifyClient(request, server, env.TRUSTED_PROXY_HOPS),
      user: bearer ? await tokens.readAccess(bearer) : null,
    };
    attachContext(request, context);

    const response = await lifecycle.track(() =>
      answer(request, server, pathname, context).catch((error) => {
        if (error instanceof Problem) return problemResponse(error, requestId);
        log.error({ event: "unexpected_error", requestId, ...errorFields(error) });
        return unexpectedResponse(requestId);
      }),
    );
    // Upgraded: the socket has its own log lines.
    if (!response) return undefined;

    const ms = performance.now() - started;
    metrics.request(request.method, response.status, ms / 1000);
    if (!PROBES.has(pathname)) {
      const { status } = response;
      const line = { event: "http_request", requestId, method: request.method, path: pathname, status };
      log.info({ ...line, ms: Math.round(ms * 10) / 10, userId: context.user?.id });
    }
    if (lifecycle.draining) response.headers.set("connection", "close");
    return finish(response, request, requestId);
  };

  async function answer(
    request: Request,
    server: Server<SocketData>,
    path: string,
    context: RequestContext,
  ): Promise<Response | undefined> {
    if (isPreflight(request)) return new Response(null, { status: 204 });
    if (path === WS_PATH) {
      if (lifecycle.draining)
        throw new Problem(503, "UNAVAILABLE", "this host is leaving", { "retry-after": "1" });
      return board.upgrade(request, server);
    }
    const file = page(request, path);
    if (file) return file;
    if (!PROBES.has(path)) await limit(context);
    return api.handle(request);
  }

  /** By user where there is one, else by address: one user's many devices share, and an office's many users do not. */
  async function limit({ client, user }: RequestContext): Promise<void> {
    if (client.loadTest) return;
    const key = user ? `user:${user.id}` : `ip:${client.ip}`;
    const { allowed, retryAfterMs } = await limiter.hit(`http:${key}`, env.RATE_LIMIT_REQUESTS);
    if (allowed) return;
    metrics.count("board_rate_limited_total", `kind="request"`);
    const retryAfter = String(Math.ceil(retryAfterMs / 1000));
    throw new Problem(429, "RESOURCE_EXHAUSTED", "too many requests", { "retry-after": retryAfter });
  }
}
