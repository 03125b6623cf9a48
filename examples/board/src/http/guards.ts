/** Who may call a route. Each adds `user` to the routes after it, or answers 401 or 403. */
import { Elysia } from "elysia";
import { findUser } from "../auth/users.ts";
import type { Sql } from "../db/sql.ts";
import { contextOf } from "./context.ts";
import { forbidden, unauthorized } from "./problem.ts";

/** Adds `act`: who does it, in which request. */
export const signedIn = new Elysia({ name: "signed-in" }).resolve({ as: "scoped" }, ({ request }) => {
  const { user, requestId } = contextOf(request);
  if (!user) throw unauthorized();
  return { user, act: { actorId: user.id, requestId } };
});

export const adminOnly = (sql: Sql) =>
  new Elysia({ name: "admin-only" }).resolve({ as: "scoped" }, async ({ request }) => {
    const { user } = contextOf(request);
    if (!user) throw unauthorized();
    // Not the token's word for it: someone who was an admin a minute ago may not be one now.
    const current = await findUser(sql, user.id);
    if (current?.role !== "admin") throw forbidden();
    return { admin: current };
  });
