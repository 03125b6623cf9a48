import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkEnv, VARIABLES } from "../src/env.ts";
import { features } from "../src/features.ts";
import { appEnv, run } from "./app.ts";
import { services } from "./world.ts";

const good = appEnv(services, services);
const problems = (overrides: Record<string, string | undefined>) => {
  const checked = checkEnv("web", { ...good, ...overrides });
  return "problems" in checked ? checked.problems : [];
};

describe("the environment", () => {
  test("a complete one is accepted, with defaults for the rest", () => {
    const checked = checkEnv("web", good);
    expect(checked).toMatchObject({ env: { HOST: "127.0.0.1", TRUSTED_PROXY_HOPS: 1, SLIPWAY_RELEASE: 7 } });
  });

  test.each([
    ["JWT_SECRET", undefined, "env: JWT_SECRET: is not set"],
    ["JWT_SECRET", "", "env: JWT_SECRET: is not set"],
    ["JWT_SECRET", "hunter2", "env: JWT_SECRET: must be at least 32 characters"],
    ["PORT", "eighty", "env: PORT: must be a number"],
    ["PORT", "80000", "env: PORT: must be at most 65535"],
    [
      "DATABASE_URL",
      "mysql://hunter2@db/x",
      "env: DATABASE_URL: must be a URL with the scheme postgres or postgresql",
    ],
    [
      "FRONTEND_URL",
      "https://board.example/app",
      "must be an origin such as https://board.example, without a path",
    ],
    ["FRONTEND_URL", "*", "env: FRONTEND_URL: must be a URL with the scheme https or http"],
    ["NODE_ENV", "hunter2", "env: NODE_ENV: must be one of production, development, test"],
  ])("%s = %p is refused by name, without its value", (name, value, expected) => {
    const lines = problems({ [name]: value });
    expect(lines.join("\n")).toContain(expected);
    expect(lines.join("\n")).not.toContain("hunter2");
  });

  test("no two secrets may be alike", () => {
    expect(problems({ CRON_SECRET: good.JWT_SECRET })).toEqual([
      "env: CRON_SECRET: must differ from JWT_SECRET",
    ]);
  });

  test("a Worker is told nothing without a secret of its own", () => {
    const worker = { REALTIME_URL: "https://rt.board.example" };
    expect(problems(worker)).toEqual(["env: REALTIME_SECRET: is not set"]);
    expect(problems({ ...worker, REALTIME_SECRET: good.JWT_SECRET })).toEqual([
      "env: REALTIME_SECRET: must differ from JWT_SECRET",
    ]);
    expect(problems({ ...worker, REALTIME_SECRET: "r".repeat(32) })).toEqual([]);
  });

  test("every wrong variable has its line, and the process exits 78 before it does anything", async () => {
    const { exitCode, stderr } = await run("web", [], {
      ...good,
      JWT_SECRET: "hunter2",
      REDIS_URL: "nowhere",
    });
    expect(exitCode).toBe(78);
    expect(stderr.trim().split("\n").sort()).toEqual([
      "env: JWT_SECRET: must be at least 32 characters",
      "env: REDIS_URL: must be a URL with the scheme redis or rediss",
    ]);
  });

  test("a flag is on, off, or what it is by default", () => {
    expect(features({ FEATURE_CHAT: "false", FEATURE_NEW: "true" })).toEqual({ chat: false, new: true });
    expect(features({})).toEqual({ chat: true });
  });
});

describe("where the environment is written down", () => {
  const root = join(import.meta.dir, "..");

  test(".env.example names every variable and holds no secret", async () => {
    const lines = (await Bun.file(join(root, ".env.example")).text()).split("\n");
    const entries = lines
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => line.split("=", 2) as [string, string]);
    const names = entries.map(([name]) => name).filter((name) => !name.startsWith("FEATURE_"));
    expect(names.sort()).toEqual([...VARIABLES].sort());
    const filled = entries.filter(([name, value]) => value && /SECRET|PASSWORD|KEY|_URL$|DSN/.test(name));
    expect(filled.map(([name]) => name).sort()).toEqual(["FRONTEND_URL", "PUBLIC_URL"]);
  });

  test("slipway.toml gives every variable that has no default, and no other", async () => {
    const { env } = Bun.TOML.parse(await Bun.file(join(root, "slipway.toml")).text()) as { env: object };
    const declared = Object.keys(env).filter((name) => !name.startsWith("FEATURE_"));
    expect(declared.filter((name) => !VARIABLES.includes(name))).toEqual([]);
    const missing = (contract: "web" | "worker" | "migrate") => {
      const checked = checkEnv(contract, {});
      return "problems" in checked ? checked.problems.map((line) => line.split(":")[1]?.trim()) : [];
    };
    const required = [...missing("web"), ...missing("worker"), ...missing("migrate")];
    expect(required.filter((name) => !declared.includes(name as string))).toEqual([]);
  });
});
