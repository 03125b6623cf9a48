/** One-off tasks: task NAME [--input JSON] [options]. Bounded work, run with a release's environment, answering in JSON. */
import { parseArgs } from "node:util";
import { z } from "zod";
import { ensureSmokeUser, setRole } from "./auth/users.ts";
import { loadEnv, type WorkerEnv } from "./env.ts";
import { EXIT } from "./exit.ts";
import { drainOutbox } from "./jobs/outbox.ts";
import { openServices, type Services } from "./services.ts";

interface Task {
  input: z.ZodType;
  run(services: Services, input: never, env: WorkerEnv): Promise<unknown>;
}

const SetRole = z.strictObject({ email: z.email(), role: z.enum(["member", "admin"]) });
const Drain = z.strictObject({ batchSize: z.coerce.number().int().min(1).max(1_000).default(100) });

const TASKS: Record<string, Task> = {
  "users.ensure-smoke": {
    input: z.strictObject({}),
    async run({ sql }, _input: never, env) {
      if (!env.SMOKE_EMAIL || !env.SMOKE_PASSWORD)
        throw new Refused("SMOKE_EMAIL and SMOKE_PASSWORD are not set");
      await ensureSmokeUser(sql, env.SMOKE_EMAIL, env.SMOKE_PASSWORD);
      return { ensured: true };
    },
  },
  "users.set-role": {
    input: SetRole,
    async run({ sql }, { email, role }: z.infer<typeof SetRole>) {
      if (!(await setRole(sql, email, role))) throw new Refused("there is no user with that address");
      return { role };
    },
  },
  "outbox.drain": {
    input: Drain,
    run: ({ sql, jobs }, { batchSize }: z.infer<typeof Drain>) => drainOutbox(sql, jobs, batchSize),
  },
};

class Refused extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { input: { type: "string", default: "{}" }, "batch-size": { type: "string" } },
  });
  const task = TASKS[positionals[0] ?? ""];
  if (!task) throw new TypeError(`usage: task ${Object.keys(TASKS).join(" | ")} [--input JSON]`);
  const given = {
    ...parseJson(values.input),
    ...(values["batch-size"] ? { batchSize: values["batch-size"] } : {}),
  };
  const input = task.input.safeParse(given);
  if (!input.success) throw new TypeError(z.prettifyError(input.error));

  const env = loadEnv("worker");
  // Logs go where the other processes' go; the answer is the last line.
  const services = await openServices({ ...env, LOG_LEVEL: "warn" }, "task");
  try {
    console.log(JSON.stringify(await task.run(services, input.data as never, env)));
    return EXIT.ok;
  } finally {
    await services.close();
  }
}

function parseJson(text: string): object {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new TypeError("--input must be a JSON object");
  }
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`task: ${(error as Error).message}`);
  process.exit(error instanceof TypeError ? EXIT.usage : EXIT.failed);
}
