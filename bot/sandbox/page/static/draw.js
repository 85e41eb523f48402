// Draws the two kinds of messages. Every function takes data and returns a node.

import { element, link, markup } from "./markup.js";
import { marks, tools } from "./tools.js";
import { button, icon, word } from "./words.js";

const system = document.getElementById("system").content;

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

function quoted({ who, text }) {
  const made = element("div", "", "quoted");
  const said = element("span");
  said.append(markup(text));
  made.append(element("b", who), said);
  return made;
}

/** A bubble on the phone with what can be tapped below it. `does` has: tap(label), reply(), react(mark). */
export function bubble(item, does) {
  const group = element("div", "", item.mine ? "said mine" : "said");
  const made = element("article", "", "bubble");
  if (item.quote) made.append(quoted(item.quote));
  if (item.file) made.append(file(item.file.url, item.file.name, item.file.image));
  if (item.header) made.append(element("b", item.header, "header"));
  if (item.text) {
    const text = element("div", "", "text");
    text.append(markup(item.text));
    made.append(text);
  }
  if (item.footer) made.append(element("div", item.footer, "footer"));
  const foot = element("div", "", "foot");
  foot.append(clock(item.at), tick(item.state));
  made.append(foot);
  const { bar, tray } = tools(item, does);
  const line = element("div", "", "line");
  line.append(made, bar);
  group.append(line);
  if (item.reactions.length) group.append(marks(item.reactions, does.react));
  group.append(tray);
  if (item.choices.length || item.links.length) group.append(choices(item, does.tap));
  return group;
}

function choices(item, tap) {
  const made = element("div", "", "choices");
  made.append(...item.links.map(leading));
  const rows = item.choices.map(({ label, more }) => {
    const row = button(label, () => tap(label));
    if (more) row.append(element("span", more));
    return row;
  });
  if (!item.menu) {
    made.append(...rows);
    return made;
  }
  const menu = element("details");
  const opener = element("summary", item.menu);
  opener.prepend(icon("menu"));
  menu.append(opener, ...rows);
  made.append(menu);
  return made;
}

/** A button of a template that answers nothing: it opens an address, or has something to copy. */
function leading({ label, leads }) {
  const made = /^https?:/.test(leads) ? link(leads, label) : button(label, () => navigator.clipboard?.writeText(leads));
  if (!(made instanceof HTMLElement)) return made;
  made.classList.add("leads");
  made.title = leads;
  made.prepend(icon(made.tagName === "A" ? "link" : "copy"));
  return made;
}

function tick(state, where = "") {
  const made = element("span", "", `tick ${state}`);
  made.title = `${where} ${word(state === "failed" ? "failed-status" : state)}`.trim();
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", made.title);
  return made;
}

/** A message in the workspace, a grey system line, or a note that only this person sees. `does` has press(label), and
    where messages can be answered reply() and react(mark). */
export function message(item, does) {
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
  if (item.state) head.append(tick(item.state, word("on-whatsapp")));
  if (item.state === "failed") head.append(element("span", word("failed-status"), "bad"));
  const handles = does.reply && !item.note ? tools(item, does) : null;
  if (handles) head.append(handles.bar);
  body.append(head, ...item.quotes.map(quoted));
  if (item.text) {
    const text = element("div", "", "text");
    text.append(markup(item.text));
    body.append(text);
  }
  for (const part of item.parts) body.append(attachment(part, does.press));
  if (item.reactions.length) body.append(marks(item.reactions, does.react));
  if (handles) body.append(handles.tray);
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
  const made = element("div", "", "part");
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
