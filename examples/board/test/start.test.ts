/** Processes that lose Redis while they start. One that ends is started again; one that lives on must do its work. */
import { expect, test } from "bun:test";
import { Process } from "./app.ts";
import { Person, request } from "./person.ts";
import { CutOnce, freePort } from "./services.ts";
import { newBoard, services } from "./world.ts";

const board = await newBoard();
const ann = await Person.signUp((await board.web()).url);

type Script = "web" | "worker";
/** As long as any test here waits for a process to start. */
const WAIT_MS = 60_000;

async function start(script: Script, redisUrl: string): Promise<Process> {
  const port = await freePort();
  const env = { ...board.env, REDIS_URL: redisUrl, HOST: "127.0.0.1", PORT: String(port) };
  return Process.spawn(["bun", "run", `src/${script}.ts`], env, `http://127.0.0.1:${port}`);
}

/** Its exit code, or "ready", whichever comes first. */
async function outcome(process: Process): Promise<number | "ready"> {
  const ended = (error: unknown) =>
    Promise.race([process.exited, Bun.sleep(1_000).then(() => Promise.reject(error))]);
  return process.logged((line) => line.event === "ready", WAIT_MS).then(() => "ready" as const, ended);
}

const doesItsWork: Record<Script, (process: Process) => Promise<unknown>> = {
  async web(process) {
    const latest = Date.now() + WAIT_MS;
    while ((await request(process.url, "GET", "/ready")).status !== 200) {
      if (Date.now() > latest) throw new Error(`not ready again: ${process.output}`);
      await Bun.sleep(50);
    }
  },
  async worker(process) {
    const { body: task } = await ann.call("POST", "/api/tasks", { title: "To be done" });
    await ann.call("PATCH", `/api/tasks/${task.id}`, { status: "done" });
    await process.logged((line) => line.event === "job_done", WAIT_MS);
  },
};

for (const script of ["web", "worker"] as const)
  test(`${script} loses Redis at any moment of its start: it says so and ends, or does its work`, async () => {
    const whole = await CutOnce.before(services.redisUrl, Number.POSITIVE_INFINITY);
    const undisturbed = await start(script, whole.url);
    expect(await outcome(undisturbed)).toBe("ready");
    const moments = whole.heard;
    await undisturbed.stop();
    whole.stop();

    for (let moment = 1; moment <= moments; moment++) {
      const redis = await CutOnce.before(services.redisUrl, moment);
      const process = await start(script, redis.url);
      const ended = await outcome(process);
      if (ended === "ready") await doesItsWork[script](process);
      else {
        expect(ended).toBe(1);
        await process.logged((line) => line.event === "boot_failed");
      }
      process.signal("SIGKILL");
      redis.stop();
    }
  }, 300_000);
