/** Before a frame reaches the router: is there room for it, and is it a message at all? */
import type { Identity } from "../auth/tokens.ts";
import type { WebEnv } from "../env.ts";
import type { Client } from "../http/client.ts";
import type { Limiter } from "../limits.ts";
import type { Lines } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { INBOUND, refusalFrame } from "./messages.ts";

/** What the gate needs of a socket, on whichever runtime. */
export interface GateSocket {
  data: Client & { clientId: string };
  send(frame: string): unknown;
}

export interface Gate<S extends GateSocket> {
  /** False when the frame was answered here and must go no further. */
  admit(ws: S, frame: string | Buffer): Promise<boolean>;
}

export function createGate<S extends GateSocket>(
  env: Pick<WebEnv, "WS_MESSAGE_LIMIT">,
  parts: {
    sockets: { touch(ws: S): void; userOf(ws: S): Identity | null };
    limiter: Pick<Limiter, "hit">;
    metrics: Pick<Metrics, "count">;
    log: Pick<Lines, "debug" | "info">;
  },
): Gate<S> {
  const { sockets, limiter, metrics, log } = parts;

  return {
    async admit(ws, frame) {
      sockets.touch(ws);
      const user = sockets.userOf(ws);
      const type = messageType(frame);
      metrics.count("board_ws_messages_total");
      // An echo says nothing about what anybody did, and there are many.
      const level = type === "PING" ? "debug" : "info";
      log[level]({
        event: "ws_message",
        type: type ?? "invalid",
        userId: user?.id,
        clientId: ws.data.clientId,
      });

      if (!ws.data.loadTest) {
        // Every frame counts, also one that means nothing: it is the flood that costs.
        const { allowed, retryAfterMs } = await limiter.hit(
          `ws:${user?.id ?? ws.data.ip}`,
          env.WS_MESSAGE_LIMIT,
        );
        if (!allowed) {
          metrics.count("board_rate_limited_total", `kind="message"`);
          ws.send(refusalFrame({ code: "RESOURCE_EXHAUSTED", message: "too many messages", retryAfterMs }));
          return false;
        }
      }
      if (type === null) {
        // The router would only log it; whoever sent it should hear of it.
        ws.send(refusalFrame({ code: "INVALID_ARGUMENT", message: "a message is JSON with a known type" }));
        return false;
      }
      return true;
    },
  };
}

/** Null for what no client may send: also nothing of a stranger's choosing gets into a log. */
function messageType(frame: string | Buffer): string | null {
  try {
    const { type } = JSON.parse(frame.toString());
    return INBOUND.has(type) ? type : null;
  } catch {
    return null;
  }
}
