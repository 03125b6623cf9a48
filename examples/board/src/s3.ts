/** Object storage: URLs that let a browser send or fetch one object, and a look at what arrived. */
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { AwsClient, AwsV4Signer } from "aws4fetch";
import type { WorkerEnv } from "./env.ts";
import { s3Credentials } from "./s3-credentials.ts";

export interface ObjectHead {
  size: number;
  contentType: string;
}

export interface Storage {
  /** A PUT of exactly this type and size, to exactly this key. */
  presignPut(key: string, contentType: string, size: number, seconds: number): Promise<string>;
  presignGet(key: string, filename: string, seconds: number): Promise<string>;
  head(key: string): Promise<ObjectHead | null>;
  /** The first bytes, to see what a file really is, and the tag of the object that they are of. */
  peek(key: string, bytes: number): Promise<{ start: Uint8Array; tag: string }>;
  /** Copies an object to where no URL of ours allows to write, if it still has this tag. */
  keep(key: string, tag: string): Promise<void>;
}

/** Where an upload is once it was looked at: a URL for its own key is good for minutes, and can write it again. */
export const keptKey = (key: string) => `${key}.kept`;

const TIMEOUT_MS = 5_000;

export function openStorage(env: WorkerEnv): Storage {
  const credentials = s3Credentials(env);
  const scope = async () => ({ ...(await credentials()), region: env.S3_REGION, service: "s3" });
  // Beside the public authorities, not instead of them: the same file may be given where S3 is a public service.
  const tls = env.S3_CA_FILE
    ? { tls: { ca: [...rootCertificates, readFileSync(env.S3_CA_FILE, "utf8")] } }
    : {};
  const path = (key: string) => `/${env.S3_BUCKET}/${env.S3_PREFIX}${key}`;
  const objectUrl = (endpoint: string, key: string) => `${endpoint.replace(/\/$/, "")}${path(key)}`;

  // Signed for the public name: browsers come by another host than the app does, and the host is part of the signature.
  const presign = async (
    method: string,
    key: string,
    seconds: number,
    query: object,
    headers: Record<string, string>,
  ) => {
    const url = new URL(objectUrl(env.S3_PUBLIC_ENDPOINT, key));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    url.searchParams.set("X-Amz-Expires", String(seconds));
    const signer = new AwsV4Signer({
      ...(await scope()),
      method,
      url: url.href,
      headers,
      signQuery: true,
      allHeaders: true,
    });
    return (await signer.sign()).url.href;
  };

  const request = async (method: string, key: string, headers: Record<string, string> = {}) => {
    const client = new AwsClient({ ...(await scope()), retries: 2 });
    const signed = await client.sign(objectUrl(env.S3_ENDPOINT, key), { method, headers });
    return fetch(signed, { ...tls, signal: AbortSignal.timeout(TIMEOUT_MS) });
  };

  return {
    // Type and length are signed headers: the store refuses a body of another size or kind.
    presignPut: (key, contentType, size, seconds) =>
      presign("PUT", key, seconds, {}, { "content-type": contentType, "content-length": String(size) }),
    // As a download: a file from one user never renders under our origin in another's browser.
    presignGet: (key, filename, seconds) => {
      const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(filename)}`;
      return presign("GET", key, seconds, { "response-content-disposition": disposition }, {});
    },
    async head(key) {
      const response = await request("HEAD", key);
      // 403 is how S3 answers for what is not there to a role that may list only some prefixes.
      if (response.status === 404 || response.status === 403) return null;
      if (!response.ok) throw new Error(`object store answered ${response.status}`);
      return {
        size: Number(response.headers.get("content-length")),
        contentType: response.headers.get("content-type") ?? "",
      };
    },
    async peek(key, bytes) {
      const response = await request("GET", key, { range: `bytes=0-${bytes - 1}` });
      if (!response.ok) throw new Error(`object store answered ${response.status}`);
      const start = new Uint8Array(await response.arrayBuffer()).slice(0, bytes);
      return { start, tag: response.headers.get("etag") ?? "" };
    },
    async keep(key, tag) {
      const response = await request("PUT", keptKey(key), {
        "x-amz-copy-source": path(key),
        "x-amz-copy-source-if-match": tag,
      });
      // Changed since: the job is tried again, and looks again.
      if (!response.ok) throw new Error(`object store answered ${response.status} to a copy`);
      await response.text();
    },
  };
}
