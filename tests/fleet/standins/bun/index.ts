/** Bun's own routes, and one package. */
import { nanoid } from "nanoid";

const headers = { "X-Content-Type-Options": "nosniff" };

const server = Bun.serve({
  hostname: Bun.env.HOST,
  port: Bun.env.PORT,
  routes: {
    "/": () => new Response("tiny", { headers }),
    "/health": () => new Response("ok", { headers }),
    "/id": () => new Response(nanoid(), { headers }),
  },
  fetch: () => new Response("not found", { status: 404, headers }),
});

process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
