// Draws the two kinds of messages. Every function takes data and returns a node.

import { element, link, markup } from "./markup.js";

const words = Object.fromEntries(
  [...document.getElementById("words").content.querySelectorAll("[data-word]")].map((w) => [w.dataset.word, w.textContent]),
);
const system = document.getElementById("system").content;

export const word = (name) => words[name] ?? name;

function clock(at) {
  const made = element("time", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  made.dateTime = new Date(at).toISOString();
  return made;
}

function file(url, name, isImage) {
  if (!url) return element("span", name, "file");
  const made = element("a", isImage ? "" : name, isImage ? "picture" : "file");
  made.href = url;
  made.target = "_blank";
  if (isImage) {
    const image = element("img");
    image.src = url;
    image.alt = name;
    made.append(image);
  }
  return made;
}

/** A bubble on the phone. */
export function bubble(item, act) {
  const made = element("article", "", item.mine ? "bubble mine" : "bubble");
  if (item.quote) made.append(element("div", item.quote, "quoted"));
  if (item.file) made.append(file(item.file.url, item.file.name, item.file.image));
  if (item.text) {
    const text = element("div", "", "text");
    text.append(markup(item.text));
    made.append(text);
  }
  made.append(foot(item));
  if (item.reactions.length) made.append(element("span", item.reactions.join(" "), "mark"));
  if (!item.choices.length) return made;
  const group = element("div", "", "said");
  const choices = element("div", "", "choices");
  for (const label of item.choices) {
    choices.append(button(label, () => act({ do: "customer-taps", message: item.id, label })));
  }
  group.append(made, choices);
  return group;
}

function foot(item) {
  const made = element("div", "", "foot");
  const state = item.state === "failed" ? "failed-status" : item.state;
  const tick = element("span", "", `tick ${item.state}`);
  tick.title = word(state);
  tick.setAttribute("role", "img");
  tick.setAttribute("aria-label", word(state));
  made.append(clock(item.at), tick);
  return made;
}

function button(label, pressed) {
  const made = element("button", label);
  made.type = "button";
  made.addEventListener("click", pressed);
  return made;
}

/** A message in the workspace, a grey system line, or a note that only this person sees. */
export function message(item, press) {
  if (item.system) return systemLine(item);
  const made = element("article", "", "message");
  made.classList.toggle("own", item.own);
  made.classList.toggle("guest", item.guest);
  made.classList.toggle("note", item.note);
  const face = element("span", [...item.who][0] ?? "", "face");
  face.setAttribute("aria-hidden", "true");
  const body = element("div", "", "body");
  const head = element("div", "", "who");
  head.append(element("b", item.note ? word("note") : item.who), clock(item.at));
  if (item.thread) head.append(element("span", word("thread")));
  if (item.edited) head.append(element("span", word("edited")));
  body.append(head);
  if (item.text) {
    const text = element("div", "", "text");
    text.append(markup(item.text));
    body.append(text);
  }
  for (const part of item.parts) body.append(attachment(part, (label) => press(item.id, label)));
  if (item.reactions.length) {
    const row = element("div", "", "reactions");
    for (const { mark, count } of item.reactions) row.append(element("span", count > 1 ? `${mark} ${count}` : mark));
    body.append(row);
  }
  made.append(face, body);
  return made;
}

function systemLine(item) {
  const known = [...system.children].find((line) => line.dataset.t === item.system);
  const made = (known ?? system.querySelector('[data-t="*"]')).cloneNode(true);
  made.className = "system";
  for (const slot of made.querySelectorAll("[data-who]")) slot.textContent = item.who;
  for (const slot of made.querySelectorAll("[data-what]")) slot.textContent = item.text;
  return made;
}

function attachment(part, press) {
  const made = element("div", "", part.quoted ? "part quoted" : "part");
  if (part.quoted) made.append(element("b", part.quoted));
  if (part.file) made.append(file(part.file, part.title, part.image));
  else if (part.title) made.append(element("b", part.title));
  if (part.text) made.append(markup(part.text));
  for (const { title, value } of part.fields) made.append(element("div", `${title}: ${value}`));
  if (part.actions.length) {
    const row = element("div", "", "actions");
    for (const { label, url } of part.actions) row.append(url ? action(url, label) : button(label, () => press(label)));
    made.append(row);
  }
  return made;
}

function action(url, label) {
  const made = link(url, label);
  if (made instanceof HTMLElement) {
    made.className = "button";
    made.title = word("opens");
  }
  return made;
}
