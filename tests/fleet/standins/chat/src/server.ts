/** A chat on WS-Kit: a room on several hosts, whose messages go through Redis pub/sub. */
import { createBunHandler } from "@ws-kit/bun";
import type { PublishEnvelope, PubSubAdapter } from "@ws-kit/core/pubsub";
import { createRedisPubSub } from "@ws-kit/redis-pubsub";
import { memoryPubSub } from "@ws-kit/memory";
import { createRouter, message, withPubSub, withZod, z } from "@ws-kit/zod";
import { createClient } from "redis";

const ROOM = "room";
const Join = message("JOIN", { name: z.string().min(1).max(40) });
const Joined = message("JOINED", { name: z.string() });
const Ping = message("PING", { n: z.number() });
const Pong = message("PONG", { n: z.number() });
const Say = message("SAY", { text: z.string().min(1).max(500) });
const Said = message("SAID", { text: z.string(), from: z.string() });

const redis = createClient({ url: process.env.REDIS_URL });
redis.on("error", (error) => console.warn(`redis: ${error.message}`));
await redis.connect();

/** What is published goes to Redis, and comes back to every host, the sender's own included. */
function acrossHosts(): PubSubAdapter {
  const bus = createRedisPubSub({ client: redis as never, namespace: process.env.REDIS_NAMESPACE });
  return {
    ...memoryPubSub(),
    async publish(envelope: PublishEnvelope) {
      await bus.publish(ROOM, envelope);
      return { ok: true, capability: "unknown" };
    },
    async start(deliver) {
      const subscription = bus.subscribe<PublishEnvelope>(ROOM, (envelope) => void deliver(envelope));
      await subscription.ready;
      return () => subscription.unsubscribe();
    },
  };
}

const router = createRouter<{ name?: string }>()
  .plugin(withZod())
  .plugin(withPubSub({ adapter: acrossHosts() }));
router.on(Ping, (ctx) => ctx.send(Pong, { n: ctx.payload.n }));
router.on(Join, async (ctx) => {
  ctx.assignData({ name: ctx.payload.name });
  await ctx.topics.subscribe(ROOM);
  ctx.send(Joined, { name: ctx.payload.name });
});
router.on(Say, async (ctx) => {
  await ctx.publish(ROOM, Said, { text: ctx.payload.text, from: ctx.data.name ?? "someone" });
});
await router.pubsub.init();

const kit = createBunHandler(router as never, { authenticate: () => ({}) });
const SAFE = { "X-Content-Type-Options": "nosniff" };
const server = Bun.serve({
  hostname: process.env.HOST,
  port: Number(process.env.PORT),
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return new Response("ok", { headers: SAFE });
    if (pathname === "/ready") return new Response(null, { status: redis.isReady ? 200 : 503 });
    if (pathname !== "/ws") return new Response("not found", { status: 404, headers: SAFE });
    const origin = request.headers.get("origin");
    if (origin !== null && origin !== process.env.PUBLIC_URL) return new Response(null, { status: 403 });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("this is a WebSocket", { status: 426, headers: { ...SAFE, Upgrade: "websocket" } });
    }
    return (await kit.fetch(request, server as never)) ?? undefined;
  },
  websocket: { ...kit.websocket, maxPayloadLength: 65_536 } as never,
});
process.on("SIGTERM", async () => {
  await server.stop(true);
  process.exit(0);
});
