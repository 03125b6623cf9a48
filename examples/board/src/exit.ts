/** Exit codes, so that whoever starts a process can tell a bad setting from a bad day (names from sysexits.h). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 64,
  /** EX_TEMPFAIL: the database is behind this build. Migrate, then start again. */
  pendingMigration: 75,
  /** EX_CONFIG: a variable is missing or wrong. A restart cannot help. */
  config: 78,
} as const;
