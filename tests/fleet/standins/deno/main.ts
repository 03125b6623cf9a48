/** How long things take, in words. */
import ms from "ms";

const headers = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };

const server = Deno.serve(
  { hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")) },
  (request) => {
    switch (new URL(request.url).pathname) {
      case "/":
        return new Response("spans", { headers });
      case "/health":
        return new Response("ok", { headers });
      case "/day":
        return new Response(String(ms("1 day")), { headers });
      default:
        return new Response("not found", { status: 404, headers });
    }
  },
);

Deno.addSignalListener("SIGTERM", () => server.shutdown());
