// The socket: signs in, comes back by itself, and moves house without a gap when its server says that it is leaving.
import { accessToken, resume } from "./session.js";

const LONGEST_PAUSE_MS = 15_000;
const UNAUTHENTICATED = 4401;

/** More often than anything between us and the Worker closes a silent connection. */
const HEARTBEAT_MS = 30_000;

/**
 * `realtime`: where the sockets are, if not here. `state` hears live, moving or lost; `message` each message;
 * `joined` when a socket has been let in.
 */
export function connect({ realtime, state, message, joined }) {
  let current = null;
  let failures = 0;
  let closed = false;

  function open() {
    // The app has sockets too: every other try is there, should the Worker be away.
    const home = failures % 2 === 0 && realtime ? realtime : location.origin;
    const socket = new WebSocket(`${home.replace("http", "ws")}/ws`);
    socket.addEventListener("open", () => send(socket, "AUTH", { token: accessToken() }));
    // The app sends pings itself; the Worker cannot, and answers this one in its sleep.
    const beat = setInterval(() => {
      if (home === realtime && socket === current) send(socket, "PING", { n: 0 });
    }, HEARTBEAT_MS);
    socket.addEventListener("close", () => clearInterval(beat));
    socket.addEventListener("message", (event) => receive(socket, JSON.parse(event.data)));
    socket.addEventListener("close", (event) => lost(socket, event.code));
  }

  function receive(socket, envelope) {
    if (envelope.type === "AUTHENTICATED") {
      const previous = current;
      current = socket;
      failures = 0;
      // Only now: until the new socket is in, the old one still hears everything.
      previous?.close(1000);
      state("live");
      joined();
    } else if (envelope.type === "SERVER_SHUTDOWN") {
      state("moving");
      // At a moment of our own, well before the server closes: everyone else was told at the same time.
      setTimeout(() => !closed && open(), Math.random() * envelope.payload.reconnectWithinMs * 0.6);
    } else if (socket === current) {
      message(envelope);
    }
  }

  async function lost(socket, code) {
    // A socket that was already replaced, or whose replacement is on its way and failed, is not missed.
    if (closed || (current && socket !== current)) return;
    current = null;
    state("lost");
    failures++;
    const pause = Math.min(500 * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (closed) return;
    if (code === UNAUTHENTICATED) await resume().catch(() => {});
    open();
  }

  open();
  return {
    send: (type, payload) => {
      if (!current) throw new Error("not connected: try again in a moment");
      send(current, type, payload);
    },
    close: () => {
      closed = true;
      current?.close(1000);
    },
  };
}

const send = (socket, type, payload) => socket.send(JSON.stringify({ type, meta: {}, payload }));
