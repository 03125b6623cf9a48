/** Log lines as the app writes them, on the Worker's console. */
import type { Lines } from "../src/log.ts";

export function jsonLines(who: Record<string, unknown>): Lines {
  const line = (level: keyof Lines) => (fields: Record<string, unknown>) =>
    console[level](JSON.stringify({ level, ts: new Date().toISOString(), ...who, ...fields }));
  return { debug: () => {}, info: line("info"), warn: line("warn"), error: line("error") };
}
