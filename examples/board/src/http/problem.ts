/** Errors that a caller is meant to see. Everything else becomes a 500 that tells nothing but a request id. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export const unauthorized = () =>
  new Problem(401, "UNAUTHORIZED", "sign in first", { "www-authenticate": "Bearer" });
export const forbidden = (message = "you may not do this") => new Problem(403, "FORBIDDEN", message);
export const notFound = () => new Problem(404, "NOT_FOUND", "there is nothing here");

/** The one shape of every error body. */
export function problemResponse(problem: Problem, requestId: string): Response {
  return Response.json(
    { error: { code: problem.code, message: problem.message, requestId } },
    { status: problem.status, headers: problem.headers },
  );
}

export function unexpectedResponse(requestId: string): Response {
  return Response.json({ error: { code: "INTERNAL", requestId } }, { status: 500 });
}
