/** Process `web`: answers HTTP and holds the sockets, until SIGTERM. */
import { createTokens } from "./auth/tokens.ts";
import { loadEnv } from "./env.ts";
import { cannotStart, EXIT } from "./exit.ts";
import { createServe } from "./http/serve.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createLimiter } from "./limits.ts";
import { Metrics } from "./metrics.ts";
import { openServices } from "./services.ts";
import { sayFarewell } from "./ws/farewell.ts";
import { openSockets } from "./ws/server.ts";

/** Bun counts and answers 413 itself, also when a body does not announce its length. Uploads go elsewhere. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Longer than a proxy keeps an idle connection: whoever closes first must not be us, in the middle of its request. */
const KEEP_ALIVE_SECONDS = 120;
const IN_FLIGHT_MS = 10_000;

const env = loadEnv("web");
const services = await openServices(env, "web");
const { log } = services;
const lifecycle = new Lifecycle();
const metrics = new Metrics();
const tokens = createTokens(env);
const limiter = createLimiter(services.redis, env.REDIS_NAMESPACE, log);
const board = await openSockets(env, services, { tokens, limiter, metrics }).catch(
  cannotStart(log, "Redis cannot be subscribed to"),
);

const server = Bun.serve({
  hostname: env.HOST,
  port: env.PORT,
  maxRequestBodySize: MAX_BODY_BYTES,
  idleTimeout: KEEP_ALIVE_SECONDS,
  // Bun's own error page shows source code.
  development: false,
  fetch: await createServe(env, services, { board, tokens, limiter, metrics, lifecycle }),
  websocket: board.websocket,
});
log.info({
  event: "ready",
  build: env.SLIPWAY_BUILD,
  port: server.port,
  uptimeMs: Math.round(performance.now()),
});

async function leave(signal: string): Promise<void> {
  if (lifecycle.draining) return;
  lifecycle.draining = true;
  log.info({ event: "draining", signal, sockets: board.sockets.size, inFlight: lifecycle.inFlight });
  // Still listening: whoever asks meanwhile is told 503 by /ready and on /ws, instead of being refused without a word.
  await sayFarewell(board.sockets, "this host is being replaced", env.SHUTDOWN_GRACE_MS);
  // Resolves once every request is answered, to the last byte.
  await Promise.race([server.stop(), Bun.sleep(IN_FLIGHT_MS)]);
  await board.router.pubsub.shutdown();
  await services.close();
  log.info({ event: "stopped" });
  process.exit(EXIT.ok);
}
process.on("SIGTERM", () => leave("SIGTERM"));
process.on("SIGINT", () => leave("SIGINT"));
