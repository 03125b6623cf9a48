/** Who asks the object store: an account of the environment's, or, on AWS without one, the app's own role. */
import type { WorkerEnv } from "./env.ts";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of a role. */
  sessionToken?: string;
}

/** Where AWS's SDKs get a role's credentials. */
interface Place {
  url: string | undefined;
  token: string | undefined;
}

const PLACE: Place = {
  url: process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI,
  token: process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN,
};
const TIMEOUT_MS = 2_000;
/** A URL that is presigned now must outlive the five minutes it is given. */
const RENEW_BEFORE_MS = 10 * 60_000;

/** Resolves to the credentials of this moment; a role's are asked for again before they end. */
export function s3Credentials(
  env: Pick<WorkerEnv, "S3_ACCESS_KEY_ID" | "S3_SECRET_ACCESS_KEY">,
  place = PLACE,
): () => Promise<Credentials> {
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId && secretAccessKey) return async () => ({ accessKeyId, secretAccessKey });

  if (accessKeyId || secretAccessKey)
    throw new Error("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together");

  let held: { credentials: Credentials; ends: number } | undefined;
  let asking: Promise<Credentials> | undefined;
  const renew = async () => {
    held = await ofTheRole(place);
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

/** As AWS's SDKs ask: the token is why nobody else's request through us can. */
async function ofTheRole({ url, token }: Place): Promise<{ credentials: Credentials; ends: number }> {
  if (!url) throw new Error("no account for S3: neither S3_ACCESS_KEY_ID nor a role of AWS's");
  const response = await fetch(url, {
    headers: token ? { authorization: token } : {},
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the role's credentials: answered ${response.status}`);
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = (await response.json()) as Record<
    string,
    string
  >;
  if (!AccessKeyId || !SecretAccessKey || !Expiration) throw new Error("the app has no role");
  return {
    credentials: {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(Token ? { sessionToken: Token } : {}),
    },
    ends: Date.parse(Expiration),
  };
}
