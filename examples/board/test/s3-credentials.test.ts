import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { s3Credentials } from "../src/s3-credentials.ts";

/** EC2's metadata service as its documentation describes it; no such service can be reached from here. */
let asked: string[] = [];
let lifeMs = 6 * 3_600_000;
const metadata = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    if (pathname === "/latest/api/token") return new Response("token-1");
    if (request.headers.get("x-aws-ec2-metadata-token") !== "token-1")
      return new Response("", { status: 401 });
    if (pathname.endsWith("/security-credentials/")) return new Response("board-prod-web\n");
    if (!pathname.endsWith("/board-prod-web")) return new Response("", { status: 404 });
    return Response.json({
      AccessKeyId: `ASIA${asked.length}`,
      SecretAccessKey: "secret",
      Token: "session",
      Expiration: new Date(Date.now() + lifeMs).toISOString(),
    });
  },
});
const url = `http://127.0.0.1:${metadata.port}`;
afterAll(() => metadata.stop(true));
beforeEach(() => {
  asked = [];
  lifeMs = 6 * 3_600_000;
});

describe("credentials for the object store", () => {
  test("an account of the environment's is used as it is", async () => {
    const credentials = s3Credentials({ S3_ACCESS_KEY_ID: "key", S3_SECRET_ACCESS_KEY: "secret" }, url);
    expect(await credentials()).toEqual({ accessKeyId: "key", secretAccessKey: "secret" });
    expect(asked).toEqual([]);
  });

  test("half an account is refused", () => {
    expect(() => s3Credentials({ S3_ACCESS_KEY_ID: "key", S3_SECRET_ACCESS_KEY: undefined }, url)).toThrow(
      "go together",
    );
  });

  test("without one, the instance's role is asked for, once", async () => {
    const credentials = s3Credentials({ S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined }, url);
    const [first, second] = await Promise.all([credentials(), credentials()]);
    expect(first).toEqual({ accessKeyId: "ASIA3", secretAccessKey: "secret", sessionToken: "session" });
    expect(second).toEqual(first);
    expect(await credentials()).toEqual(first);
    expect(asked).toHaveLength(3);
  });

  test("a role's credentials are renewed before they end", async () => {
    lifeMs = 5 * 60_000;
    const credentials = s3Credentials({ S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined }, url);
    const first = await credentials();
    expect((await credentials()).accessKeyId).not.toBe(first.accessKeyId);
  });

  test("no role is an error that says so", async () => {
    const nowhere = s3Credentials(
      { S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined },
      `${url}/x`,
    );
    await expect(nowhere()).rejects.toThrow("metadata answered 401");
  });
});
