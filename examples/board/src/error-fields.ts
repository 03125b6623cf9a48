/** Errors in logs. Apart from the logger, so that what runs without it can say the same. */

/** What of an error is safe and useful in a log: a driver's message may quote a row, so only known codes are kept. */
export function errorFields(error: unknown): { error: string; code?: string; stack?: string } {
  if (!(error instanceof Error)) return { error: typeof error };
  const code = (error as { errno?: unknown }).errno ?? (error as { code?: unknown }).code;
  const isDatabase = error.name.includes("Postgres") || error.name === "SQLError";
  return {
    error: isDatabase ? error.name : `${error.name}: ${error.message}`,
    ...(code === undefined ? {} : { code: String(code) }),
    ...(error.stack ? { stack: error.stack.split("\n").slice(1, 8).join("\n") } : {}),
  };
}
