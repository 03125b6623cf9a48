/** Logs: one JSON object a line on standard output, with ts, level, service, release and event. */
import pino from "pino";
import type { BaseEnv } from "./env.ts";

export { errorFields } from "./error-fields.ts";

export type Log = pino.Logger;
/** What a line is made with, wherever it is written to. */
export type Lines = Record<"debug" | "info" | "warn" | "error", (fields: Record<string, unknown>) => void>;

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
