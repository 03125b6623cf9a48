/** An upload has arrived: is it what it says it is? It looks and writes a verdict, so that twice says the same. */
import { looksLike } from "../board/file-types.ts";
import type { Services } from "../services.ts";
import type { Work } from "./topics.ts";

export async function inspectUpload({ sql, storage, log }: Services, { uploadId }: Work["upload.inspect"]) {
  const [upload] =
    await sql`SELECT key, content_type FROM uploads WHERE id = ${uploadId} AND status = 'stored'`;
  if (!upload) return;
  const { start, tag } = await storage.peek(upload.key, 512);
  const verdict = looksLike(upload.content_type, start) ? "ready" : "rejected";
  if (verdict === "ready") await storage.keep(upload.key, tag);
  await sql`UPDATE uploads SET status = ${verdict} WHERE id = ${uploadId}`;
  log.info({ event: "upload_inspected", uploadId, verdict });
}
