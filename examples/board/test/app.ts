/** The app's processes as a test starts them: real ones, each with its own port, on one database and one Redis. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePort, type Services } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
export const ORIGIN = "http://board.test";

export type Env = Record<string, string>;

/** A complete, valid environment. The limits are out of the way: a test that is about one sets it. */
export function appEnv(services: Services, database: { ownerUrl: string; appUrl: string }): Env {
  const s3 = services.s3 ?? {
    endpoint: "http://127.0.0.1:9",
    bucket: "uploads",
    accessKeyId: "none",
    secretAccessKey: "none",
  };
  const secret = (name: string) => `${name}-${"x".repeat(32)}`;
  return {
    NODE_ENV: "production",
    SERVICE_NAME: "board",
    SLIPWAY_RELEASE: "7",
    SLIPWAY_BUILD: "b7",
    PUBLIC_URL: ORIGIN,
    FRONTEND_URL: ORIGIN,
    DATABASE_URL: database.appUrl,
    DATABASE_MIGRATE_URL: database.ownerUrl,
    DATABASE_POOL_SIZE: "4",
    REDIS_URL: services.redisUrl,
    REDIS_NAMESPACE: `test-${crypto.randomUUID().slice(0, 8)}`,
    S3_ENDPOINT: s3.endpoint,
    S3_PUBLIC_ENDPOINT: s3.endpoint,
    S3_BUCKET: s3.bucket,
    S3_PREFIX: "previews/pr-1/",
    S3_ACCESS_KEY_ID: s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    JWT_SECRET: secret("jwt"),
    JWT_REFRESH_SECRET: secret("refresh"),
    CRON_SECRET: secret("cron"),
    WEBHOOK_SECRET: secret("webhook"),
    RATE_LIMIT_REQUESTS: "100000",
    WS_MESSAGE_LIMIT: "100000",
    WS_CONNECTIONS_PER_IP: "1000",
  };
}

export interface Finished {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a process of the app to its end. */
export async function run(script: string, args: string[], env: Env): Promise<Finished> {
  const child = Bun.spawn(["bun", "run", `src/${script}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

export class Process {
  #output = "";
  #reading: Promise<void>;

  private constructor(
    private child: Subprocess<"ignore", "pipe", "pipe">,
    readonly url: string,
  ) {
    this.#reading = this.#read();
  }

  static async web(env: Env): Promise<Process> {
    const port = await freePort();
    return Process.#start(
      "web",
      { ...env, HOST: "127.0.0.1", PORT: String(port) },
      `http://127.0.0.1:${port}`,
    );
  }

  static worker(env: Env): Promise<Process> {
    return Process.#start("worker", env, "");
  }

  static async #start(script: string, env: Env, url: string): Promise<Process> {
    const started = Process.spawn(["bun", "run", `src/${script}.ts`], env, url);
    await started.logged((line) => line.event === "ready", 60_000);
    return started;
  }

  /** Any program that logs JSON lines; not yet known to be ready. It goes when the test run goes. */
  static spawn(cmd: string[], env: Env, url: string): Process {
    const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...cmd], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? "", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    return new Process(child, url);
  }

  get pid(): number {
    return this.child.pid;
  }

  get exited(): Promise<number> {
    return this.child.exited;
  }

  /** Everything written so far, as it was written. */
  get output(): string {
    return this.#output;
  }

  /** The log so far. A line that is not JSON throws: nothing but JSON lines may be written. */
  get log(): Record<string, unknown>[] {
    const whole = this.#output.slice(0, this.#output.lastIndexOf("\n") + 1);
    return whole
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** The first log line that fits, waiting for it. */
  async logged(
    fits: (line: Record<string, unknown>) => boolean,
    timeoutMs = 20_000,
  ): Promise<Record<string, unknown>> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const ended = this.child.exitCode;
      if (ended !== null) await this.#reading;
      const line = this.log.find(fits);
      if (line) return line;
      if (ended !== null) throw new Error(`exited ${ended}: ${this.#output}`);
      if (Date.now() > deadline) throw new Error(`not logged in ${timeoutMs} ms: ${this.#output}`);
      await Bun.sleep(10);
    }
  }

  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.child.kill(name);
  }

  /** SIGTERM, and the exit code that follows. */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    const code = await this.child.exited;
    await this.#reading;
    return code;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const take = async (stream: ReadableStream<Uint8Array>) => {
      for await (const chunk of stream) this.#output += decoder.decode(chunk, { stream: true });
    };
    await Promise.all([take(this.child.stdout), take(this.child.stderr)]);
  }
}
