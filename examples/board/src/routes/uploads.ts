/** Uploads: the browser sends the bytes to the object store itself, by a URL that allows one object and nothing else. */
import { Elysia } from "elysia";
import { z } from "zod";
import { audit } from "../board/audit.ts";
import { FILE_TYPES, MAX_UPLOAD_BYTES } from "../board/file-types.ts";
import { text } from "../board/text.ts";
import { signedIn } from "../http/guards.ts";
import { forbidden, notFound, Problem } from "../http/problem.ts";
import { enqueue } from "../jobs/outbox.ts";
import { keptKey } from "../s3.ts";
import type { Services } from "../services.ts";

const PUT_SECONDS = 300;
const GET_SECONDS = 60;

const Wanted = z.strictObject({
  filename: text().min(1).max(200),
  contentType: z.enum(FILE_TYPES),
  size: z.number().int().min(1).max(MAX_UPLOAD_BYTES),
});
const Key = z.strictObject({ key: z.string().regex(/^users\/[0-9a-f-]{36}\/[0-9a-f-]{36}$/) });
const Presigned = z.object({ url: z.url(), key: z.string(), expiresIn: z.number().max(300) });
const Stored = z.object({ key: z.string(), status: z.enum(["stored", "ready", "rejected"]) });

export function uploadRoutes({ sql, storage }: Services) {
  /** The caller's upload, and nobody else's: the key says whose it is, the row says that it is one. */
  const ownUpload = async (userId: string, key: string) => {
    if (!key.startsWith(`users/${userId}/`)) throw forbidden("this upload is not yours");
    const [upload] = await sql`SELECT * FROM uploads WHERE key = ${key} AND user_id = ${userId}`;
    if (!upload) throw notFound();
    return upload;
  };

  return new Elysia({ prefix: "/api/uploads" })
    .use(signedIn)
    .post(
      "/",
      async ({ body, user, act, status }) => {
        const id = crypto.randomUUID();
        // Nothing of the caller's in it: a file name in a key is a path that someone else chose.
        const key = `users/${user.id}/${id}`;
        await sql`
          INSERT INTO uploads (id, user_id, key, filename, content_type, size)
          VALUES (${id}, ${user.id}, ${key}, ${body.filename}, ${body.contentType}, ${body.size})`;
        await audit(sql, act, "upload.begin", id);
        const url = await storage.presignPut(key, body.contentType, body.size, PUT_SECONDS);
        return status(201, { url, key, expiresIn: PUT_SECONDS });
      },
      { body: Wanted, response: { 201: Presigned } },
    )
    .post(
      "/complete",
      async ({ body, user, act }) => {
        const upload = await ownUpload(user.id, body.key);
        if (upload.status !== "pending") return { key: upload.key, status: upload.status };
        const head = await storage.head(upload.key);
        if (!head) throw new Problem(409, "NOT_UPLOADED", "there is no object under this key yet");
        if (head.size !== upload.size || head.contentType !== upload.content_type) {
          throw new Problem(422, "INVALID_UPLOAD", "the object is not of the announced size and type");
        }
        await sql.begin(async (tx) => {
          await tx`UPDATE uploads SET status = 'stored' WHERE id = ${upload.id}`;
          await audit(tx, act, "upload.complete", upload.id);
          await enqueue(tx, "upload.inspect", { uploadId: upload.id }, `upload-${upload.id}`);
        });
        return { key: upload.key, status: "stored" as const };
      },
      { body: Key, response: Stored },
    )
    .get(
      "/*",
      async ({ params, user }) => {
        const upload = await ownUpload(user.id, params["*"]);
        // What was not looked at yet, or failed the look, is not handed out.
        if (upload.status !== "ready") throw new Problem(409, "NOT_READY", "this upload is not ready");
        // What was looked at. Uploads of releases that kept none lie where they were sent; nothing can write them now.
        const kept = keptKey(upload.key);
        const there = (await storage.head(kept)) ? kept : upload.key;
        const url = await storage.presignGet(there, upload.filename, GET_SECONDS);
        return { url, key: upload.key, expiresIn: GET_SECONDS };
      },
      { response: Presigned },
    );
}
