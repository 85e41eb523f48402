// What one does to a message: answer it, react to it. One message of a log is reached with Tab, the others with arrows.

import { element } from "./markup.js";
import { button, icon, word } from "./words.js";

const MARKS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/** The bar with both handles, and the tray of reactions that the second one opens. */
export function tools({ reactions }, { reply, react }) {
  const bar = element("span", "", "tools");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", word("tools"));
  const tray = element("div", "", "tray");
  tray.hidden = true;
  const handle = (name, pressed) => {
    const made = button("", pressed);
    made.append(icon(name));
    made.title = word(name);
    made.setAttribute("aria-label", word(name));
    made.dataset.key = name;
    made.tabIndex = -1;
    bar.append(made);
    return made;
  };
  handle("reply", reply);
  const opener = handle("react", () => open(tray.hidden));
  opener.setAttribute("aria-expanded", "false");
  const open = (yes) => {
    tray.hidden = !yes;
    opener.setAttribute("aria-expanded", String(yes));
    if (!yes) return opener.focus();
    tray.scrollIntoView({ block: "nearest" });
    tray.firstChild.focus();
  };
  for (const mark of MARKS) {
    const made = button(mark, () => {
      open(false);
      react(mark);
    });
    const own = reactions.some((one) => one.own && one.mark === mark);
    made.setAttribute("aria-pressed", String(own));
    tray.append(made);
  }
  tray.addEventListener("keydown", (event) => event.key === "Escape" && open(false));
  return { bar, tray };
}

/** The reactions that are there; one's own is taken back with a press. */
export function marks(reactions, react) {
  const row = element("div", "", "reactions");
  for (const { mark, count, own } of reactions) {
    const text = count > 1 ? `${mark} ${count}` : mark;
    const made = react ? button(text, () => react(mark)) : element("span", text);
    if (react) made.setAttribute("aria-pressed", String(own));
    made.dataset.key = `mark-${mark}`;
    row.append(made);
  }
  return row;
}

const bars = (log) => [...log.querySelectorAll(":scope > [data-id] .tools")];

/** Leaves one bar of the log in the order of Tab: the last one used, else the newest. */
export function rove(log) {
  const all = bars(log);
  const used = all.find((bar) => bar.closest("[data-id]").dataset.id === log.used);
  for (const bar of all) {
    for (const one of bar.children) one.tabIndex = bar === (used ?? all.at(-1)) ? 0 : -1;
  }
}

for (const log of document.querySelectorAll(".log")) {
  log.addEventListener("focusin", (event) => {
    const bar = event.target.closest(".tools");
    if (!bar) return;
    log.used = bar.closest("[data-id]").dataset.id;
    rove(log);
  });
  log.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const bar = event.target.closest(".tools");
    if (!step || !bar) return;
    event.preventDefault();
    const all = bars(log);
    all[all.indexOf(bar) + step]?.querySelector(`[data-key="${event.target.dataset.key}"]`).focus();
  });
}
