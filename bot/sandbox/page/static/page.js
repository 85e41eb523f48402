// Keeps the page equal to the last state that the server sent, and sends what people do.

import { bubble, message, word } from "./draw.js";
import { element } from "./markup.js";

const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
const places = ["phone", "setup", "agent"];
const seen = { phone: 0, setup: 0, agent: 0 };
let state = null;
let chosen = null; // the conversation that the person picked, else the newest open one

// --- talking to the server

async function act(what) {
  const answer = await fetch("do", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(what),
  }).catch(() => null);
  if (answer?.status === 409) complain(what.do.split("-")[0], (await answer.json()).error);
  return answer?.ok ?? false;
}

function complain(who, text) {
  const place = { customer: "phone", admin: "setup", agent: "agent" }[who];
  const log = $(place).querySelector(".log");
  log.append(element("p", `${word("failed")} ${text}`, "system bad"));
  toEnd(log);
}

const live = new EventSource("live");
live.addEventListener("message", (event) => {
  $("offline").hidden = true;
  state = JSON.parse(event.data);
  draw();
});
live.addEventListener("error", () => {
  $("offline").hidden = false;
});

// --- drawing

const toEnd = (log) => (log.scrollTop = log.scrollHeight);

/** A log stays at its end, also while pictures load and the page changes its height, until somebody scrolls up. */
for (const log of document.querySelectorAll(".log")) {
  log.pinned = true;
  let last = 0;
  log.addEventListener("scroll", () => {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 60) log.pinned = true;
    else if (log.scrollTop < last) log.pinned = false; // only a person scrolls up
    last = log.scrollTop;
  });
  log.addEventListener("load", () => log.pinned && toEnd(log), true);
  new ResizeObserver(() => log.pinned && toEnd(log)).observe(log);
}

/** Makes the log show exactly these items: a node is made anew only when its item changed. */
function list(log, items, make) {
  const { pinned } = log;
  const have = new Map([...log.querySelectorAll(":scope > [data-id]")].map((node) => [node.dataset.id, node]));
  log.querySelectorAll(":scope > .bad").forEach((node) => items.length > have.size && node.remove());
  let before = null;
  for (const item of items) {
    const text = JSON.stringify(item);
    let node = have.get(item.id);
    have.delete(item.id);
    if (!node || node.drawnFrom !== text) {
      const made = make(item);
      made.dataset.id = item.id;
      made.drawnFrom = text;
      if (node) {
        made.classList.add("still");
        node.replaceWith(made);
      }
      node = made;
    }
    if (before ? before.nextElementSibling !== node : log.querySelector(":scope > [data-id]") !== node) {
      if (before) before.after(node);
      else log.append(node);
    }
    before = node;
  }
  have.forEach((node) => node.remove());
  if (pinned) toEnd(log);
}

function draw() {
  $("key").textContent = state.number.key;
  $("number").textContent = state.number.phone;
  $("business").textContent = state.number.name;
  $("business-face").textContent = [...state.number.name][0] ?? "";
  $("customer").textContent = state.customer.name;
  $("admin").textContent = state.admin;
  $("agent-name").textContent = state.agent;
  $("channel").textContent = state.setup.name;
  drawSteps();
  list($("phone").querySelector(".log"), state.phone, (item) => bubble(item, act));
  list($("setup").querySelector(".log"), state.setup.messages, (item) =>
    message(item, (id, label) => act({ do: "admin-presses", message: id, label })),
  );
  drawChat();
  drawEmpty();
  drawNews();
}

function drawSteps() {
  const current = state.steps.indexOf(false);
  [...$("steps").children].forEach((step, index) => {
    step.classList.toggle("done", state.steps[index]);
    if (index === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
    step.querySelector("[data-go]").setAttribute("aria-description", state.steps[index] ? word("step-done") : "");
  });
  $("done").hidden = current !== -1;
  $("steps").classList.toggle("finished", current === -1);
}

function chat() {
  const newest = state.chats.filter((one) => one.open).at(-1) ?? state.chats.at(-1);
  return state.chats.find((one) => one.rid === chosen) ?? newest ?? null;
}

function drawChat() {
  const now = chat();
  const log = $("agent").querySelector(".log");
  if (log.dataset.rid !== (now?.rid ?? "")) {
    log.querySelectorAll(":scope > [data-id], :scope > .bad").forEach((node) => node.remove());
    log.dataset.rid = now?.rid ?? "";
  }
  list(log, now?.messages ?? [], (item) => message(item, (id, label) => act({ do: "agent-presses", message: id, label })));
  if (now) $("chat").textContent = now.name;
  $("take").hidden = !now?.queued;
  $("close").hidden = !now?.open || now.queued;
  usable($("agent"), Boolean(now?.open));
  const many = state.chats.length > 1;
  $("chats").hidden = !many;
  if (!many) return;
  $("chats").replaceChildren(
    ...state.chats.map((one) => {
      const made = element("button", one.open ? one.name : `${one.name} (${word("ended")})`);
      made.type = "button";
      made.setAttribute("aria-pressed", String(one.rid === now.rid));
      made.addEventListener("click", () => {
        chosen = one.rid;
        draw();
      });
      return made;
    }),
  );
}

function usable(pane, yes) {
  for (const control of pane.querySelectorAll("form textarea, form button")) control.disabled = !yes;
}

function drawEmpty() {
  usable($("phone"), state.connected);
  const when = {
    connected: state.connected && !state.phone.length,
    unconnected: !state.connected && !state.phone.length,
    nochat: !state.chats.length,
  };
  for (const line of document.querySelectorAll(".empty")) line.hidden = !when[line.dataset.when];
}

/** On a narrow screen one place is shown at a time: the others tell when something is new in them. */
function drawNews() {
  const count = {
    phone: state.phone.filter((item) => !item.mine).length,
    setup: state.setup.messages.length,
    agent: state.chats.reduce((sum, one) => sum + one.messages.length, 0),
  };
  for (const place of places) {
    const tab = document.querySelector(`nav [data-go="${place}"]`);
    const here = main.dataset.place === place;
    if (here) seen[place] = count[place];
    tab.classList.toggle("new", count[place] > seen[place]);
    tab.setAttribute("aria-description", count[place] > seen[place] ? word("new") : "");
    if (here) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
}

// --- what people do

function go(place) {
  main.dataset.place = place;
  if (state) drawNews();
  const log = $(place).querySelector(".log");
  toEnd(log);
  const box = $(place).querySelector("textarea");
  (box.disabled ? log : box).focus({ preventScroll: false });
}

function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 140)}px`;
}

for (const control of document.querySelectorAll("[data-go]")) {
  control.addEventListener("click", () => go(control.dataset.go));
}

for (const form of document.querySelectorAll("form")) {
  const box = form.elements.text;
  box.addEventListener("input", () => grow(box));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim()) return;
    box.value = "";
    grow(box);
    act({ do: form.dataset.do, text, room: chat()?.rid }).then((ok) => {
      if (ok || box.value) return;
      box.value = text;
      grow(box);
    });
  });
}

for (const tip of document.querySelectorAll("[data-type]")) {
  tip.addEventListener("click", () => {
    const box = $("setup").querySelector("textarea");
    box.value = tip.dataset.type;
    grow(box);
    box.focus();
  });
}

for (const control of document.querySelectorAll("[data-photo]")) {
  control.addEventListener("click", () => act({ do: control.dataset.photo, room: chat()?.rid }));
}

$("take").addEventListener("click", () => act({ do: "agent-takes", room: chat().rid }));
$("close").addEventListener("click", () => act({ do: "agent-closes", room: chat().rid }));

for (const control of document.querySelectorAll("[data-copy]")) {
  control.addEventListener("click", async () => {
    const value = $(control.dataset.copy);
    try {
      await navigator.clipboard.writeText(value.textContent);
      control.textContent = word("copied");
      setTimeout(() => (control.textContent = word("copy")), 1500);
    } catch {
      getSelection().selectAllChildren(value); // no clipboard here: the person copies what is marked
    }
  });
}
