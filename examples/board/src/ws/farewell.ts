/** Leaving: every client is told, then closed at its own moment, so that they do not all come back in the same one. */
import { CLOSE, ServerShutdown } from "./messages.ts";

/** What is said goodbye to, on whichever runtime. */
export interface Leavers<S extends { send(frame: string): unknown }> extends Iterable<S> {
  readonly size: number;
  close(ws: S, code: number, reason: string): void;
}

/** Resolves when no socket is left; at the latest a little after `graceMs`. */
export async function sayFarewell<S extends { send(frame: string): unknown }>(
  sockets: Leavers<S>,
  reason: string,
  graceMs: number,
): Promise<void> {
  if (!sockets.size) return;
  // Told directly and not by topic: the other hosts' clients are staying.
  const type = ServerShutdown.messageType;
  const notice = JSON.stringify({ type, meta: {}, payload: { reason, reconnectWithinMs: graceMs } });
  const closing = [...sockets].map(async (ws) => {
    ws.send(notice);
    await sleep(Math.random() * graceMs);
    sockets.close(ws, CLOSE.goingAway, reason);
  });
  await Promise.race([Promise.all(closing), untilEmpty(sockets)]);
  await Promise.race([untilEmpty(sockets), sleep(3_000)]);
}

async function untilEmpty(sockets: { readonly size: number }): Promise<void> {
  while (sockets.size) await sleep(20);
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
