/** Error tracking: one event to a Sentry-compatible DSN. Nothing is sent, and nothing is needed, without a DSN. */
import type { BaseEnv } from "./env.ts";

export type ReportError = (error: unknown, tags?: Record<string, string>) => void;

export function errorReporter(env: BaseEnv): ReportError {
  if (!env.SENTRY_DSN) return () => {};
  const dsn = new URL(env.SENTRY_DSN);
  const endpoint = `${dsn.origin}/api/${dsn.pathname.split("/").pop()}/envelope/`;
  const auth = `Sentry sentry_version=7, sentry_client=board/1.0, sentry_key=${dsn.username}`;

  return (error, tags = {}) => {
    const event_id = crypto.randomUUID().replaceAll("-", "");
    const body = [
      { event_id, sent_at: new Date().toISOString() },
      { type: "event" },
      {
        event_id,
        level: "error",
        platform: "javascript",
        environment: env.NODE_ENV,
        tags,
        exception: describe(error),
      },
    ];
    // Never awaited and never retried: reporting an error must not become the next one.
    fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-sentry-envelope", "x-sentry-auth": auth },
      body: body.map((part) => JSON.stringify(part)).join("\n"),
      signal: AbortSignal.timeout(3_000),
    }).catch(() => {});
  };
}

function describe(error: unknown) {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const frames = (stack ?? "")
    .split("\n")
    .slice(1)
    .reverse()
    .map((line) => ({ function: line.trim() }));
  return { values: [{ type: name, value: message, stacktrace: { frames } }] };
}
