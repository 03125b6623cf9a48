/** Real PostgreSQL (behind PgBouncer), Redis and S3 for the tests: on loopback, random ports, throwaway data. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL, type Subprocess } from "bun";

export interface Services {
  /** The owner, straight to the server; the app's role, through the pooler where there is one. */
  ownerUrl: string;
  appUrl: string;
  redisUrl: string;
  /** Null when no versitygw binary is at hand: tests that need uploads are skipped. */
  s3: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string } | null;
  /** A Redis of one's own, for a test that takes it away. */
  ownRedis(): Promise<OwnRedis>;
  /** A new empty database and what to call it in the two URLs above. */
  createDatabase(): Promise<{ ownerUrl: string; appUrl: string }>;
  stop(): Promise<void>;
}

export interface OwnRedis {
  url: string;
  stop(): Promise<void>;
  /** On the same port, empty. */
  start(): Promise<void>;
}

const OWNER_PASSWORD = "owner-of-a-throwaway-database";
const APP_PASSWORD = "app-of-a-throwaway-database";

export async function startServices(): Promise<Services> {
  const dir = mkdtempSync(join(tmpdir(), "board-test-"));
  chmodSync(dir, 0o755);
  const children: Subprocess[] = [];
  const start: Start = (cmd) => {
    // A server whose test run was killed goes with it.
    const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...cmd], {
      cwd: dir,
      stdout: "ignore",
      stderr: "ignore",
    });
    children.push(child);
    return child;
  };

  const [database, redis, s3] = await Promise.all([
    startPostgres(dir, start),
    startRedis(dir, start),
    startS3(dir, start),
  ]);
  let databases = 0;

  return {
    ...database.urls("postgres"),
    redisUrl: redis.url,
    s3,
    ownRedis: () => startRedis(dir, start),
    async createDatabase() {
      const name = `board_${++databases}`;
      const admin = new SQL({ url: database.urls("postgres").ownerUrl, max: 1 });
      await admin.unsafe(`CREATE DATABASE ${name}`);
      await admin.close();
      return database.urls(name);
    },
    async stop() {
      // SIGQUIT is PostgreSQL's immediate shutdown, with which it cleans up after itself; the others leave nothing.
      for (const child of children) child.kill("SIGQUIT");
      await Promise.race([Promise.all(children.map((child) => child.exited)), Bun.sleep(500)]);
      for (const child of children) child.kill("SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

type Start = (cmd: string[]) => Subprocess;

/** The two servers that refuse to run as root run as this user. It executes and does not fork: the pid is the server's. */
const AS_POSTGRES =
  process.getuid?.() === 0 ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] : [];

async function startPostgres(dir: string, start: Start) {
  const bin = postgresBin();
  const data = join(dir, "postgres");
  const port = await freePort();
  mkdirSync(data);
  if (AS_POSTGRES.length) Bun.spawnSync(["chown", "postgres:", data]);
  const init = Bun.spawnSync(
    [
      ...AS_POSTGRES,
      join(bin, "initdb"),
      "-D",
      data,
      "-U",
      "postgres",
      "-A",
      "trust",
      "--no-sync",
      "-E",
      "UTF8",
    ],
    { cwd: "/" },
  );
  if (!init.success) throw new Error(`initdb: ${init.stderr}`);
  // `trust` is for the superuser of this throwaway server; the two roles sign in with SCRAM, as in production.
  writeFileSync(
    join(data, "pg_hba.conf"),
    "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
  );
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    fsync: "off",
    max_connections: 200,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  start([...AS_POSTGRES, join(bin, "postgres"), "-D", data, ...flags]);

  const superuser = new SQL({ url: `postgres://postgres@127.0.0.1:${port}/postgres`, max: 1 });
  await until("PostgreSQL", () => superuser`SELECT 1`);
  await superuser.unsafe(`
    CREATE ROLE board_owner LOGIN CREATEDB PASSWORD '${OWNER_PASSWORD}';
    CREATE ROLE board_app LOGIN PASSWORD '${APP_PASSWORD}';
    ALTER ROLE board_app SET statement_timeout = '5s';
  `);
  await superuser.close();

  const appPort = Bun.which("pgbouncer", { PATH: `${process.env.PATH}:/usr/sbin` })
    ? await startPgBouncer(dir, port, start)
    : port;
  return {
    urls: (database: string) => ({
      ownerUrl: `postgres://board_owner:${OWNER_PASSWORD}@127.0.0.1:${port}/${database}`,
      appUrl: `postgres://board_app:${APP_PASSWORD}@127.0.0.1:${appPort}/${database}`,
    }),
  };
}

async function startPgBouncer(dir: string, postgresPort: number, start: Start) {
  const port = await freePort();
  const home = join(dir, "pgbouncer");
  mkdirSync(home);
  writeFileSync(join(home, "users.txt"), `"board_app" "${APP_PASSWORD}"\n`);
  writeFileSync(
    join(home, "pgbouncer.ini"),
    `[databases]
* = host=127.0.0.1 port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${home}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 10
`,
  );
  const bin = Bun.which("pgbouncer", { PATH: `${process.env.PATH}:/usr/sbin` }) as string;
  start([...AS_POSTGRES, bin, "-q", join(home, "pgbouncer.ini")]);
  await until("PgBouncer", () => connects(port));
  return port;
}

async function startRedis(dir: string, start: Start): Promise<OwnRedis> {
  const home = mkdtempSync(join(dir, "redis-"));
  const port = await freePort();
  const settings = {
    port,
    bind: "127.0.0.1",
    dir: home,
    save: "",
    requirepass: "throwaway",
    "maxmemory-policy": "noeviction",
  };
  const command = [
    "redis-server",
    ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ];
  const url = `redis://:throwaway@127.0.0.1:${port}`;
  let child: Subprocess | undefined;
  const redis: OwnRedis = {
    url,
    async stop() {
      child?.kill("SIGKILL");
      await child?.exited;
    },
    async start() {
      child = start(command);
      await until("Redis", async () => {
        const client = new RedisClient(url, { autoReconnect: false });
        await client.ping().finally(() => client.close());
      });
    },
  };
  await redis.start();
  return redis;
}

/** Stands before Redis, and cuts every connection once: when it has heard something for the `cut`th time. */
export class CutOnce {
  heard = 0;
  #sockets = new Set<Socket>();

  private constructor(
    private server: Server,
    readonly url: string,
  ) {}

  static async before(redisUrl: string, cut: number): Promise<CutOnce> {
    const target = new URL(redisUrl);
    const server = createServer((client) => {
      const redis = createConnection(Number(target.port), target.hostname);
      for (const [from, to] of [
        [client, redis],
        [redis, client],
      ] as const) {
        proxy.#sockets.add(from);
        from.on("error", () => {}).on("close", () => to.destroy());
      }
      redis.on("data", (data) => client.write(data));
      client.on("data", (data) => {
        if (++proxy.heard === cut) proxy.#cut();
        else redis.write(data);
      });
    });
    const port = await freePort();
    const url = Object.assign(new URL(redisUrl), { port: String(port) });
    const proxy = new CutOnce(server, url.href);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return proxy;
  }

  stop(): void {
    this.server.close();
    this.#cut();
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}

async function startS3(dir: string, start: Start): Promise<Services["s3"]> {
  const bin = process.env.VERSITYGW ?? Bun.which("versitygw");
  if (!bin) return null;
  const data = join(dir, "s3");
  // With the POSIX backend a directory is a bucket.
  mkdirSync(join(data, "uploads"), { recursive: true });
  const port = await freePort();
  const keys = { accessKeyId: "throwaway", secretAccessKey: "throwaway-secret" };
  start([
    bin,
    "--port",
    `127.0.0.1:${port}`,
    "--access",
    keys.accessKeyId,
    "--secret",
    keys.secretAccessKey,
    "posix",
    data,
  ]);
  await until("versitygw", () => connects(port));
  return { endpoint: `http://127.0.0.1:${port}`, bucket: "uploads", ...keys };
}

function postgresBin(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((v) => join(root, v, "bin")).find((bin) => existsSync(join(bin, "initdb")));
  if (found) return found;
  const initdb = Bun.which("initdb");
  if (!initdb) throw new Error("no PostgreSQL server found: install postgresql");
  return join(initdb, "..");
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function connects(port: number): Promise<void> {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  socket.end();
}

async function until(what: string, attempt: () => PromiseLike<unknown>): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what} did not start`, { cause: error });
      await Bun.sleep(25);
    }
  }
}
