/** Who is calling, as far as the network can tell. */
import type { Server } from "bun";

export interface Client {
  ip: string;
  /** Our own load test, as our edge vouches for it: exempt from limits. */
  loadTest: boolean;
}

/**
 * Each proxy of ours appends the address it saw to X-Forwarded-For, so the entry that counts is `hops` from the right.
 * What stands left of it was sent by the caller and is never believed.
 */
export function identifyClient(
  request: Request,
  server: Pick<Server<unknown>, "requestIP">,
  hops: number,
): Client {
  const chain = request.headers.get("x-forwarded-for")?.split(",") ?? [];
  const forwarded = hops > 0 ? chain.at(-hops)?.trim() : undefined;
  if (!forwarded) return { ip: server.requestIP(request)?.address ?? "unknown", loadTest: false };
  // The edge strips this header from outside and sets it itself: it is as trustworthy as the address beside it.
  return { ip: forwarded, loadTest: request.headers.get("x-load-test") === "verified" };
}
