/** Leaving: every client is told, then closed at its own moment, so that they do not all come back in the same one. */
import { CLOSE, ServerShutdown } from "./messages.ts";
import type { Sockets } from "./sockets.ts";

/** Resolves when no socket is left; at the latest a little after `graceMs`. */
export async function sayFarewell(sockets: Sockets, reason: string, graceMs: number): Promise<void> {
  if (!sockets.size) return;
  // Told directly and not by topic: the other hosts' clients are staying.
  const type = ServerShutdown.messageType;
  const notice = JSON.stringify({ type, meta: {}, payload: { reason, reconnectWithinMs: graceMs } });
  const closing = [...sockets].map(async (ws) => {
    ws.send(notice);
    await Bun.sleep(Math.random() * graceMs);
    sockets.close(ws, CLOSE.goingAway, reason);
  });
  await Promise.race([Promise.all(closing), untilEmpty(sockets)]);
  await Promise.race([untilEmpty(sockets), Bun.sleep(3_000)]);
}

async function untilEmpty(sockets: Sockets): Promise<void> {
  while (sockets.size) await Bun.sleep(20);
}
