/** How a process ends when it cannot go on, so that whoever starts it can tell a bad setting from a bad day. */
import { errorFields, type Log } from "./log.ts";

/** Exit codes, with names from sysexits.h. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 64,
  /** EX_TEMPFAIL: the database is behind this build. Migrate, then start again. */
  pendingMigration: 75,
  /** EX_CONFIG: a variable is missing or wrong. A restart cannot help. */
  config: 78,
} as const;

/** Ends a process that cannot start. Alive it would do nothing, and nobody would start it again. */
export function cannotStart(log: Log, message: string): (error: unknown) => never {
  return (error) => {
    log.error({ event: "boot_failed", ...errorFields(error) }, message);
    process.exit(EXIT.failed);
  };
}
