import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { s3Credentials } from "../src/s3-credentials.ts";

/** The agent on AWS's hosts, as AWS documents it for containers. */
let asked: string[] = [];
let lifeMs = 6 * 3_600_000;
const agent = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    asked.push(request.method);
    if (request.headers.get("authorization") !== "token-1") return new Response("", { status: 403 });
    return Response.json({
      AccessKeyId: `ASIA${asked.length}`,
      SecretAccessKey: "secret",
      Token: "session",
      Expiration: new Date(Date.now() + lifeMs).toISOString(),
    });
  },
});
const place = { url: `http://127.0.0.1:${agent.port}/`, token: "token-1" };
afterAll(() => agent.stop(true));
beforeEach(() => {
  asked = [];
  lifeMs = 6 * 3_600_000;
});

describe("credentials for the object store", () => {
  test("an account of the environment's is used as it is", async () => {
    const credentials = s3Credentials({ S3_ACCESS_KEY_ID: "key", S3_SECRET_ACCESS_KEY: "secret" }, place);
    expect(await credentials()).toEqual({ accessKeyId: "key", secretAccessKey: "secret" });
    expect(asked).toEqual([]);
  });

  test("half an account is refused", () => {
    expect(() => s3Credentials({ S3_ACCESS_KEY_ID: "key", S3_SECRET_ACCESS_KEY: undefined }, place)).toThrow(
      "go together",
    );
  });

  test("without one, the role's are asked for, once", async () => {
    const credentials = s3Credentials(
      { S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined },
      place,
    );
    const [first, second] = await Promise.all([credentials(), credentials()]);
    expect(first).toEqual({ accessKeyId: "ASIA1", secretAccessKey: "secret", sessionToken: "session" });
    expect(second).toEqual(first);
    expect(await credentials()).toEqual(first);
    expect(asked).toHaveLength(1);
  });

  test("a role's credentials are renewed before they end", async () => {
    lifeMs = 5 * 60_000;
    const credentials = s3Credentials(
      { S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined },
      place,
    );
    const first = await credentials();
    expect((await credentials()).accessKeyId).not.toBe(first.accessKeyId);
  });

  test("a wrong token is an error that says so, and so is no role", async () => {
    const none = { S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined };
    await expect(s3Credentials(none, { ...place, token: "other" })()).rejects.toThrow("answered 403");
    await expect(s3Credentials(none, { url: undefined, token: undefined })()).rejects.toThrow("no account");
  });
});
