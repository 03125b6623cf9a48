import { expect, test } from "bun:test";
import { Person } from "./person.ts";
import { newBoard } from "./world.ts";

const board = await newBoard();
const web = await board.web();

const seconds = () => Math.floor(Date.now() / 1000);
const sign = (body: string, at: number, key: string, secret = board.env.WEBHOOK_SECRET as string) =>
  `v1=${new Bun.CryptoHasher("sha256", secret).update(`${at}.${key}.${body}`).digest("hex")}`;

async function deliver(title: string, key: string, { at = seconds(), signature = "" } = {}) {
  const body = JSON.stringify({ title });
  const response = await fetch(`${web.url}/webhooks/inbound`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-webhook-timestamp": String(at),
      "x-webhook-signature": signature || sign(body, at, key),
      "idempotency-key": key,
    },
  });
  return { status: response.status, body: (await response.json()) as { status: string } };
}

test("a webhook delivered twice, even at once, acts once", async () => {
  const ann = await Person.signUp(web.url);
  const wire = await ann.connect();
  const answers = await Promise.all([deliver("Once", "delivery-1"), deliver("Once", "delivery-1")]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(answers.map(({ body }) => body.status).sort()).toEqual(["accepted", "duplicate"]);
  expect((await deliver("Once", "delivery-1")).body.status).toBe("duplicate");
  await wire.next("TASK_CREATED");
  const { body: tasks } = await ann.call("GET", "/api/tasks");
  expect(tasks.filter((task: { title: string }) => task.title === "Once")).toHaveLength(1);
});

test("one that is unsigned, signed by another, changed or old does nothing", async () => {
  const other = sign(
    JSON.stringify({ title: "Forged" }),
    seconds(),
    "delivery-2",
    "another-secret-that-is-long-enough-to-use",
  );
  expect((await deliver("Forged", "delivery-2", { signature: "v1=00" })).status).toBe(401);
  expect((await deliver("Forged", "delivery-2", { signature: other })).status).toBe(401);
  expect(
    (await deliver("Forged", "delivery-2", { signature: sign('{"title":"Else"}', seconds(), "delivery-2") }))
      .status,
  ).toBe(401);
  expect((await deliver("Forged", "delivery-2", { at: seconds() - 400 })).status).toBe(401);
  expect(await board.sql`SELECT 1 FROM webhook_events WHERE idempotency_key = 'delivery-2'`).toHaveLength(0);
});

test("exploit: a recorded call does not act again under another key", async () => {
  const [at, body] = [seconds(), JSON.stringify({ title: "Recorded" })];
  const signature = sign(body, at, "delivery-4");
  expect((await deliver("Recorded", "delivery-4", { at, signature })).body.status).toBe("accepted");
  expect((await deliver("Recorded", "delivery-5", { at, signature })).status).toBe(401);
});

test("one without a usable key or body is refused, and its key stays free", async () => {
  expect((await deliver("x", "short", { signature: sign('{"title":"x"}', seconds(), "") })).status).toBe(400);
  expect((await deliver("", "delivery-3")).status).toBe(422);
  expect((await deliver("Right now", "delivery-3")).body.status).toBe("accepted");
});
