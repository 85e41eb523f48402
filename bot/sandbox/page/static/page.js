// Keeps the page equal to the last state that the server sent, and sends what people do.

import { composer, grow } from "./composer.js";
import { bubble, message } from "./draw.js";
import { element } from "./markup.js";
import { rove } from "./tools.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
const places = ["phone", "setup", "agent"];
const seen = { phone: 0, setup: 0, agent: 0 };
let state = null;
let chosen = null; // the conversation that the person picked, else the newest open one

// --- talking to the server

/** True when it was done. With a file the act goes as a form of two parts. */
async function act(what, file = null) {
  const form = new FormData();
  form.append("act", JSON.stringify(what));
  if (file) form.append("file", file, file.name);
  const sent = file
    ? fetch("file", { method: "POST", body: form })
    : fetch("do", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
  const answer = await sent.catch(() => null);
  if (answer?.ok) return true;
  const why = { 409: async () => word((await answer.json()).error), 413: () => word("too-large") }[answer?.status];
  complain(what.do.split("-")[0], why ? await why() : word("not-taken"));
  return false;
}

/** What one says is seen: the log goes to its end. */
function say(place, what, file = null) {
  const log = $(place).querySelector(".log");
  log.pinned = true;
  toEnd(log);
  return act({ ...what, room: chat()?.rid }, file);
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
        const held = node.contains(document.activeElement) && document.activeElement.dataset.key;
        node.replaceWith(made);
        if (held) made.querySelector(`[data-key="${held}"]`)?.focus({ preventScroll: true });
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
  rove(log);
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
  list($("phone").querySelector(".log"), state.phone, (item) => bubble(item, onPhone(item)));
  list($("setup").querySelector(".log"), state.setup.messages, (item) =>
    message(item, { press: (label) => act({ do: "admin-presses", message: item.id, label }) }),
  );
  drawChat();
  drawTemplates();
  drawEmpty();
  drawNews();
}

const onPhone = ({ id, mine, header, text, file, reactions }) => ({
  tap: (label) => act({ do: "customer-taps", message: id, label }),
  reply: () => {
    const who = mine ? state.customer.name : state.number.name;
    composers.phone.answer({ id, who, text: text || header || file?.name || "" });
  },
  react: (mark) => {
    const there = reactions.some((one) => one.own && one.mark === mark);
    act({ do: "customer-reacts", message: id, mark: there ? "" : mark });
  },
});

const inRoom = ({ id, who, text, parts }) => ({
  press: (label) => act({ do: "agent-presses", message: id, label }),
  reply: () => composers.agent.answer({ id, who, text: text || parts.map((part) => part.title).join(" ") }),
  react: (mark) => act({ do: "agent-reacts", room: chat()?.rid, message: id, mark }),
});

function drawTemplates() {
  const box = $("templates").querySelector("div");
  const now = JSON.stringify(state.templates);
  if (box.drawnFrom === now) return;
  box.drawnFrom = now;
  box.replaceChildren(
    ...state.templates.map(({ name, language, text, line }) => {
      const made = element("button");
      made.type = "button";
      made.append(element("b", `${name} · ${language}`), element("span", text));
      made.addEventListener("click", () => {
        showTemplates(false);
        composers.agent.propose(line);
      });
      return made;
    }),
  );
}

function showTemplates(yes) {
  $("templates").hidden = !yes;
  $("pick").setAttribute("aria-expanded", String(yes));
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
    composers.agent.answer(null);
    showTemplates(false);
  }
  list(log, now?.messages ?? [], (item) => message(item, inRoom(item)));
  if (now) $("chat").textContent = now.name;
  $("take").hidden = !now?.queued;
  $("close").hidden = !now?.open || now.queued;
  usable($("agent"), Boolean(now?.open));
  $("shut").hidden = !now?.open || state.window;
  $("over").hidden = !now || now.open;
  $("agent").classList.toggle("over", !now?.open);
  $("wait").hidden = !state.window;
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
  pane.querySelector("form .add").inert = !yes;
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

for (const control of document.querySelectorAll("[data-go]")) {
  control.addEventListener("click", () => go(control.dataset.go));
}

const composers = Object.fromEntries(
  places.map((place) => [
    place,
    composer($(place), {
      send: (what, file) => say(place, what, file),
      refuse: (text) => complain({ phone: "customer", setup: "admin", agent: "agent" }[place], text),
    }),
  ]),
);

for (const tip of document.querySelectorAll("[data-type]")) {
  tip.addEventListener("click", () => {
    const box = $("setup").querySelector("textarea");
    box.value = tip.dataset.type;
    grow(box);
    box.focus();
  });
}

for (const control of document.querySelectorAll("[data-act]")) {
  control.addEventListener("click", () => say(control.closest(".pane").id, { do: control.dataset.act }));
}

for (const menu of document.querySelectorAll(".add")) {
  const opener = menu.querySelector("summary");
  menu.addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    menu.open = false;
    opener.focus();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    opener.focus();
  });
  document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));
}

$("pick").addEventListener("click", () => {
  showTemplates($("templates").hidden);
  if (!$("templates").hidden) $("templates").querySelector("button").focus();
});
$("templates").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  showTemplates(false);
  $("pick").focus();
});
$("templates").querySelector("[data-say]").addEventListener("click", (event) => {
  say("agent", { do: "agent-writes", text: event.currentTarget.dataset.say });
  showTemplates(false);
  $("agent").querySelector("textarea").focus();
});
$("wait").addEventListener("click", () => act({ do: "customer-waits" }));
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
