/**
 * What the Worker is given. The same names and rules as in the app's environment; three more are its own.
 * Secrets are bindings of type `secret_text`: neither the bundle nor Pulumi's state ever holds them.
 */
import type { DurableObjectNamespace } from "@cloudflare/workers-types";
import { z } from "zod";
import { base, sockets } from "../src/env.ts";

const Settings = z
  .object({
    ...sockets,
    FRONTEND_URL: sockets.FRONTEND_URL.optional(),
    SERVICE_NAME: base.SERVICE_NAME,
    SLIPWAY_HOST: z.string().min(1).default("worker"),
    SLIPWAY_RELEASE: base.SLIPWAY_RELEASE,
    /** What the app proves itself with when it has news for the board. Without, nobody can publish from outside. */
    REALTIME_SECRET: sockets.JWT_SECRET.optional(),
    /** Most sockets of the object. */
    MAX_CONNECTIONS: z.coerce.number().int().min(1).max(32_768).default(10_000),
  })
  .refine((given) => given.REALTIME_SECRET !== given.JWT_SECRET, {
    path: ["REALTIME_SECRET"],
    message: "must differ from JWT_SECRET",
  })
  .transform((given) => ({ ...given, FRONTEND_URL: given.FRONTEND_URL ?? given.PUBLIC_URL }));

export type Settings = z.infer<typeof Settings>;

export interface Bindings extends Record<string, unknown> {
  BOARD: DurableObjectNamespace;
}

/** The settings, or the names of what is wrong; never a value. */
export function readSettings(bindings: Bindings): Settings | { wrong: string[] } {
  // Empty is how deployment tools spell "not set".
  const given = Object.fromEntries(Object.entries(bindings).filter(([, value]) => value !== ""));
  const parsed = Settings.safeParse(given);
  return parsed.success ? parsed.data : { wrong: parsed.error.issues.map((issue) => String(issue.path[0])) };
}
