/** The messages on a socket. Each is checked on its way in and on its way out. */
import { message, z } from "@ws-kit/zod";
import { Task } from "../board/tasks.ts";

export const Auth = message("AUTH", { token: z.string().max(4_096) });
export const Authenticated = message("AUTHENTICATED", { userId: z.uuid() });

/** An echo: the caller measures the way there and back, and learns which host and release it is talking to. */
export const Ping = message("PING", { n: z.number() });
export const Pong = message("PONG", { n: z.number(), host: z.string(), release: z.number().nullable() });

export const Say = message("SAY", { text: z.string().trim().min(1).max(500) });
export const Said = message("SAID", { text: z.string(), from: z.uuid(), name: z.string(), host: z.string() });

export const TaskCreated = message("TASK_CREATED", { task: Task });
export const TaskUpdated = message("TASK_UPDATED", { task: Task });
export const TaskRemoved = message("TASK_REMOVED", { id: z.uuid() });

export const ServerShutdown = message("SERVER_SHUTDOWN", {
  reason: z.string(),
  reconnectWithinMs: z.number(),
});

/** What a client may send. */
export const INBOUND: ReadonlySet<string> = new Set([Auth, Ping, Say].map((schema) => schema.messageType));

/** One shape for every refusal. Sent as it is: ws-kit's own `ctx.error` names its type after how it was called. */
export interface Refusal {
  code: "UNAUTHENTICATED" | "INVALID_ARGUMENT" | "RESOURCE_EXHAUSTED";
  message: string;
  retryAfterMs?: number;
}
export function refusalFrame(refusal: Refusal): string {
  const retryable = refusal.retryAfterMs !== undefined;
  return JSON.stringify({
    type: "ERROR",
    meta: { timestamp: Date.now() },
    payload: { ...refusal, retryable },
  });
}

/** Everyone on the board listens to one topic. */
export const BOARD = "board";

/** Close codes. 4000-4999 are an application's own. */
export const CLOSE = {
  idle: 1000,
  goingAway: 1001,
  tooBig: 1009,
  tryAgainLater: 1013,
  unauthenticated: 4401,
} as const;
