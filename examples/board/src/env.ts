/** The environment contract: every variable the app reads, checked once, before anything else runs. */
import { z } from "zod";
import { EXIT } from "./exit.ts";

const integer = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback);
const secret = z.string().min(32, "must be at least 32 characters");
const url = (...schemes: string[]) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)), {
      message: `must be a URL with the scheme ${schemes.join(" or ")}`,
    });
/** An origin as browsers send it: a trailing slash is forgiven, a path could never match. */
const origin = url("https", "http")
  .refine((value) => URL.canParse(value) && [value, value.slice(0, -1)].includes(new URL(value).origin), {
    message: "must be an origin such as https://board.example, without a path",
  })
  .transform((value) => new URL(value).origin);

export const base = {
  NODE_ENV: z.enum(["production", "development", "test"]).default("development"),
  SERVICE_NAME: z.string().min(1).default("board"),
  SLIPWAY_RELEASE: z.coerce.number().int().positive().optional(),
  SLIPWAY_BUILD: z.string().min(1).optional(),
  SLIPWAY_HOST: z.string().min(1).optional(),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  SENTRY_DSN: url("https", "http").optional(),
  DATABASE_CA_FILE: z.string().min(1).optional(),
};

const runtime = {
  ...base,
  DATABASE_URL: url("postgres", "postgresql"),
  DATABASE_POOL_SIZE: integer(10, 1, 200),
  REDIS_URL: url("redis", "rediss"),
  REDIS_NAMESPACE: z.string().regex(/^[a-z0-9][a-z0-9:_-]*$/i, "must be letters, digits, : _ or -"),
  S3_ENDPOINT: url("https", "http"),
  S3_PUBLIC_ENDPOINT: url("https", "http"),
  S3_CA_FILE: z.string().min(1).optional(),
  S3_REGION: z.string().min(1).default("us-east-1"),
  S3_BUCKET: z.string().min(3),
  // Where a preview shares its bucket with others, what its keys begin with.
  S3_PREFIX: z
    .string()
    .regex(/^([A-Za-z0-9._-]+\/)*$/, "must end with /")
    .default(""),
  // Both, or neither: then the instance's own role is asked for.
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  SHUTDOWN_GRACE_MS: integer(8_000, 0, 600_000),
};

/** What a worker or a one-off task needs. */
const Worker = z.object({
  ...runtime,
  READY_FILE: z.string().min(1).optional(),
  SMOKE_EMAIL: z.email().optional(),
  SMOKE_PASSWORD: z.string().min(12, "must be at least 12 characters").optional(),
});

/** What holding sockets takes, on whichever runtime. */
export const sockets = {
  PUBLIC_URL: origin,
  FRONTEND_URL: origin,
  JWT_SECRET: secret,
  WS_MESSAGE_LIMIT: integer(100, 1, 1_000_000),
  WS_CONNECTIONS_PER_IP: integer(10, 1, 100_000),
  WS_AUTH_TIMEOUT_MS: integer(5_000, 10, 60_000),
  WS_IDLE_TIMEOUT_MS: integer(300_000, 10, 86_400_000),
  WS_MAX_PAYLOAD: integer(1_048_576, 1_024, 16_777_216),
};

/** What a web process needs. */
const Web = z
  .object({
    ...runtime,
    ...sockets,
    HOST: z.string().min(1).default("127.0.0.1"),
    PORT: integer(3000, 0, 65_535),
    JWT_REFRESH_SECRET: secret,
    CRON_SECRET: secret,
    WEBHOOK_SECRET: secret,
    REALTIME_URL: origin.optional(),
    REALTIME_SECRET: secret.optional(),
    TRUSTED_PROXY_HOPS: integer(1, 0, 10),
    RATE_LIMIT_REQUESTS: integer(100, 1, 1_000_000),
  })
  .superRefine((env, ctx) => {
    // One leaked secret must not open a second door.
    const names = [
      "JWT_SECRET",
      "JWT_REFRESH_SECRET",
      "CRON_SECRET",
      "WEBHOOK_SECRET",
      "REALTIME_SECRET",
    ] as const;
    for (const [i, name] of names.entries()) {
      const twin = env[name] && names.slice(0, i).find((earlier) => env[earlier] === env[name]);
      if (twin) ctx.addIssue({ code: "custom", path: [name], message: `must differ from ${twin}` });
    }
    if (env.REALTIME_URL && !env.REALTIME_SECRET) {
      ctx.addIssue({ code: "custom", path: ["REALTIME_SECRET"], message: "is needed with REALTIME_URL" });
    }
  });

/** What a migration needs: the owner's connection, and the name of the role that the app itself uses. */
const Migrate = z.object({
  ...base,
  DATABASE_MIGRATE_URL: url("postgres", "postgresql"),
  DATABASE_APP_ROLE: z
    .string()
    .regex(/^[a-z_][a-z0-9_]*$/, "must be a plain role name")
    .default("board_app"),
  SMOKE_EMAIL: z.email().optional(),
  SMOKE_OTHER_EMAIL: z.email().optional(),
  SMOKE_PASSWORD: z.string().min(12, "must be at least 12 characters").optional(),
});

const contracts = { web: Web, worker: Worker, migrate: Migrate };
type Contracts = typeof contracts;
export type BaseEnv = z.infer<z.ZodObject<typeof base>>;
export type WorkerEnv = z.infer<typeof Worker>;
export type WebEnv = z.infer<typeof Web>;
export type MigrateEnv = z.infer<typeof Migrate>;

/** Every variable of the contract. HOST and PORT too, and not the feature flags, whose names are free. */
export const VARIABLES = [
  ...new Set(Object.values(contracts).flatMap((contract) => Object.keys(contract.shape))),
];

/** The environment of one process, or exit 78 with a line for each variable that is wrong. */
export function loadEnv<Name extends keyof Contracts>(
  name: Name,
  source: Record<string, string | undefined> = process.env,
): z.infer<Contracts[Name]> {
  const checked = checkEnv(name, source);
  if ("problems" in checked) {
    for (const line of checked.problems) console.error(line);
    process.exit(EXIT.config);
  }
  return checked.env;
}

/** The same without the exit. A problem names the variable and what is wrong with it, never its value. */
export function checkEnv<Name extends keyof Contracts>(
  name: Name,
  source: Record<string, string | undefined>,
): { env: z.infer<Contracts[Name]> } | { problems: string[] } {
  // An empty value is how env files and CI systems spell "not set".
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ""));
  const parsed = contracts[name].safeParse(given);
  if (parsed.success) return { env: parsed.data as z.infer<Contracts[Name]> };
  return {
    problems: parsed.error.issues.map((issue) => {
      const variable = String(issue.path[0]);
      return `env: ${variable}: ${given[variable] === undefined ? "is not set" : describe(issue)}`;
    }),
  };
}

/** Zod's own messages may quote what they received; these never do. */
function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return issue.origin === "string"
        ? `must be at least ${issue.minimum} characters`
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_type":
      return `must be a ${issue.expected === "int" ? "whole number" : issue.expected}`;
    case "invalid_value":
      return `must be one of ${issue.values.join(", ")}`;
    case "invalid_format":
      return issue.format === "regex" ? issue.message : `must be a valid ${issue.format}`;
    default:
      return issue.code === "custom" ? issue.message : "is not valid";
  }
}
