/** A client's end of a socket. */
export interface Message {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the app says; the test says what it expects.
  payload: any;
}

export class Wire {
  readonly received: Message[] = [];
  /** The close code. */
  readonly closed: Promise<number>;

  private constructor(private socket: WebSocket) {
    socket.addEventListener("message", (event) => this.received.push(JSON.parse(event.data)));
    this.closed = new Promise((resolve) => socket.addEventListener("close", (event) => resolve(event.code)));
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Wire> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, { headers } as never);
    const wire = new Wire(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("refused")));
    });
    return wire;
  }

  send(type: string, payload?: unknown): void {
    this.raw(JSON.stringify({ type, meta: {}, payload }));
  }

  raw(text: string): void {
    this.socket.send(text);
  }

  close(): void {
    this.socket.close(1000);
  }

  /** The next message of a type, taken off what was received. */
  async next(type: string, timeoutMs = 10_000): Promise<Message> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const at = this.received.findIndex((message) => message.type === type);
      if (at >= 0) return this.received.splice(at, 1)[0] as Message;
      if (Date.now() > deadline)
        throw new Error(`no ${type} in ${timeoutMs} ms, only ${JSON.stringify(this.received)}`);
      await Bun.sleep(5);
    }
  }
}

/** What an upgrade is answered with. */
export async function upgradeStatus(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${url}/ws`, {
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    },
  });
  return response.status;
}
