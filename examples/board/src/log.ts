/** Logs: one JSON object a line on standard output, with ts, level, service, release and event. */
import pino from "pino";
import type { BaseEnv } from "./env.ts";

export type Log = pino.Logger;

/** Redaction is the second line of defence; the first is to log ids and never bodies, tokens or addresses. */
const REDACTED = ["authorization", "cookie", "password", "token", "accessToken", "email", "secret"];

export function createLog(env: BaseEnv, process_: string): Log {
  return pino({
    level: env.LOG_LEVEL,
    base: {
      service: env.SERVICE_NAME,
      process: process_,
      release: env.SLIPWAY_RELEASE,
      host: env.SLIPWAY_HOST,
    },
    timestamp: () => `,"ts":"${new Date().toISOString()}"`,
    formatters: { level: (level) => ({ level }) },
    messageKey: "message",
    redact: { paths: REDACTED.flatMap((key) => [key, `*.${key}`]), censor: "[redacted]" },
  });
}

/** What of an error is safe and useful in a log: a driver's message may quote a row, so only known codes are kept. */
export function errorFields(error: unknown): { error: string; code?: string; stack?: string } {
  if (!(error instanceof Error)) return { error: typeof error };
  const code = (error as { errno?: unknown }).errno ?? (error as { code?: unknown }).code;
  const isDatabase = error.name.includes("Postgres") || error.name === "SQLError";
  return {
    error: isDatabase ? error.name : `${error.name}: ${error.message}`,
    ...(code === undefined ? {} : { code: String(code) }),
    ...(error.stack ? { stack: error.stack.split("\n").slice(1, 8).join("\n") } : {}),
  };
}
