// The page's story: who is here, then the board, kept live by a socket.

import { onMove, onRemove, put, putAll, remove } from "./columns.js";
import { connect } from "./live.js";
import { call, onSignedOut, resume, signIn, signOut, signUp } from "./session.js";

const $ = (selector) => document.querySelector(selector);
let live;

async function start() {
  wire();
  if (await resume()) await enter();
  else leave();
}

async function enter() {
  const [me, config] = await Promise.all([call("GET", "/api/me"), call("GET", "/api/config")]);
  $("#who").textContent = me.name;
  $("#chat").hidden = !config.features.chat;
  show({ board: true });
  live = connect({ realtime: config.realtime, state: showLink, message: receive, joined: refresh });
}

function leave() {
  live?.close();
  live = undefined;
  putAll([]);
  $("#said").replaceChildren();
  show({ board: false });
}

/** What happened while no socket was open was missed: after every connection the board is read again. */
async function refresh() {
  putAll(await call("GET", "/api/tasks"));
}

function receive({ type, payload }) {
  if (type === "TASK_CREATED" || type === "TASK_UPDATED") put(payload.task, { arrived: true });
  else if (type === "TASK_REMOVED") remove(payload.id);
  else if (type === "SAID") say(payload.name, payload.text);
  else if (type === "ERROR") toast(payload.message);
}

function wire() {
  const form = $("#sign-in");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { name, email, password } = Object.fromEntries(new FormData(form));
    const problem = form.querySelector(".problem");
    problem.textContent = "";
    try {
      await (form.dataset.mode === "sign-up" ? signUp(name, email, password) : signIn(email, password));
      form.reset();
      await enter();
    } catch (error) {
      problem.textContent = explain(error, form.dataset.mode);
    }
  });
  $("#switch-form").addEventListener("click", () => {
    const isNew = form.dataset.mode !== "sign-up";
    form.dataset.mode = isNew ? "sign-up" : "sign-in";
    form.elements.name.required = isNew;
    form.elements.password.minLength = isNew ? 12 : 1;
    form.elements.password.autocomplete = isNew ? "new-password" : "current-password";
    form.querySelector(".primary").textContent = isNew ? "Make my account" : "Sign in";
    $("#switch-form").textContent = isNew ? "I have an account" : "New here? Make an account";
  });
  $("#sign-out").addEventListener("click", async () => {
    await signOut();
    leave();
  });
  onSignedOut(leave);

  // Nothing is drawn here: the change comes back by the socket, to this page as to all others.
  onSubmit("#new-task", ({ title }) => call("POST", "/api/tasks", { title }));
  onSubmit("#say", async ({ text }) => live.send("SAY", { text }));
  onMove((id, status) => attempt(call("PATCH", `/api/tasks/${id}`, { status })));
  onRemove((id) => attempt(call("DELETE", `/api/tasks/${id}`)));
}

function onSubmit(selector, act) {
  const form = $(selector);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    form.reset();
    await attempt(act(values));
  });
}

async function attempt(work) {
  try {
    await work;
  } catch (error) {
    toast(error.message);
  }
}

function explain(error, mode) {
  if (error.code === "INVALID" && mode === "sign-up") return "A password has at least 12 characters.";
  return error.message;
}

function say(name, text) {
  const line = document.createElement("li");
  const who = document.createElement("b");
  who.textContent = name;
  line.append(who, text);
  $("#said").append(line);
  while ($("#said").childElementCount > 100) $("#said").firstElementChild.remove();
  line.scrollIntoView({ block: "nearest" });
}

function show({ board }) {
  $("#gate").hidden = board;
  $("#board").hidden = !board;
  $("#account").hidden = !board;
  if (!board) showLink("off");
}

function showLink(state) {
  const words = { live: "live", moving: "moving to another server", lost: "reconnecting", off: "offline" };
  $("#link").dataset.state = state;
  $("#link").textContent = words[state];
  $("#link").hidden = state === "off";
}

let toastTimer;
function toast(text) {
  $("#toast").textContent = text;
  $("#toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    $("#toast").hidden = true;
  }, 4000);
}

start();
