// Draws chat markup as DOM nodes. Data only ever becomes text nodes and checked http(s) links, never markup of the page.

const INLINE = [
  [/`([^`\n]+)`/, (m) => element("code", m[1])],
  [/\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/, (m) => link(m[2], m[1])],
  [/https?:\/\/[^\s<>"'`|)\]]+[^\s<>"'`|)\].,;:!?]/, (m) => link(m[0], m[0])],
  [/\*\*(?=\S)(.+?)\*\*|(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]+?)\*(?![\p{L}\p{N}*])/u, (m) => wrap("b", m[1] ?? m[2])],
  [/(?<![\p{L}\p{N}_])__?(?=\S)([^_\n]+?)__?(?![\p{L}\p{N}_])/u, (m) => wrap("i", m[1])],
  [/~~(?=\S)(.+?)~~|(?<![\p{L}\p{N}~])~(?=\S)([^~\n]+?)~(?![\p{L}\p{N}~])/u, (m) => wrap("s", m[1] ?? m[2])],
];

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A link that opens a new tab; anything but http and https stays plain text. */
export function link(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return document.createTextNode(text);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return document.createTextNode(text);
  const made = element("a", text);
  made.href = url.href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function wrap(name, text) {
  const made = element(name);
  made.append(...inline(text));
  return made;
}

/** Text of one line as nodes: the earliest mark wins, the rest is looked at again. */
function inline(text) {
  let first = null;
  let build = null;
  for (const [pattern, make] of INLINE) {
    const found = pattern.exec(text);
    if (found && (first === null || found.index < first.index)) [first, build] = [found, make];
  }
  if (first === null) return text ? [document.createTextNode(text)] : [];
  const after = text.slice(first.index + first[0].length);
  return [...(first.index ? [document.createTextNode(text.slice(0, first.index))] : []), build(first), ...inline(after)];
}

/** A whole message: code blocks, quotes, list items, headings, lines. */
export function markup(text) {
  const whole = document.createDocumentFragment();
  text.split(/```(?:\w*\n)?([\s\S]*?)```/).forEach((piece, index) => {
    if (index % 2) {
      whole.append(element("pre", piece.replace(/\n$/, "")));
      return;
    }
    const trimmed = index ? piece.replace(/^\n/, "") : piece;
    if (trimmed) trimmed.split("\n").forEach((line) => whole.append(row(line)));
  });
  return whole;
}

function row(line) {
  const quote = /^>\s?(.*)$/.exec(line);
  const item = /^\s*(?:[-*•]|\d{1,3}\.)\s+\S/.exec(line);
  const made = element(quote ? "blockquote" : "div", "", item ? "item" : "");
  made.append(...inline(quote ? quote[1] : line));
  if (!made.hasChildNodes()) made.className = "gap";
  return made;
}
