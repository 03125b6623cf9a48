/** The globals of the Workers runtime that Bun's types do not know. */
import type {
  WebSocketPair as Pair,
  WebSocketRequestResponsePair as RequestResponse,
} from "@cloudflare/workers-types";

declare global {
  const WebSocketPair: typeof Pair;
  const WebSocketRequestResponsePair: typeof RequestResponse;
}
