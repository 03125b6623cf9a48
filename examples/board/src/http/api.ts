/** All routes as one Elysia app, and what an error in any of them becomes. */
import { Elysia } from "elysia";
import type { Tokens } from "../auth/tokens.ts";
import type { WebEnv } from "../env.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Limiter } from "../limits.ts";
import { errorFields } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { authRoutes } from "../routes/auth.ts";
import { cronRoutes } from "../routes/cron.ts";
import { openRoutes } from "../routes/open.ts";
import { operationRoutes } from "../routes/operations.ts";
import { peopleRoutes } from "../routes/people.ts";
import { taskRoutes } from "../routes/tasks.ts";
import { uploadRoutes } from "../routes/uploads.ts";
import { webhookRoutes } from "../routes/webhooks.ts";
import type { Services } from "../services.ts";
import type { BoardSockets } from "../ws/server.ts";
import { contextOf } from "./context.ts";
import { notFound, Problem, problemResponse, unexpectedResponse } from "./problem.ts";

export interface ApiParts {
  board: BoardSockets;
  tokens: Tokens;
  limiter: Limiter;
  metrics: Metrics;
  lifecycle: Lifecycle;
}

export function createApi(env: WebEnv, services: Services, parts: ApiParts) {
  const { log, report } = services;
  const { board, tokens, limiter, metrics, lifecycle } = parts;

  return new Elysia()
    .onError(({ code, error, request }) => {
      const { requestId } = contextOf(request);
      const problem = expected(code, error);
      if (problem) return problemResponse(problem, requestId);
      log.error({ event: "unexpected_error", requestId, ...errorFields(error) });
      report(error, { requestId });
      return unexpectedResponse(requestId);
    })
    .use(openRoutes(env, services))
    .use(operationRoutes(env, services, { metrics, sockets: board.sockets, lifecycle }))
    .use(authRoutes(env, services, { tokens, limiter }))
    .use(peopleRoutes(services))
    .use(taskRoutes(services, board.router))
    .use(uploadRoutes(services))
    .use(cronRoutes(env, services))
    .use(webhookRoutes(env, services, board.router));
}

/** What the caller did wrong, or null when it was us. */
function expected(code: unknown, error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (code === "NOT_FOUND") return notFound();
  if (code === "PARSE") return new Problem(400, "BAD_REQUEST", "the body cannot be parsed");
  if (code === "INVALID_COOKIE_SIGNATURE") return new Problem(400, "BAD_REQUEST", "the cookie is not valid");
  // A response that does not fit its schema is a bug of ours, and must not be sent.
  if (code === "VALIDATION" && (error as { type?: string }).type !== "response") {
    return new Problem(422, "INVALID", `not valid: ${(error as { type?: string }).type ?? "request"}`);
  }
  return null;
}
