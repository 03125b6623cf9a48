/** The board as it stood on a day. One row a day: the first run writes it, a second one finds it there. */
import { countTasks } from "../board/tasks.ts";
import type { Services } from "../services.ts";
import type { Work } from "./topics.ts";

export async function dailySummary({ sql }: Services, { day }: Work["summary.daily"]) {
  const { todo, doing, done } = await countTasks(sql);
  await sql`
    INSERT INTO daily_summaries (day, todo, doing, done) VALUES (${day}::date, ${todo}, ${doing}, ${done})
    ON CONFLICT (day) DO NOTHING`;
}
