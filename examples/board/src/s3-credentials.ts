/** Who asks the object store: an account of the environment's, or, on EC2 without one, the instance's own role. */
import type { WorkerEnv } from "./env.ts";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of a role. */
  sessionToken?: string;
}

const METADATA = process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? "http://169.254.169.254";
const TIMEOUT_MS = 2_000;
/** A URL that is presigned now must outlive the five minutes it is given. */
const RENEW_BEFORE_MS = 10 * 60_000;

/** Resolves to the credentials of this moment; a role's are asked for again before they end. */
export function s3Credentials(
  env: Pick<WorkerEnv, "S3_ACCESS_KEY_ID" | "S3_SECRET_ACCESS_KEY">,
  metadata = METADATA,
): () => Promise<Credentials> {
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId && secretAccessKey) return async () => ({ accessKeyId, secretAccessKey });

  if (accessKeyId || secretAccessKey)
    throw new Error("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together");

  let held: { credentials: Credentials; ends: number } | undefined;
  let asking: Promise<Credentials> | undefined;
  const renew = async () => {
    held = await ofTheInstance(metadata);
    return held.credentials;
  };
  return () => {
    if (held && held.ends - Date.now() > RENEW_BEFORE_MS) return Promise.resolve(held.credentials);
    asking ??= renew().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** IMDSv2: a token first, so that nobody else's request through us can ask. */
async function ofTheInstance(metadata: string): Promise<{ credentials: Credentials; ends: number }> {
  const token = await ask(`${metadata}/latest/api/token`, "PUT", {
    "x-aws-ec2-metadata-token-ttl-seconds": "60",
  });
  const roles = `${metadata}/latest/meta-data/iam/security-credentials/`;
  const header = { "x-aws-ec2-metadata-token": token };
  const role = (await ask(roles, "GET", header)).trim();
  const found = JSON.parse(await ask(roles + role, "GET", header)) as Record<string, string>;
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = found;
  if (!AccessKeyId || !SecretAccessKey || !Expiration) throw new Error("the instance has no role");
  return {
    credentials: {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(Token ? { sessionToken: Token } : {}),
    },
    ends: Date.parse(Expiration),
  };
}

async function ask(url: string, method: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the instance's metadata answered ${response.status}`);
  return response.text();
}
