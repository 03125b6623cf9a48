/**
 * The sockets of the object: who is on each, and when it is to be closed. What `src/ws/sockets.ts` is on Bun.
 *
 * The object may be put to sleep between two messages and lose its memory, while its sockets stay open. What must
 * outlive that is written on the socket itself; and the long clock is an alarm, because a timer would keep it awake.
 */
import type { DurableObjectState, WebSocket as WorkerSocket } from "@cloudflare/workers-types";
import type { Identity } from "../src/auth/tokens.ts";
import { CLOSE } from "../src/ws/messages.ts";

/** Written on the socket; Cloudflare keeps 2 KB of it at least. */
interface Note {
  clientId: string;
  ip: string;
  connectedAt: number;
  seenAt: number;
  user: Identity | null;
}

/** A socket as the router, the gate and the farewell know it. */
export class Seat {
  /** Exempt from limits is nobody here: no edge of ours vouches for a load test. */
  readonly data: { ip: string; clientId: string; loadTest: boolean; connectedAt: number };
  /** What the router begins its own data with: also after a sleep. */
  readonly initialData: Record<string, unknown>;
  leaving = false;
  authTimer: ReturnType<typeof setTimeout> | undefined;
  /** Frames are handled one after another. */
  inOrder: Promise<void> = Promise.resolve();

  constructor(
    private socket: WorkerSocket,
    readonly note: Note,
  ) {
    const { ip, clientId, connectedAt, user } = note;
    this.data = { ip, clientId, connectedAt, loadTest: false };
    this.initialData = { ...this.data, ...(user ? { user } : {}) };
  }

  get readyState(): number {
    return this.socket.readyState;
  }

  send(frame: string | ArrayBuffer): void {
    // Whoever has just gone is told nothing any more; the close event follows.
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.leaving = true;
    this.socket.close(code, reason);
  }
}

export class Seats {
  #seats = new Map<WorkerSocket, Seat>();
  #perIp = new Map<string, number>();
  #alarmAt: number | null = null;

  constructor(
    private state: DurableObjectState,
    private limits: { authTimeoutMs: number; idleTimeoutMs: number },
  ) {}

  get size(): number {
    return this.#seats.size;
  }

  [Symbol.iterator](): IterableIterator<Seat> {
    return this.#seats.values();
  }

  of(socket: WorkerSocket): Seat | undefined {
    return this.#seats.get(socket);
  }

  openFrom(ip: string): number {
    return this.#perIp.get(ip) ?? 0;
  }

  /** After a sleep: everyone who is still here. */
  async restore(): Promise<Seat[]> {
    this.#alarmAt = await this.state.storage.getAlarm();
    for (const socket of this.state.getWebSockets()) {
      const note = socket.deserializeAttachment() as Note | null;
      // Those that were being closed when the memory went have nothing more to say.
      if (note && socket.readyState === WebSocket.OPEN) this.#take(socket, note);
    }
    return [...this];
  }

  async add(socket: WorkerSocket, ip: string): Promise<Seat> {
    const now = Date.now();
    const seat = this.#take(socket, {
      clientId: crypto.randomUUID(),
      ip,
      connectedAt: now,
      seenAt: now,
      user: null,
    });
    this.#write(seat);
    await this.#wakeBy(this.#idleAt(seat));
    return seat;
  }

  remove(seat: Seat): boolean {
    const socket = this.#socketOf.get(seat);
    if (!socket || !this.#seats.delete(socket)) return false;
    clearTimeout(seat.authTimer);
    const left = this.openFrom(seat.data.ip) - 1;
    if (left > 0) this.#perIp.set(seat.data.ip, left);
    else this.#perIp.delete(seat.data.ip);
    return true;
  }

  /** The alarm is left as it is: when it goes off, it finds out who spoke meanwhile. */
  touch(seat: Seat): void {
    seat.note.seenAt = Date.now();
    this.#write(seat);
  }

  signIn(seat: Seat, user: Identity): void {
    clearTimeout(seat.authTimer);
    seat.note.user = user;
    this.#write(seat);
    void this.#wakeBy(user.expires * 1000);
  }

  userOf(seat: Seat): Identity | null {
    return seat.note.user;
  }

  close(seat: Seat, code: number, reason: string): void {
    seat.close(code, reason);
    // A peer that is gone never answers a goodbye, and there is no terminating it: its seat is free at once.
    this.onLeft(seat, code);
  }

  /** Told once for each seat that becomes free by our doing. */
  onLeft: (seat: Seat, code: number) => void = () => {};

  /** Closes whoever is overdue, and sets the next alarm. */
  async ring(): Promise<void> {
    this.#alarmAt = null;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const seat of [...this]) {
      const at = this.#idleAt(seat);
      // A socket must not outlive the token that let it in; another AUTH on it goes on with a fresh one.
      const until = (seat.note.user?.expires ?? Number.POSITIVE_INFINITY) * 1000;
      if (until <= now) this.close(seat, CLOSE.unauthenticated, "the token has expired");
      else if (at <= now) this.close(seat, CLOSE.idle, "idle");
      else next = Math.min(next, at, until);
    }
    await this.#wakeBy(next);
  }

  #socketOf = new WeakMap<Seat, WorkerSocket>();

  #take(socket: WorkerSocket, note: Note): Seat {
    const seat = new Seat(socket, note);
    this.#seats.set(socket, seat);
    this.#socketOf.set(seat, socket);
    this.#perIp.set(note.ip, this.openFrom(note.ip) + 1);
    if (!note.user) {
      // Short enough to be a timer: while somebody is at the door, the object is awake anyway.
      const signIn = () => this.close(seat, CLOSE.unauthenticated, "sign in first");
      seat.authTimer = setTimeout(signIn, this.limits.authTimeoutMs);
    }
    return seat;
  }

  #write(seat: Seat): void {
    this.#socketOf.get(seat)?.serializeAttachment(seat.note);
  }

  #idleAt(seat: Seat): number {
    const socket = this.#socketOf.get(seat);
    // An echo that was answered without waking us is a sign of life too.
    const echoed = socket && this.state.getWebSocketAutoResponseTimestamp(socket);
    return Math.max(seat.note.seenAt, echoed?.getTime() ?? 0) + this.limits.idleTimeoutMs;
  }

  async #wakeBy(at: number): Promise<void> {
    if (at === Number.POSITIVE_INFINITY || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    await this.state.storage.setAlarm(at);
  }
}
