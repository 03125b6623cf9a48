/**
 * Webhooks from outside: a task for the board.
 * Signed as `X-Webhook-Signature: v1=<hex HMAC-SHA256 of "timestamp.key.body">` with `X-Webhook-Timestamp` in seconds
 * and an `Idempotency-Key`, because every sender retries. The key is signed too: else a recorded call acts again under
 * another one.
 */
import { Elysia } from "elysia";
import { z } from "zod";
import { audit } from "../board/audit.ts";
import { createTask, NewTask, type Task } from "../board/tasks.ts";
import type { WebEnv } from "../env.ts";
import { contextOf } from "../http/context.ts";
import { Problem, unauthorized } from "../http/problem.ts";
import { sameSecret } from "../http/secret.ts";
import type { Services } from "../services.ts";
import type { BoardRouter } from "../ws/board-router.ts";
import { BOARD, TaskCreated } from "../ws/messages.ts";

/** An older signature is a replay, or a clock that is wrong. */
const TOLERANCE_SECONDS = 300;

const Received = z.object({ status: z.enum(["accepted", "duplicate"]) });
const IdempotencyKey = z.string().regex(/^[A-Za-z0-9._:-]{8,128}$/);

export function webhookRoutes(env: WebEnv, { sql }: Services, router: Pick<BoardRouter, "publish">) {
  return new Elysia({ prefix: "/webhooks" }).post(
    "/inbound",
    async ({ request, headers, body }) => {
      const key = IdempotencyKey.safeParse(headers["idempotency-key"]);
      verify(headers["x-webhook-timestamp"], headers["x-webhook-signature"], key.data ?? "", body);
      if (!key.success) throw new Problem(400, "BAD_REQUEST", "Idempotency-Key is missing or malformed");
      const event = NewTask.safeParse(parse(body));
      if (!event.success) throw new Problem(422, "INVALID", "the body is not a task");

      const act = { actorId: "webhook", requestId: contextOf(request).requestId };
      const task = await sql.begin(async (tx): Promise<Task | null> => {
        // The key and the task commit together: a crash between them would lose the task or make it twice.
        const [first] = await tx`
          INSERT INTO webhook_events (idempotency_key) VALUES (${key.data}) ON CONFLICT DO NOTHING RETURNING 1`;
        if (!first) return null;
        await audit(tx, act, "webhook.accept", key.data);
        return createTask(tx, act, event.data, null);
      });
      if (!task) return { status: "duplicate" as const };
      await router.publish(BOARD, TaskCreated, { task });
      return { status: "accepted" as const };
    },
    // As text: the signature is over the bytes, not over what a parser made of them.
    { parse: "text", body: z.string(), response: Received },
  );

  function verify(
    timestamp: string | undefined,
    signature: string | undefined,
    key: string,
    body: string,
  ): void {
    const age = Math.abs(Date.now() / 1000 - Number(timestamp));
    const mac = new Bun.CryptoHasher("sha256", env.WEBHOOK_SECRET)
      .update(`${timestamp}.${key}.${body}`)
      .digest("hex");
    if (!(age <= TOLERANCE_SECONDS) || !sameSecret(signature ?? "", `v1=${mac}`)) throw unauthorized();
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
