/** The world that all tests share: one PostgreSQL, one Redis, one object store. Each test file brings its own database. */
import { afterAll, setDefaultTimeout } from "bun:test";
import { readMigrations } from "../src/db/migrations.ts";
import { migrateUp } from "../src/db/migrator.ts";
import { openDatabase, type Sql } from "../src/db/sql.ts";
import { appEnv, type Env, Process } from "./app.ts";
import { type Services, startServices } from "./services.ts";

// Real processes on a busy machine: a test is given time, and none of them waits for it to pass.
setDefaultTimeout(20_000);

export const services: Services = await startServices();
afterAll(() => services.stop());

export interface Board {
  env: Env;
  /** As the schema's owner: for what a test arranges or looks up behind the app's back. */
  sql: Sql;
  web(overrides?: Env): Promise<Process>;
  worker(overrides?: Env): Promise<Process>;
}

/** An installation of the app: a migrated database and a namespace of its own. What it starts, the file's end stops. */
export async function newBoard(overrides: Env = {}): Promise<Board> {
  const database = await services.createDatabase();
  const env = { ...appEnv(services, database), ...overrides };
  const sql = openDatabase(database.ownerUrl, { poolSize: 4 });
  await migrateUp(sql, readMigrations(), "board_app");
  const started: Process[] = [];
  afterAll(async () => {
    for (const process of started) process.signal("SIGKILL");
    await sql.close({ timeout: 0 });
  });
  const keep = async (process: Promise<Process>) => {
    started.push(await process);
    return process;
  };
  return {
    env,
    sql,
    web: (more = {}) => keep(Process.web({ ...env, ...more })),
    worker: (more = {}) => keep(Process.worker({ ...env, ...more })),
  };
}
