import { describe, expect, test } from "bun:test";
import { appliedMigrations, readMigrations } from "../src/db/migrations.ts";
import { MigrationRefused, migrateDown, migrateUp } from "../src/db/migrator.ts";
import { openDatabase } from "../src/db/sql.ts";
import { appEnv, run } from "./app.ts";
import { newBoard, services } from "./world.ts";

const all = readMigrations();
const ids = all.map((migration) => migration.id);
const broken = {
  id: "9999_broken",
  checksum: "x",
  up: "CREATE TABLE half (id int); SELECT 1/0;",
  down: "",
  contract: false,
};

async function emptyDatabase() {
  const database = await services.createDatabase();
  return {
    env: appEnv(services, database),
    sql: openDatabase(database.ownerUrl, { poolSize: 4 }),
    ...database,
  };
}

describe("migrations", () => {
  test("up, twice, status, and all the way down again", async () => {
    const { env, sql } = await emptyDatabase();
    const up = await run("migrate", ["up"], env);
    expect(up).toMatchObject({ exitCode: 0, stderr: "" });
    expect(up.stdout.trim().split("\n")).toEqual(ids.map((id) => `applied ${id}`));
    expect((await run("migrate", ["up"], env)).stdout).toBe("nothing to do\n");

    const status = JSON.parse((await run("migrate", ["status", "--json"], env)).stdout);
    expect(status).toMatchObject({ head: ids.at(-1), pending: [] });

    const first = ids[0] as string;
    await run("migrate", ["down", "--to", first], env);
    expect((await appliedMigrations(sql)).map((row) => row.id)).toEqual([first]);
    await run("migrate", ["down", "--to", "0"], env);
    const tables = await sql`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`;
    expect(tables.map((row: { tablename: string }) => row.tablename)).toEqual(["schema_migrations"]);
  });

  test("two runners at once apply each one once", async () => {
    const { sql } = await emptyDatabase();
    const [a, b] = await Promise.all([migrateUp(sql, all, "board_app"), migrateUp(sql, all, "board_app")]);
    expect([...a, ...b].sort()).toEqual(ids);
  });

  test("one that fails half-way leaves nothing of itself", async () => {
    const { sql } = await emptyDatabase();
    await expect(migrateUp(sql, [...all, broken], "board_app")).rejects.toThrow("division by zero");
    expect((await appliedMigrations(sql)).map((row) => row.id)).toEqual(ids);
    expect((await sql`SELECT to_regclass('half') IS NULL AS gone`)[0].gone).toBe(true);
  });

  test("one that was edited after it was applied is refused", async () => {
    const { sql } = await emptyDatabase();
    await migrateUp(sql, all, "board_app");
    const edited = all.map((migration) => ({ ...migration, checksum: "other" }));
    await expect(migrateUp(sql, edited, "board_app")).rejects.toThrow(MigrationRefused);
  });

  test("down refuses a migration that this build does not have", async () => {
    const { sql } = await emptyDatabase();
    await migrateUp(sql, all, "board_app");
    await expect(migrateDown(sql, all.slice(0, -1))).rejects.toThrow("not in this build");
  });

  test("up makes the smoke user, and follows its password", async () => {
    const { env, sql } = await emptyDatabase();
    const smoke = { SMOKE_EMAIL: "smoke@board.example", SMOKE_PASSWORD: "the first password" };
    await run("migrate", ["up"], { ...env, ...smoke });
    const [before] = await sql`SELECT role, password_hash FROM users`;
    expect(before.role).toBe("member");
    await run("migrate", ["up"], { ...env, ...smoke, SMOKE_PASSWORD: "the second password" });
    const [after] = await sql`SELECT password_hash FROM users`;
    expect(await Bun.password.verify("the second password", after.password_hash)).toBe(true);
  });

  test("up makes another smoke user, an ordinary one too", async () => {
    const { env, sql } = await emptyDatabase();
    const smoke = { SMOKE_EMAIL: "smoke@board.example", SMOKE_OTHER_EMAIL: "other@board.example" };
    await run("migrate", ["up"], { ...env, ...smoke, SMOKE_PASSWORD: "the first password" });
    expect([...(await sql`SELECT email, role FROM users ORDER BY email`)]).toEqual([
      { email: "other@board.example", role: "member" },
      { email: "smoke@board.example", role: "member" },
    ]);
  });

  test("the app's role cannot change the schema, the schema's history or the audit trail", async () => {
    const { sql, env } = await newBoard();
    await sql`INSERT INTO audit (actor_id, action, subject_id, request_id) VALUES ('a', 'b', 'c', 'd')`;
    const app = openDatabase(env.DATABASE_URL as string, { poolSize: 1 });
    for (const statement of [
      "ALTER TABLE tasks ADD COLUMN x int",
      "CREATE TABLE mine (id int)",
      "DELETE FROM schema_migrations",
      "UPDATE audit SET action = 'nothing'",
      "DELETE FROM audit",
    ]) {
      await expect(app.unsafe(statement).execute()).rejects.toThrow(/permission denied|must be owner/);
    }
    await app.close();
  });
});

describe("a build whose migrations are pending", () => {
  test.each(["web", "worker"])("%s refuses to start, and says what to do", async (process) => {
    const { env, sql } = await emptyDatabase();
    await migrateUp(sql, all.slice(0, -1), "board_app");
    const { exitCode, stdout } = await run(process, [], env);
    expect(exitCode).toBe(75);
    expect(stdout).toContain(`migrations are pending: ${ids.at(-1)}. Run: migrate up`);
  });
});
