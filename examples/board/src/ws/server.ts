/** Sockets on Bun: upgrades, the life of a socket, and the router behind it. */
import { hostname } from "node:os";
import { createBunHandler } from "@ws-kit/bun";
import type { Server, WebSocketHandler } from "bun";
import type { Tokens } from "../auth/tokens.ts";
import type { WebEnv } from "../env.ts";
import { contextOf } from "../http/context.ts";
import { forbidden, Problem } from "../http/problem.ts";
import type { Limiter } from "../limits.ts";
import { errorFields } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Services } from "../services.ts";
import { type BoardRouter, createBoardRouter } from "./board-router.ts";
import { createGate } from "./gate.ts";
import { alsoOnTheWorker } from "./realtime.ts";
import { redisTopics } from "./redis-topics.ts";
import { type Socket, type SocketData, Sockets } from "./sockets.ts";

export const WS_PATH = "/ws";
/** Far above where a slow reader is dropped politely; here Bun cuts it, whatever we do. */
const HARD_BACKPRESSURE_BYTES = 8 * 1024 * 1024;

export interface BoardSockets {
  sockets: Sockets;
  router: BoardRouter;
  websocket: WebSocketHandler<SocketData>;
  /** Undefined once upgraded. Throws a Problem when refused. */
  upgrade(request: Request, server: Server<SocketData>): Promise<Response | undefined>;
}

export async function openSockets(
  env: WebEnv,
  services: Services,
  parts: { tokens: Tokens; limiter: Limiter; metrics: Metrics },
): Promise<BoardSockets> {
  const { log, redis } = services;
  const { tokens, limiter, metrics } = parts;
  const sockets = new Sockets({
    authTimeoutMs: env.WS_AUTH_TIMEOUT_MS,
    idleTimeoutMs: env.WS_IDLE_TIMEOUT_MS,
  });
  const gate = createGate(env, { sockets, limiter, metrics, log });
  const clients = new Map<string, Socket>();
  const inOrder = new WeakMap<Socket, Promise<void>>();

  const topics = redisTopics(
    redis,
    env.REDIS_NAMESPACE,
    {
      reachable(clientId) {
        const ws = clients.get(clientId);
        if (!ws || sockets.isLeaving(ws)) return false;
        if (!sockets.dropIfSlow(ws)) return true;
        log.warn({ event: "ws_slow_reader", clientId, userId: sockets.userOf(ws)?.id });
        return false;
      },
    },
    log,
  );
  const router = createBoardRouter({
    host: env.SLIPWAY_HOST ?? hostname(),
    release: env.SLIPWAY_RELEASE ?? null,
    tokens,
    topics: alsoOnTheWorker(topics, env, log),
    log,
    onSignIn: (ws, user) => sockets.signIn(ws as Socket, user),
  });
  router.onOpen((ctx) => void clients.set(ctx.clientId, ctx.ws as unknown as Socket));
  router.onClose((ctx) => void clients.delete(ctx.clientId));
  await router.pubsub.init();

  const kit = createBunHandler(router as never, {
    authenticate: (request) => {
      const { client, requestId } = contextOf(request);
      return { ...client, requestId };
    },
  });
  const allowedOrigins = new Set([env.FRONTEND_URL, env.PUBLIC_URL]);

  return {
    sockets,
    router,

    async upgrade(request, server) {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new Problem(426, "UPGRADE_REQUIRED", "this is a WebSocket endpoint", { upgrade: "websocket" });
      }
      // Browsers send cookies and connect across origins without asking: the Origin header is all that stops them.
      // Other clients have none, and nothing to steal.
      const origin = request.headers.get("origin");
      if (origin !== null && !allowedOrigins.has(origin)) throw forbidden("this origin may not connect");
      const { client } = contextOf(request);
      if (!client.loadTest && sockets.openFrom(client.ip) >= env.WS_CONNECTIONS_PER_IP) {
        metrics.count("board_rate_limited_total", `kind="connection"`);
        throw new Problem(429, "RESOURCE_EXHAUSTED", "too many connections", { "retry-after": "10" });
      }
      return (await kit.fetch(request, server)) ?? undefined;
    },

    websocket: {
      maxPayloadLength: env.WS_MAX_PAYLOAD,
      backpressureLimit: HARD_BACKPRESSURE_BYTES,
      closeOnBackpressureLimit: true,
      // Ours is the idle clock that counts messages; Bun's counts its own pings too.
      idleTimeout: 960,
      sendPings: true,
      async open(ws) {
        sockets.add(ws);
        log.info({ event: "ws_connect", clientId: ws.data.clientId, requestId: ws.data.requestId });
        await kit.websocket.open?.(ws as never);
      },
      async message(ws, frame) {
        // One after another: a client may send AUTH and its first message in one breath.
        const handled = (inOrder.get(ws) ?? Promise.resolve())
          .then(async () => {
            if (await gate.admit(ws, frame)) await kit.websocket.message?.(ws as never, frame as never);
          })
          .catch((error) => log.error({ event: "ws_error", ...errorFields(error) }));
        inOrder.set(ws, handled);
        await handled;
      },
      async close(ws, code, reason) {
        const userId = sockets.userOf(ws)?.id;
        sockets.remove(ws);
        const seconds = Math.round((Date.now() - ws.data.connectedAt) / 1000);
        log.info({ event: "ws_disconnect", clientId: ws.data.clientId, userId, code, seconds });
        await kit.websocket.close?.(ws as never, code, reason);
      },
    },
  };
}
