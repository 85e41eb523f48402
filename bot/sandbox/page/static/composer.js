// Where people write: text, perhaps with a file, perhaps as an answer to a message.

import { markup } from "./markup.js";
import { word } from "./words.js";

const LARGEST = 16 * 1024 * 1024;

export function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 140)}px`;
}

/** `send(act, file)` resolves to whether it was taken; `refuse(text)` tells why something cannot be sent at all. */
export function composer(pane, { send, refuse }) {
  const form = pane.querySelector("form");
  const box = form.elements.text;
  const about = form.querySelector(".about");
  const chooser = form.querySelector("[type=file]");
  let quote = null;
  let file = null;

  function write(text) {
    box.value = text;
    grow(box);
  }

  function show() {
    if (!about) return;
    about.hidden = !quote && !file;
    const [quoted, attached] = [about.querySelector(".quoted"), about.querySelector(".attached")];
    quoted.hidden = !quote;
    quoted.querySelector("b").textContent = quote?.who ?? "";
    quoted.querySelector("span").replaceChildren(markup(quote?.text ?? ""));
    attached.hidden = !file;
    attached.querySelector("span").textContent = file ? `${file.name} · ${size(file.size)}` : "";
  }

  function answer(message) {
    quote = message;
    show();
    if (message) box.focus();
  }

  function attach(chosen) {
    if (chosen && chosen.size > LARGEST) return refuse(word("too-large"));
    file = chosen;
    show();
    box.focus();
  }

  async function submit() {
    const [text, answered, taken] = [box.value, quote, file];
    if ((!text.trim() && !taken) || form.dataset.busy) return;
    form.dataset.busy = "yes";
    [quote, file] = [null, null];
    write("");
    show();
    const ok = await send({ do: form.dataset.do, text, quote: answered?.id ?? "" }, taken);
    delete form.dataset.busy;
    if (ok || box.value || quote || file) return;
    [quote, file] = [answered, taken];
    write(text);
    show();
  }

  box.addEventListener("input", () => grow(box));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      [quote, file] = [null, null];
      show();
    }
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  if (about) {
    form.querySelector("[data-attach]").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      attach(chooser.files[0] ?? null);
      chooser.value = ""; // the same file may be chosen again
    });
    about.querySelector(".drop").addEventListener("click", () => {
      [quote, file] = [null, null];
      show();
      box.focus();
    });
    box.addEventListener("paste", (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      attach(event.clipboardData.files[0]);
    });
    pane.addEventListener("dragover", (event) => event.preventDefault());
    pane.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length && !box.disabled) attach(event.dataTransfer.files[0]);
    });
  }

  return {
    answer,
    /** A line to be changed before it is sent: its first value is marked. */
    propose(line) {
      write(line);
      box.focus();
      const value = /"([^"]*)"/.exec(line);
      if (value) box.setSelectionRange(value.index + 1, value.index + 1 + value[1].length);
    },
  };
}

function size(bytes) {
  const [unit, count] = [["byte", bytes], ["kilobyte", bytes / 1e3], ["megabyte", bytes / 1e6]][(bytes >= 1e3) + (bytes >= 1e6)];
  return new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: unit === "byte" ? "long" : "short", maximumFractionDigits: 1 }).format(count);
}
