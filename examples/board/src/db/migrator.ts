/** Applying and reverting migrations: each in one transaction, one runner at a time. */
import { type Applied, appliedMigrations, type Migration } from "./migrations.ts";
import type { Sql, Transaction } from "./sql.ts";

/** Any number, as long as nothing else in the database takes it. */
const ADVISORY_LOCK = 7_270_125;

export class MigrationRefused extends Error {}

export async function migrateUp(sql: Sql, migrations: Migration[], appRole: string): Promise<string[]> {
  await exclusively(sql, async (tx) => {
    await tx.unsafe(`CREATE TABLE IF NOT EXISTS schema_migrations (
      id text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  });
  refuseEdited(migrations, await appliedMigrations(sql));

  const done: string[] = [];
  for (const migration of migrations) {
    await exclusively(sql, async (tx) => {
      // Looked up under the lock: another runner may have applied it while this one waited.
      const [seen] = await tx`SELECT 1 FROM schema_migrations WHERE id = ${migration.id}`;
      if (seen) return;
      await tx.unsafe(migration.up);
      await tx`INSERT INTO schema_migrations (id, checksum) VALUES (${migration.id}, ${migration.checksum})`;
      done.push(migration.id);
    });
  }
  await exclusively(sql, (tx) => grant(tx, appRole));
  return done;
}

/** Reverts what came after `to`, newest first; without `to`, the newest alone. `to` = "0" reverts everything. */
export async function migrateDown(sql: Sql, migrations: Migration[], to?: string): Promise<string[]> {
  const applied = await appliedMigrations(sql);
  if (to !== undefined && to !== "0" && !applied.some((row) => row.id === to)) {
    throw new MigrationRefused(`down --to ${to}: no such migration is applied`);
  }
  const ids = applied.map((row) => row.id).reverse();
  const revert = to === undefined ? ids.slice(0, 1) : ids.filter((id) => id > to);
  for (const id of revert) {
    const migration = migrations.find((m) => m.id === id);
    if (!migration)
      throw new MigrationRefused(
        `${id} is applied but not in this build: revert it with the build that has it`,
      );
    await exclusively(sql, async (tx) => {
      await tx.unsafe(migration.down);
      await tx`DELETE FROM schema_migrations WHERE id = ${id}`;
    });
  }
  return revert;
}

/** A lock that ends with its transaction also holds behind a pooler that lends a session per transaction. */
function exclusively(sql: Sql, work: (tx: Transaction) => Promise<void>): Promise<void> {
  return sql.begin(async (tx) => {
    await tx.unsafe("SET LOCAL lock_timeout = '60s'");
    await tx`SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})`;
    // A migration that waits for a table makes every query after it wait too. Better to fail and try again.
    await tx.unsafe("SET LOCAL lock_timeout = '5s'");
    await work(tx);
  });
}

function refuseEdited(migrations: Migration[], applied: Applied[]): void {
  for (const { id, checksum } of applied) {
    const ours = migrations.find((migration) => migration.id === id);
    if (ours && ours.checksum !== checksum) {
      throw new MigrationRefused(
        `${id} was edited after it was applied: restore it and write a new migration instead`,
      );
    }
  }
}

/** The app reads and writes rows. It cannot change the schema, or what the audit trail and the schema's history say. */
async function grant(tx: Transaction, role: string): Promise<void> {
  const [found] = await tx`SELECT 1 FROM pg_roles WHERE rolname = ${role}`;
  if (!found) throw new MigrationRefused(`role ${role} does not exist: create it, or set DATABASE_APP_ROLE`);
  await tx.unsafe(`
    GRANT USAGE ON SCHEMA public TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role};
    REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM ${role};
  `);
  const [audit] = await tx`SELECT to_regclass('public.audit') IS NOT NULL AS exists`;
  if (audit?.exists) await tx.unsafe(`REVOKE UPDATE, DELETE ON audit FROM ${role}`);
}
