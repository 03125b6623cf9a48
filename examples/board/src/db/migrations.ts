/** The migrations of this build: files in `migrations/`, named 0001_what.up.sql with a .down.sql beside each. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Sql } from "./sql.ts";

export interface Migration {
  id: string;
  checksum: string;
  up: string;
  down: string;
  /** Takes something away that the previous release still needs: a rollback past it is barred. */
  contract: boolean;
}

export const MIGRATIONS_DIR = join(import.meta.dir, "../../migrations");

export function readMigrations(dir = MIGRATIONS_DIR): Migration[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith(".up.sql"))
    .sort()
    .map((name) => {
      const id = name.slice(0, -".up.sql".length);
      const up = readFileSync(join(dir, name), "utf8");
      return {
        id,
        up,
        down: readFileSync(join(dir, `${id}.down.sql`), "utf8"),
        checksum: new Bun.CryptoHasher("sha256").update(up).digest("hex"),
        contract: /^-- slipway: contract\s*$/m.test(up),
      };
    });
}

/** Ids of this build's migrations that the database has not seen. Reads names only: it runs on every start. */
export async function pendingMigrations(sql: Sql, dir = MIGRATIONS_DIR): Promise<string[]> {
  const ids = readdirSync(dir)
    .filter((name) => name.endsWith(".up.sql"))
    .map((name) => name.slice(0, -".up.sql".length))
    .sort();
  const applied = new Set((await appliedMigrations(sql)).map((row) => row.id));
  return ids.filter((id) => !applied.has(id));
}

export interface Applied {
  id: string;
  checksum: string;
  applied_at: Date;
}

/** What the database has seen, oldest first. A database without the table has seen nothing. */
export async function appliedMigrations(sql: Sql): Promise<Applied[]> {
  try {
    return await sql`SELECT id, checksum, applied_at FROM schema_migrations ORDER BY id`;
  } catch (error) {
    if ((error as { errno?: string }).errno === "42P01") return [];
    throw error;
  }
}
