/**
 * The board's sockets on Cloudflare: lets in who may come in, and hands them to the one Durable Object that is the board.
 * Everything that can be refused without the object is refused here.
 */
import type { Request, Response as WorkerResponse } from "@cloudflare/workers-types";
import { type Bindings, readSettings, type Settings } from "./bindings.ts";
import { refuse } from "./refusals.ts";

export { Board } from "./board-object.ts";

/** All who share a board must be in one object: it is what fans messages out. */
const THE_BOARD = "board";

export default {
  async fetch(request: Request, bindings: Bindings): Promise<WorkerResponse> {
    const settings = readSettings(bindings);
    if ("wrong" in settings) {
      console.error(JSON.stringify({ event: "misconfigured", bindings: settings.wrong }));
      return refuse(503, "MISCONFIGURED", "the Worker lacks settings; its log names them");
    }
    const { pathname } = new URL(request.url);
    const refusal = refusalOf(request, pathname, settings);
    if (refusal) return refusal;
    if (pathname === "/health") {
      const { SERVICE_NAME: service, SLIPWAY_RELEASE: release } = settings;
      return Response.json({ status: "ok", service, release: release ?? null }) as unknown as WorkerResponse;
    }
    return bindings.BOARD.get(bindings.BOARD.idFromName(THE_BOARD)).fetch(request);
  },
};

function refusalOf(request: Request, pathname: string, settings: Settings): WorkerResponse | null {
  switch (pathname) {
    case "/health":
      return null;
    case "/ws": {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
        return refuse(426, "UPGRADE_REQUIRED", "this is a WebSocket endpoint", { upgrade: "websocket" });
      // As on Bun: browsers connect across origins without asking, and this header is all that stops them.
      const origin = request.headers.get("origin");
      if (origin !== null && origin !== settings.FRONTEND_URL && origin !== settings.PUBLIC_URL)
        return refuse(403, "FORBIDDEN", "this origin may not connect");
      return null;
    }
    case "/publish":
    case "/farewell":
      if (request.method !== "POST") return refuse(405, "METHOD_NOT_ALLOWED", "POST only", { allow: "POST" });
      return isTheApp(request, settings) ? null : refuse(401, "UNAUTHENTICATED", "this is for the app");
    default:
      return refuse(404, "NOT_FOUND", "there is nothing here");
  }
}

function isTheApp(request: Request, { REALTIME_SECRET: secret }: Settings): boolean {
  const given = request.headers.get("authorization") ?? "";
  return secret !== undefined && alike(given, `Bearer ${secret}`);
}

/** Takes as long for a guess that is nearly right as for one that is not. */
function alike(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
  let differs = left.length ^ right.length;
  for (let i = 0; i < right.length; i++) differs |= (left[i] ?? 0) ^ (right[i] as number);
  return differs === 0;
}
