/** What the app may publish on the board from outside: `{type, payload}`, checked as on every other way. */
import { z } from "zod";
import { Task } from "../src/board/tasks.ts";
import { Said, TaskCreated, TaskRemoved, TaskUpdated } from "../src/ws/messages.ts";

const task = z.object({ task: Task });
const NEWS = [
  { schema: TaskCreated, payload: task },
  { schema: TaskUpdated, payload: task },
  { schema: TaskRemoved, payload: z.object({ id: z.uuid() }) },
  {
    schema: Said,
    payload: z.object({ text: z.string(), from: z.uuid(), name: z.string(), host: z.string() }),
  },
] as const;

/** Null for anything else. */
export function readNews(body: unknown): { schema: unknown; payload: unknown } | null {
  const { type, payload } = (body ?? {}) as { type?: unknown; payload?: unknown };
  const kind = NEWS.find(({ schema }) => schema.messageType === type);
  const parsed = kind?.payload.safeParse(payload);
  return kind && parsed?.success ? { schema: kind.schema, payload: parsed.data } : null;
}
