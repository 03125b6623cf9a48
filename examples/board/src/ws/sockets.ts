/** The sockets of this process: who is on each, and the two clocks that may close it. */
import type { ServerWebSocket } from "bun";
import type { Identity } from "../auth/tokens.ts";
import type { Client } from "../http/client.ts";
import { CLOSE } from "./messages.ts";

/** What an upgrade hands to its socket. */
export type SocketData = Client & { requestId: string; clientId: string; connectedAt: number };
export type Socket = ServerWebSocket<SocketData>;

interface Entry {
  user: Identity | null;
  /** Closed by us, and not gone yet. */
  leaving: boolean;
  authTimer: Timer;
  idleTimer: Timer;
  /** When the token of whoever is on it ends. */
  tokenTimer?: Timer;
}

/** A reader this far behind will not catch up; what we keep for it is memory that the others need. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** How long a socket that we closed may take to say goodbye before it is cut. */
const FAREWELL_MS = 2_000;

export class Sockets {
  #entries = new Map<Socket, Entry>();
  #perIp = new Map<string, number>();

  constructor(private limits: { authTimeoutMs: number; idleTimeoutMs: number }) {}

  get size(): number {
    return this.#entries.size;
  }

  [Symbol.iterator](): IterableIterator<Socket> {
    return this.#entries.keys();
  }

  /** Counted in this process alone: a client keeps its host, and a count in Redis would not survive our crash. */
  openFrom(ip: string): number {
    return this.#perIp.get(ip) ?? 0;
  }

  add(ws: Socket): void {
    const { authTimeoutMs, idleTimeoutMs } = this.limits;
    this.#entries.set(ws, {
      user: null,
      leaving: false,
      authTimer: setTimeout(() => this.close(ws, CLOSE.unauthenticated, "sign in first"), authTimeoutMs),
      idleTimer: setTimeout(() => this.close(ws, CLOSE.idle, "idle"), idleTimeoutMs),
    });
    if (!ws.data.loadTest) this.#perIp.set(ws.data.ip, this.openFrom(ws.data.ip) + 1);
  }

  remove(ws: Socket): void {
    const entry = this.#entries.get(ws);
    if (!entry) return;
    clearTimeout(entry.authTimer);
    clearTimeout(entry.idleTimer);
    clearTimeout(entry.tokenTimer);
    this.#entries.delete(ws);
    if (ws.data.loadTest) return;
    const left = this.openFrom(ws.data.ip) - 1;
    if (left > 0) this.#perIp.set(ws.data.ip, left);
    else this.#perIp.delete(ws.data.ip);
  }

  touch(ws: Socket): void {
    this.#entries.get(ws)?.idleTimer.refresh();
  }

  signIn(ws: Socket, user: Identity): void {
    const entry = this.#entries.get(ws);
    if (!entry) return;
    clearTimeout(entry.authTimer);
    clearTimeout(entry.tokenTimer);
    entry.user = user;
    // A socket must not outlive the token that let it in; another AUTH on it goes on with a fresh one.
    if (ws.data.loadTest) return;
    const left = Math.max(0, user.expires * 1000 - Date.now());
    entry.tokenTimer = setTimeout(() => this.close(ws, CLOSE.unauthenticated, "the token has expired"), left);
  }

  userOf(ws: Socket): Identity | null {
    return this.#entries.get(ws)?.user ?? null;
  }

  isLeaving(ws: Socket): boolean {
    return this.#entries.get(ws)?.leaving ?? true;
  }

  /** True for a reader too far behind, which is then on its way out. */
  dropIfSlow(ws: Socket): boolean {
    if (ws.getBufferedAmount() < MAX_BUFFERED_BYTES) return false;
    this.close(ws, CLOSE.tryAgainLater, "too slow");
    return true;
  }

  close(ws: Socket, code: number, reason: string): void {
    const entry = this.#entries.get(ws);
    if (!entry) return;
    entry.leaving = true;
    ws.close(code, reason);
    setTimeout(() => {
      // Whoever does not read does not read the close frame either.
      if (this.#entries.has(ws)) ws.terminate();
    }, FAREWELL_MS).unref();
  }
}
