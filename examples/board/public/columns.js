// The three columns: draws tasks, and says when someone moves or removes one.
const STATUSES = ["todo", "doing", "done"];
const template = document.querySelector("#task-template");
const columns = new Map(
  [...document.querySelectorAll(".column")].map((column) => [column.dataset.status, column]),
);

let moved = () => {};
let removed = () => {};
export const onMove = (callback) => {
  moved = callback;
};
export const onRemove = (callback) => {
  removed = callback;
};

/** Newest first, as the server lists them. */
export function putAll(tasks) {
  for (const column of columns.values()) column.querySelector("ol").replaceChildren();
  for (const task of tasks.toReversed()) put(task);
  count();
}

export function put(task, { arrived = false } = {}) {
  const item = find(task.id) ?? template.content.firstElementChild.cloneNode(true);
  const isElsewhere = item.closest(".column")?.dataset.status !== task.status;
  item.dataset.id = task.id;
  item.querySelector(".title").textContent = task.title;
  item.querySelector(".by").textContent = task.ownerName ?? "by webhook";
  const place = STATUSES.indexOf(task.status);
  item.querySelector("[data-move='-1']").hidden = place === 0;
  item.querySelector("[data-move='1']").hidden = place === STATUSES.length - 1;
  if (isElsewhere) columns.get(task.status).querySelector("ol").prepend(item);
  item.classList.toggle("arrived", arrived && isElsewhere);
  count();
}

export function remove(id) {
  find(id)?.remove();
  count();
}

const find = (id) => document.querySelector(`.task[data-id="${CSS.escape(id)}"]`);

function count() {
  for (const column of columns.values()) {
    column.querySelector(".count").textContent = column.querySelectorAll(".task").length;
  }
}

for (const [status, column] of columns) {
  column.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const id = event.target.closest(".task")?.dataset.id;
    if (!button || !id) return;
    if ("remove" in button.dataset) removed(id);
    else moved(id, STATUSES[STATUSES.indexOf(status) + Number(button.dataset.move)]);
  });
  column.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData("text/plain", event.target.dataset.id);
    event.target.classList.add("dragged");
  });
  column.addEventListener("dragend", (event) => event.target.classList.remove("dragged"));
  column.addEventListener("dragover", (event) => {
    event.preventDefault();
    column.classList.add("over");
  });
  column.addEventListener("dragleave", (event) => {
    if (!column.contains(event.relatedTarget)) column.classList.remove("over");
  });
  column.addEventListener("drop", (event) => {
    event.preventDefault();
    column.classList.remove("over");
    const id = event.dataTransfer.getData("text/plain");
    if (find(id) && find(id).closest(".column") !== column) moved(id, status);
  });
}
