import { describe, expect, test } from "bun:test";
import { looksLike } from "../src/board/file-types.ts";
import { Person } from "./person.ts";
import { newBoard, services } from "./world.ts";

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 4]);

test("a file is what it begins with, not what it is called", () => {
  expect(looksLike("image/png", PNG)).toBe(true);
  expect(looksLike("image/jpeg", PNG)).toBe(false);
  expect(looksLike("text/plain", PNG)).toBe(false);
  expect(looksLike("text/plain", new TextEncoder().encode("plain, ünd more"))).toBe(true);
  // Cut in the middle of a character, as the 512th byte may be.
  expect(looksLike("text/plain", new TextEncoder().encode("ü").slice(0, 1))).toBe(true);
});

// Needs an S3 server: versitygw on the PATH, or VERSITYGW with its path.
describe.skipIf(!services.s3)("uploads (skipped without versitygw)", async () => {
  if (!services.s3) return;
  const board = await newBoard();
  const [web] = await Promise.all([board.web(), board.worker()]);
  const [ann, bob] = await Promise.all([Person.signUp(web.url), Person.signUp(web.url)]);
  const begin = (file: object) =>
    ann.call("POST", "/api/uploads", { filename: "a.png", contentType: "image/png", ...file });
  const put = (url: string, body: Uint8Array<ArrayBuffer>, type = "image/png") =>
    fetch(url, { method: "PUT", body, headers: { "content-type": type } });

  async function settled(
    key: string,
  ): Promise<{ status: number; body: { url: string; error?: { code: string } } }> {
    for (let i = 0; i < 100; i++) {
      const [row] = await board.sql`SELECT status FROM uploads WHERE key = ${key}`;
      if (row.status === "ready" || row.status === "rejected") return ann.call("GET", `/api/uploads/${key}`);
      await Bun.sleep(50);
    }
    throw new Error("nobody looked at the upload");
  }

  test("goes to the store by a short-lived URL, is looked at, and comes back to its owner alone", async () => {
    const { status, body } = await begin({ size: PNG.length });
    expect(status).toBe(201);
    expect(body.expiresIn).toBeLessThanOrEqual(300);
    expect(body.key).toMatch(new RegExp(`^users/${ann.id}/[0-9a-f-]{36}$`));
    expect(new URL(body.url).pathname).toEndWith(`/previews/pr-1/${body.key}`);
    expect((await put(body.url, PNG)).status).toBe(200);
    expect((await ann.call("POST", "/api/uploads/complete", { key: body.key })).body.status).toBe("stored");
    const { body: got } = await settled(body.key);
    const file = await fetch(got.url);
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(PNG);
    expect(file.headers.get("content-disposition")).toStartWith("attachment");

    expect((await bob.call("GET", `/api/uploads/${body.key}`)).status).toBe(403);
    expect((await bob.call("POST", "/api/uploads/complete", { key: body.key })).status).toBe(403);
    expect((await fetch(got.url.split("?")[0] as string)).status).toBe(403);
  });

  test("the URL allows the announced size and type, and nothing else", async () => {
    const { body } = await begin({ size: PNG.length });
    expect((await put(body.url, new Uint8Array([...PNG, 0]))).status).toBe(403);
    expect((await put(body.url, PNG, "text/html")).status).toBe(403);
    expect((await put(body.url.replace(ann.id, bob.id), PNG)).status).toBe(403);
    expect((await ann.call("POST", "/api/uploads/complete", { key: body.key })).status).toBe(409);
  });

  test("exploit: the URL changes nothing that was looked at", async () => {
    const { body } = await begin({ size: PNG.length });
    await put(body.url, PNG);
    await ann.call("POST", "/api/uploads/complete", { key: body.key });
    await settled(body.key);
    const script = new TextEncoder().encode("<b>owned</b>");
    expect((await put(body.url, script)).status).toBe(200);
    const { body: got } = await ann.call("GET", `/api/uploads/${body.key}`);
    expect(new Uint8Array(await (await fetch(got.url)).arrayBuffer())).toEqual(PNG);
  });

  test("a file that is not what it says is rejected and not handed out", async () => {
    const script = new TextEncoder().encode("<script>alert(1)</script>");
    const { body } = await begin({ size: script.length });
    await put(body.url, script);
    await ann.call("POST", "/api/uploads/complete", { key: body.key });
    expect((await settled(body.key)).status).toBe(409);
  });

  test.each([{ contentType: "text/html", size: 10 }, { size: 5 * 1024 * 1024 + 1 }, { size: 0 }])(
    "%p is refused before any URL is made",
    async (file) => {
      expect((await begin(file)).status).toBe(422);
    },
  );

  test("a key that leads elsewhere is refused", async () => {
    for (const key of [`users/${ann.id}/../${bob.id}/x`, "other", `users/${bob.id}/${crypto.randomUUID()}`]) {
      expect((await ann.call("POST", "/api/uploads/complete", { key })).status).toBeOneOf([403, 422]);
    }
    expect((await ann.call("GET", `/api/uploads/users/${ann.id}/${crypto.randomUUID()}`)).status).toBe(404);
  });
});
