// Words, icons and small controls. The words and icons themselves stand in the html.

import { element } from "./markup.js";

const words = Object.fromEntries(
  [...document.getElementById("words").content.querySelectorAll("[data-word]")].map((w) => [w.dataset.word, w.textContent]),
);
const icons = document.getElementById("icons").content;

export const word = (name) => words[name] ?? name;

export const icon = (name) => icons.querySelector(`[data-icon="${name}"]`).cloneNode(true);

export function button(label, pressed) {
  const made = element("button", label);
  made.type = "button";
  made.addEventListener("click", pressed);
  return made;
}
