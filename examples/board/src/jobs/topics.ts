/** What work there is, and what each kind carries: ids only, so that the queue holds nothing private. */
export interface Work {
  "task.done": { taskId: string; actorId: string };
  "upload.inspect": { uploadId: string };
  "summary.daily": { day: string };
}
export type Topic = keyof Work;
