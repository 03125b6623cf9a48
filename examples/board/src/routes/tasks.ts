/** The board over HTTP. Whatever changes is told to every open board, on every host. */
import { Elysia } from "elysia";
import { z } from "zod";
import { changeTask, createTask, listTasks, NewTask, removeTask, Task, TaskChange } from "../board/tasks.ts";
import { signedIn } from "../http/guards.ts";
import { forbidden, notFound } from "../http/problem.ts";
import type { Services } from "../services.ts";
import type { BoardRouter } from "../ws/board-router.ts";
import { BOARD, TaskCreated, TaskRemoved, TaskUpdated } from "../ws/messages.ts";

const ById = z.object({ id: z.uuid() });

export function taskRoutes({ sql }: Services, router: Pick<BoardRouter, "publish">) {
  return new Elysia({ prefix: "/api/tasks" })
    .use(signedIn)
    .get("/", () => listTasks(sql), { response: z.array(Task) })
    .post(
      "/",
      async ({ body, user, act, status }) => {
        const task = await sql.begin((tx) => createTask(tx, act, body, user.id));
        // After the commit: nobody is told of what might yet be undone.
        await router.publish(BOARD, TaskCreated, { task });
        return status(201, task);
      },
      { body: NewTask, response: { 201: Task } },
    )
    .patch(
      "/:id",
      async ({ params, body, act }) => {
        const task = await changeTask(sql, act, params.id, body);
        if (!task) throw notFound();
        await router.publish(BOARD, TaskUpdated, { task });
        return task;
      },
      { params: ById, body: TaskChange, response: Task },
    )
    .delete(
      "/:id",
      async ({ params, user, act, set }) => {
        const removal = await removeTask(sql, act, params.id, user);
        if (removal === "not_found") throw notFound();
        if (removal === "forbidden") throw forbidden("only its owner or an admin may remove a task");
        await router.publish(BOARD, TaskRemoved, { id: params.id });
        set.status = 204;
      },
      { params: ById },
    );
}
