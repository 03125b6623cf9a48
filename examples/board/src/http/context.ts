/** What is known of a request before any route sees it. */
import type { Identity } from "../auth/tokens.ts";
import type { Client } from "./client.ts";

export interface RequestContext {
  requestId: string;
  client: Client;
  /** From a valid bearer token; null without one. */
  user: Identity | null;
}

const contexts = new WeakMap<Request, RequestContext>();

export function attachContext(request: Request, context: RequestContext): void {
  contexts.set(request, context);
}

export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request);
  if (!context) throw new Error("a request reached a route without its context");
  return context;
}

/** A caller's id is kept only if it is harmless in a log; anything else gets a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given && /^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$/.test(given) ? given : crypto.randomUUID();
}
