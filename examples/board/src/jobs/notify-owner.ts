/** A task is done: tell its owner, unless the owner did it. Keyed by the job, so that twice tells once. */
import type { Services } from "../services.ts";
import type { Work } from "./topics.ts";

export async function notifyOwner({ sql }: Services, { taskId, actorId }: Work["task.done"], jobId: string) {
  await sql`
    INSERT INTO notifications (event_id, user_id, task_id, kind)
    SELECT ${jobId}, owner_id, id, 'task.done' FROM tasks
    WHERE id = ${taskId} AND owner_id IS NOT NULL AND owner_id::text <> ${actorId}
    ON CONFLICT (event_id) DO NOTHING`;
}
