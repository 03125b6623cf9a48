/** Process `migrate`: up | down [--to ID] | status [--json]. Runs once per release, as the schema's owner. */
import { parseArgs } from "node:util";
import { ensureSmokeUser } from "./auth/users.ts";
import { appliedMigrations, readMigrations } from "./db/migrations.ts";
import { MigrationRefused, migrateDown, migrateUp } from "./db/migrator.ts";
import { openDatabase, type Sql } from "./db/sql.ts";
import { loadEnv, type MigrateEnv } from "./env.ts";
import { EXIT } from "./exit.ts";

const USAGE = "usage: migrate up | down [--to ID] | status [--json]";

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { to: { type: "string" }, json: { type: "boolean" } },
  });
  const [command] = positionals;
  if (command !== "up" && command !== "down" && command !== "status") throw new TypeError(USAGE);
  const env = loadEnv("migrate");
  const sql = openDatabase(env.DATABASE_MIGRATE_URL, { poolSize: 1, caFile: env.DATABASE_CA_FILE });
  try {
    if (command === "up") await up(sql, env);
    if (command === "down") report("reverted", await migrateDown(sql, readMigrations(), values.to));
    if (command === "status") await status(sql, values.json ?? false);
    return EXIT.ok;
  } finally {
    await sql.close({ timeout: 1 });
  }
}

async function up(sql: Sql, env: MigrateEnv): Promise<void> {
  report("applied", await migrateUp(sql, readMigrations(), env.DATABASE_APP_ROLE));
  // The pipeline signs in as the first to smoke-test a release, on a database that may be minutes old. The other
  // owns what the checks must not reach as the first.
  for (const email of [env.SMOKE_EMAIL, env.SMOKE_OTHER_EMAIL]) {
    if (email && env.SMOKE_PASSWORD) await ensureSmokeUser(sql, email, env.SMOKE_PASSWORD);
  }
}

async function status(sql: Sql, json: boolean): Promise<void> {
  const migrations = readMigrations();
  const applied = await appliedMigrations(sql);
  const seen = new Set(applied.map((row) => row.id));
  const pending = migrations
    .filter((m) => !seen.has(m.id))
    .map(({ id, checksum, contract }) => ({ id, checksum, contract }));
  const head = applied.at(-1)?.id ?? null;
  if (json) return console.log(JSON.stringify({ head, applied, pending }));
  for (const row of applied) console.log(`applied  ${row.id}  ${row.applied_at.toISOString()}`);
  for (const row of pending) console.log(`pending  ${row.id}${row.contract ? "  (contract)" : ""}`);
}

function report(what: string, ids: string[]): void {
  console.log(ids.length ? ids.map((id) => `${what} ${id}`).join("\n") : `nothing to do`);
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`migrate: ${(error as Error).message}`);
  if (error instanceof TypeError) process.exit(EXIT.usage);
  // A stack is for our mistakes, not for a refused migration or an unreachable server.
  if (!(error instanceof MigrationRefused) && !("errno" in (error as object)))
    console.error((error as Error).stack);
  process.exit(EXIT.failed);
}
