/** What each message on a socket does. Knows neither Bun nor HTTP, so the same router serves under other runtimes. */
import type { PubSubAdapter } from "@ws-kit/core/pubsub";
import { createRouter, withPubSub, withZod } from "@ws-kit/zod";
import type { Identity, Tokens } from "../auth/tokens.ts";
import { errorFields } from "../error-fields.ts";
import type { Lines } from "../log.ts";
import { Auth, Authenticated, BOARD, CLOSE, Ping, Pong, refusalFrame, Said, Say } from "./messages.ts";

export interface BoardRouterOptions {
  /** Who answers: an echo tells it. */
  host: string;
  release: number | null;
  tokens: Pick<Tokens, "readAccess">;
  topics: PubSubAdapter;
  log: Pick<Lines, "error">;
  /** Told when a socket has proved who is on it. */
  onSignIn(ws: unknown, user: Identity): void;
}

interface Connection extends Record<string, unknown> {
  user?: Identity;
}

export function createBoardRouter({ host, release, tokens, topics, log, onSignIn }: BoardRouterOptions) {
  const router = createRouter<Connection>()
    .plugin(withZod())
    .plugin(withPubSub({ adapter: topics }));

  router.use(async (ctx, next) => {
    if (ctx.data.user || ctx.type === "AUTH") return next();
    ctx.ws.send(refusalFrame({ code: "UNAUTHENTICATED", message: "the first message must be AUTH" }));
  });

  router.on(Auth, async (ctx) => {
    const user = await tokens.readAccess(ctx.payload.token);
    if (!user) return ctx.ws.close(CLOSE.unauthenticated, "the token is not valid");
    ctx.assignData({ user });
    onSignIn(ctx.ws, user);
    // Subscribed before it is told, so that nothing between the two is missed.
    await ctx.topics.subscribe(BOARD);
    ctx.send(Authenticated, { userId: user.id });
  });

  router.on(Ping, (ctx) => {
    ctx.send(Pong, { n: ctx.payload.n, host, release });
  });

  router.on(Say, async (ctx) => {
    const user = ctx.data.user as Identity;
    await ctx.publish(BOARD, Said, { text: ctx.payload.text, from: user.id, name: user.name, host });
  });

  router.onError((error, ctx) => {
    if (error instanceof Error && "code" in error && error.code === "VALIDATION_ERROR") {
      const message = "the payload does not fit this message type";
      if (ctx && "ws" in ctx) ctx.ws.send(refusalFrame({ code: "INVALID_ARGUMENT", message }));
    } else {
      log.error({ event: "ws_error", type: ctx?.type, ...errorFields(error) });
    }
  });

  return router;
}

export type BoardRouter = ReturnType<typeof createBoardRouter>;
