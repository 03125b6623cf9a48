/** Refusals over HTTP, in the app's own shape. */
import type { Response as WorkerResponse } from "@cloudflare/workers-types";

export function refuse(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): WorkerResponse {
  return Response.json({ error: { code, message } }, { status, headers }) as unknown as WorkerResponse;
}
