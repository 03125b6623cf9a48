/** The board as a Durable Object: holds every socket, runs the app's own router and gate on them, and sleeps in between. */
import type {
  DurableObjectState,
  Request,
  Response as WorkerResponse,
  WebSocket as WorkerSocket,
} from "@cloudflare/workers-types";
import { createAccessReader } from "../src/auth/tokens.ts";
import { errorFields } from "../src/error-fields.ts";
import { createBoardRouter } from "../src/ws/board-router.ts";
import { sayFarewell } from "../src/ws/farewell.ts";
import { createGate } from "../src/ws/gate.ts";
import { BOARD, CLOSE, Ping, Pong } from "../src/ws/messages.ts";
import { type Bindings, readSettings, type Settings } from "./bindings.ts";
import { memoryLimiter } from "./counter.ts";
import { jsonLines } from "./json-lines.ts";
import { localTopics } from "./local-topics.ts";
import { readNews } from "./news.ts";
import { refuse } from "./refusals.ts";
import { type Seat, Seats } from "./seats.ts";

const FAREWELL_MS = 8_000;

interface RouterSocket {
  open(seat: Seat): Promise<void>;
  message(seat: Seat, frame: string): Promise<void>;
  close(seat: Seat, code: number, reason: string): Promise<void>;
}

export class Board {
  #settings: Settings;
  #log: ReturnType<typeof jsonLines>;
  #seats: Seats;
  #clients = new Map<string, Seat>();
  #topics = localTopics((clientId) => this.#clients.get(clientId)?.leaving === false);
  #router: ReturnType<typeof createBoardRouter>;
  #gate: ReturnType<typeof createGate<Seat>>;
  #saysGoodbye = false;

  constructor(
    private state: DurableObjectState,
    bindings: Bindings,
  ) {
    const settings = readSettings(bindings);
    if ("wrong" in settings) throw new Error(`bindings: ${settings.wrong.join(", ")}`);
    this.#settings = settings;
    const { SLIPWAY_HOST: host, SLIPWAY_RELEASE: release = null } = settings;
    this.#log = jsonLines({ service: settings.SERVICE_NAME, process: "worker", host, release });
    this.#seats = new Seats(state, {
      authTimeoutMs: settings.WS_AUTH_TIMEOUT_MS,
      idleTimeoutMs: settings.WS_IDLE_TIMEOUT_MS,
    });
    this.#seats.onLeft = (seat, code) => void this.#left(seat, code, "");
    this.#gate = createGate<Seat>(settings, {
      sockets: this.#seats,
      limiter: memoryLimiter(),
      // Cloudflare counts requests and messages itself.
      metrics: { count() {} },
      log: this.#log,
    });
    this.#router = createBoardRouter({
      host,
      release,
      tokens: createAccessReader(settings),
      topics: this.#topics,
      log: this.#log,
      onSignIn: (seat, user) => this.#seats.signIn(seat as Seat, user),
    });
    this.#router.onOpen(async (ctx) => {
      const seat = ctx.ws as unknown as Seat;
      this.#clients.set(ctx.clientId, seat);
      // Only after a sleep is someone known before having said so.
      if (this.#seats.userOf(seat)) await this.#topics.subscribe(ctx.clientId, BOARD);
    });
    this.#router.onClose((ctx) => void this.#clients.delete(ctx.clientId));
    this.#answerEchoesAsleep(host, release);
    state.blockConcurrencyWhile(async () => {
      await this.#router.pubsub.init();
      const here = await this.#seats.restore();
      for (const seat of here) await this.#toRouter.open(seat);
      if (here.length) this.#log.info({ event: "woke", sockets: here.length });
    });
  }

  async fetch(request: Request): Promise<WorkerResponse> {
    switch (new URL(request.url).pathname) {
      case "/publish":
        return this.#publish(await request.json().catch(() => null));
      case "/farewell":
        return this.#farewell();
      default:
        return this.#upgrade(request);
    }
  }

  async webSocketMessage(socket: WorkerSocket, frame: string | ArrayBuffer): Promise<void> {
    const seat = this.#seats.of(socket);
    if (!seat || seat.leaving) return;
    const bytes = typeof frame === "string" ? new TextEncoder().encode(frame).length : frame.byteLength;
    if (bytes > this.#settings.WS_MAX_PAYLOAD)
      return this.#seats.close(seat, CLOSE.tooBig, "the message is too big");
    const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame);
    // One after another: a client may send AUTH and its first message in one breath.
    seat.inOrder = seat.inOrder
      .then(async () => {
        if (!seat.leaving && (await this.#gate.admit(seat, text))) await this.#toRouter.message(seat, text);
      })
      .catch((error) => this.#log.error({ event: "ws_error", ...errorFields(error) }));
    await seat.inOrder;
  }

  async webSocketClose(socket: WorkerSocket, code: number, reason: string): Promise<void> {
    const seat = this.#seats.of(socket);
    if (!seat) return;
    // 1005 and 1006 are what was heard, and may not be said.
    socket.close(code === 1005 || code === 1006 ? CLOSE.idle : code, reason);
    await this.#left(seat, code, reason);
  }

  async webSocketError(socket: WorkerSocket, error: unknown): Promise<void> {
    this.#log.warn({ event: "ws_error", ...errorFields(error), stack: undefined });
    const seat = this.#seats.of(socket);
    if (seat) await this.#left(seat, 1006, "");
  }

  alarm(): Promise<void> {
    return this.#seats.ring();
  }

  async #upgrade(request: Request): Promise<WorkerResponse> {
    // Cloudflare sets it on every request, whatever the caller sent.
    const ip = request.headers.get("cf-connecting-ip") ?? "unknown";
    const retry = { "retry-after": "10" };
    if (this.#saysGoodbye) return refuse(503, "LEAVING", "the board is being replaced", retry);
    if (this.#seats.size >= this.#settings.MAX_CONNECTIONS)
      return refuse(503, "FULL", "the board is full", retry);
    if (this.#seats.openFrom(ip) >= this.#settings.WS_CONNECTIONS_PER_IP)
      return refuse(429, "RESOURCE_EXHAUSTED", "too many connections", retry);
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.state.acceptWebSocket(ours);
    const seat = await this.#seats.add(ours, ip);
    this.#log.info({ event: "ws_connect", clientId: seat.data.clientId });
    await this.#toRouter.open(seat);
    return new Response(null, { status: 101, webSocket: theirs } as never) as unknown as WorkerResponse;
  }

  async #publish(body: unknown): Promise<WorkerResponse> {
    const news = readNews(body);
    if (!news) return refuse(400, "INVALID_ARGUMENT", "this is no news of the board");
    await this.#router.publish(BOARD, news.schema as never, news.payload as never);
    return new Response(null, { status: 204 }) as unknown as WorkerResponse;
  }

  /** Before a new version is shipped, which cuts every socket without a word: tell them, and let them go in peace. */
  async #farewell(): Promise<WorkerResponse> {
    const told = this.#seats.size;
    this.#saysGoodbye = true;
    await sayFarewell(this.#seats, "the board is being replaced", FAREWELL_MS);
    this.#saysGoodbye = false;
    return Response.json({ told }) as unknown as WorkerResponse;
  }

  async #left(seat: Seat, code: number, reason: string): Promise<void> {
    if (!this.#seats.remove(seat)) return;
    const { clientId, connectedAt } = seat.data;
    const seconds = Math.round((Date.now() - connectedAt) / 1000);
    const userId = this.#seats.userOf(seat)?.id;
    this.#log.info({ event: "ws_disconnect", clientId, userId, code, seconds });
    await this.#toRouter.close(seat, code, reason);
  }

  /** The heartbeat, `PING` with n 0, is answered by Cloudflare itself: an idle board costs nothing. */
  #answerEchoesAsleep(host: string, release: number | null): void {
    const frame = (type: string, payload: object) => JSON.stringify({ type, meta: {}, payload });
    this.state.setWebSocketAutoResponse(
      new WebSocketRequestResponsePair(
        frame(Ping.messageType, { n: 0 }),
        frame(Pong.messageType, { n: 0, host, release }),
      ),
    );
  }

  get #toRouter(): RouterSocket {
    const core =
      (this.#router as never as Record<symbol, unknown>)[Symbol.for("ws-kit.core")] ?? this.#router;
    return (core as { websocket: RouterSocket }).websocket;
  }
}
