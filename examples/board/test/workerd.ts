/** The Worker as a test starts it: the bundle that is shipped, on Cloudflare's own runtime, with a disk for its object. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import deploy from "../worker/deploy.json" with { type: "json" };
import { type Env, Process } from "./app.ts";
import { freePort } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
const WORKERD = join(ROOT, "worker/node_modules/workerd/bin/workerd");

export class Workerd {
  private constructor(
    readonly process: Process,
    private dir: string,
  ) {}

  get url(): string {
    return this.process.url;
  }

  static async start(bindings: Env): Promise<Workerd> {
    if (!existsSync(WORKERD))
      throw new Error("workerd is missing: bun install --cwd worker --frozen-lockfile");
    const dir = mkdtempSync(join(tmpdir(), "board-worker-"));
    const build = Bun.spawnSync(["bun", "run", "worker:build", "--outfile", join(dir, deploy.main_module)], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? "" },
    });
    if (!build.success) throw new Error(build.stderr.toString());
    const port = await freePort();
    writeFileSync(join(dir, "config.capnp"), configuration(dir, port, bindings));
    const process_ = Process.spawn(
      [WORKERD, "serve", join(dir, "config.capnp")],
      {},
      `http://127.0.0.1:${port}`,
    );
    const started = new Workerd(process_, dir);
    await started.#listening();
    return started;
  }

  async stop(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.exited;
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #listening(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      if (await fetch(`${this.url}/health`).catch(() => null)) return;
      await Bun.sleep(20);
    }
    throw new Error(`workerd does not listen: ${this.process.output}`);
  }
}

function configuration(dir: string, port: number, bindings: Env): string {
  const text = Object.entries(bindings).map(
    ([name, value]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(value)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "board", worker = .board),
    (name = "disk", disk = (path = ${JSON.stringify(dir)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "board")],
);
const board :Workerd.Worker = (
  modules = [(name = "${deploy.main_module}", esModule = embed "${deploy.main_module}")],
  compatibilityDate = "${deploy.compatibility_date}",
  compatibilityFlags = ${JSON.stringify(deploy.compatibility_flags)},
  bindings = [
    (name = "${deploy.binding}", durableObjectNamespace = "${deploy.class_name}"),
    ${text.join(",\n    ")}
  ],
  durableObjectNamespaces = [(className = "${deploy.class_name}", uniqueKey = "board", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
`;
}
