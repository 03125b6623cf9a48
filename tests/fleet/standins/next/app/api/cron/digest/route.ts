import { timingSafeEqual } from "node:crypto";

/** Called by the schedule alone, which knows CRON_SECRET. */
export function POST(request: Request) {
  const given = Buffer.from(request.headers.get("authorization") ?? "");
  const wanted = Buffer.from(`Bearer ${process.env.CRON_SECRET}`);
  const is = given.length === wanted.length && timingSafeEqual(given, wanted);
  return is ? Response.json({ sent: 0 }) : new Response("unauthorized", { status: 401 });
}
