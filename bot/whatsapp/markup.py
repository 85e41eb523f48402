"""Markup between the two worlds. Agents write Rocket.Chat markdown; customers' text must not act in an agent's room.

Rocket.Chat reads messages with packages/message-parser (grammar.pegjs) and finds mentions on the server by a regular
expression over the raw text, code blocks included (apps/meteor/app/mentions/lib/MentionsParser.ts).
"""

from __future__ import annotations

import builtins
import re
import unicodedata
from collections.abc import Callable
from functools import partial

from bot.whatsapp.short_codes import to_unicode
from bot.whatsapp.split import GRAPHEME

JOINER = "\u2060"
"""WORD JOINER: invisible, no space, no part of any name, code or marker."""

# --- from agents to WhatsApp ----------------------------------------------------------------------------------------

_URL = r"(?:https?|ftp)://[^\s<>`]+"
_REFERENCE = r"(?:[A-Za-z][A-Za-z0-9+-]{1,31}:|\+?[\w-]+\.[\w-]|\+\d)(?:[^\s()<>|]|\([^\s()]*\))*"
_PROTECTED = re.compile(
    rf"""
      (?P<code>```.*?```|`[^`\n]+`)
    | !?\[(?P<label>[^\[\]\n]*)\]\((?P<ref>{_REFERENCE})\)
    | <(?P<ref2>{_REFERENCE})\|(?P<label2>[^<>|\n]+)>
    | (?P<url>{_URL})
    | \\(?P<escaped>[*_~`#.])
    | (?P<ours>[\U000F0000-\U000FFFFD])
    """,
    re.S | re.X,
)
_FIRST = 0xF0000
_MOST = 0xFFFD
_PLACE = re.compile("[\U000f0000-\U000ffffd]")

_DUNDERS = {name for kind in (object, type, int, dict, builtins) for name in dir(kind) if name.startswith("__")} | {
    "__main__", "__file__", "__all__", "__path__", "__version__", "__pycache__", "__slots__", "__enter__", "__exit__",
    "__call__", "__next__", "__del__", "__aenter__", "__aexit__", "__await__", "__post_init__",
}  # fmt: skip
"""Python's own names: who writes `__init__` means the name."""


def _marked(left: str, inner: str) -> re.Pattern[str]:
    """A text between two equal markers on one line, not inside a word: WhatsApp sees no markup there."""
    mark = re.escape(left[0])
    return re.compile(rf"(?<![^\W_])(?<!{mark}){re.escape(left)}({inner}){re.escape(left)}(?!{mark})(?![^\W_])")


_EMPHASES = (
    (_marked("***", r"[^*\n]+"), "*_", "_*"),
    (_marked("**", r"(?:[^*\n]|\*(?!\*))+"), "*", "*"),
    (_marked("__", r"(?:[^_\n]|_(?!_))+"), "_", "_"),
    (_marked("~~", r"(?:[^~\n]|~(?!~))+"), "~", "~"),
)
_BOLD = _marked("*", r"[^*\n]+")
_HEADING = re.compile(r"^#{1,4}[ \t]+(\S[^\n]*)", re.M)


def from_rocketchat(markdown: str) -> str:
    """An agent's markdown as WhatsApp markup: `**b**` → `*b*`, `__i__` → `_i_`, `~~s~~` → `~s~`, `[text](url)` →
    `text (url)`, `:smile:` → the emoji, a heading → a bold line.

    Code, addresses and names such as `__init__` stay, as does what means the same on both sides: `*b*`, `_i_`, `~s~`,
    lists, quotes. `@names` and `#channels` are text. Only markers are ever removed.
    """
    if len(markdown) > _MOST:  # more than Rocket.Chat lets anybody write, and than there are stand-ins
        return markdown
    kept: list[str] = []

    def keep(text: str) -> str:
        """A stand-in that no rule touches."""
        kept.append(text)
        return chr(_FIRST + len(kept) - 1)

    def protect(found: re.Match[str]) -> str:
        reference = found["ref"] or found["ref2"]
        if reference:
            return _link((found["label"] or found["label2"] or "").strip(), reference, keep)
        return keep(found["escaped"] or found[0])

    text = to_unicode(_PROTECTED.sub(protect, markdown))
    for pattern, left, right in _EMPHASES:
        text = pattern.sub(partial(_emphasis, left, right), text)
    text = _HEADING.sub(_heading, text)
    return _PLACE.sub(lambda place: kept[ord(place[0]) - _FIRST], text)


def _link(label: str, reference: str, keep: Callable[[str], str]) -> str:
    """`text (address)`, or the address alone when the text says nothing else."""
    address = re.sub("^(?:mailto|tel):", "", reference, flags=re.I)
    bare = re.sub("^https?://", "", address, flags=re.I)
    if label.rstrip("/") in ("", address.rstrip("/"), bare.rstrip("/")):
        return keep(address)
    return f"{keep(label) if '://' in label else label} ({keep(address)})"


def _emphasis(left: str, right: str, found: re.Match[str]) -> str:
    """WhatsApp wants no space inside its markers: spaces go outside."""
    inner = found[1]
    if not inner.strip() or found[0] in _DUNDERS:
        return found[0]
    if left == "*":
        inner = _BOLD.sub(r"\1", inner)
    start, end = len(inner) - len(inner.lstrip()), len(inner.rstrip())
    return f"{inner[:start]}{left}{inner[start:end]}{right}{inner[end:]}"


def _heading(found: re.Match[str]) -> str:
    title = _BOLD.sub(r"\1", found[1].rstrip())
    return title if "*" in title else f"*{title}*"


# --- from customers to agents ---------------------------------------------------------------------------------------

_LIVE = re.compile(
    r"""
      (?P<kept> https?://(?:
                  (?!\]\(|\|\||\$\$|\\[(\[]|[]()*_~`[^{}|\\][@\#:]|color:\#)
                  (?:[^\s<>"()]|\([^\s<>"()]*\)(?!@)) )+
              | (?<![^\s(<>,;:"'*~])[A-Za-z0-9]
                (?: (?:[\w.+%-]*[A-Za-z0-9.+%-])?@[A-Za-z0-9][\w-]*+(?:\.[\w-]++)++
                  | (?:[\w.-]*[A-Za-z0-9])?@[A-Za-z0-9][\w-]*+ )
                (?!\.?[@\#:][\w.+-])(?=[\s)\]>,;:!?"'.*~]|\Z) )
    | [@\#](?=[\w.-])                                # @all, #channel, color:#f00
    | (?:(?m:^)|(?<=\r))\#{1,4}(?=[ \t])             # heading
    | :(?=(?!\d{1,2}:)[0-9A-Za-z_+.-]+:)             # :emoji:, but not the time 12:30:45
    | (?<!\d):(?=\d{1,2}:)
    | \](?=\()                                       # [text](url), ![text](url)
    | <(?=/?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>|t:|!--)   # tag, <t:timestamp>
    | \\(?=[(\[])                                    # KaTeX
    | \$(?=\$)
    | \|(?=\|)                                       # spoiler
    | (?<![^\W_])_(?=_[A-Za-z]\w{1,80}+(?<=__)(?!\w)) # __init__; bounded, or a flood of them would take minutes
    """,
    re.X,
)
_MASK = re.compile(r"(?:(?<=[| \t\r\n])|^)(?=[^| \t\r\n]*<)[^| \t\r\n]++(?=\|[^<>|\n]+>)")
_OPENING = re.compile(r"<(?!\u2060|$)([A-Za-z0-9+-]{1,32}:)?")


def inert(text: str) -> str:
    """A customer's text for an agent's room: it looks the same, and nothing in it acts.

    No mention, channel, masked link, image, emoji code, heading, formula, spoiler, colour, time or tag; addresses stay
    links that show where they lead. WhatsApp's own `*b*`, `_i_`, `~s~`, code, quotes and lists mean the same in
    Rocket.Chat and stay. Only U+2060 is added, each time at the one place that breaks the construct. Exception: in
    `<host|text>` a space follows it, because Rocket.Chat takes every other character for a part of the host name.
    `$x$` cannot be broken where a workspace has turned on the dollar syntax of KaTeX, which is off by default.
    """
    unmasked = _MASK.sub(lambda mask: _OPENING.sub(_unmask, mask[0]), text) if "|" in text else text
    return _LIVE.sub(lambda found: found[0] if found["kept"] else found[0] + JOINER, unmasked)


def _unmask(opening: re.Match[str]) -> str:
    """`<https:` needs only the joiner to be no address any more."""
    return f"<{JOINER}{opening[1]}" if opening[1] else f"<{JOINER} "


_JOINS_EMOJI = "\u200c\u200d"


def inert_line(text: str, limit: int) -> str:
    """The same in one line of at most `limit` visible characters, for names: no control and direction characters."""
    plain = "".join(
        " " if char.isspace() else char
        for char in text[: 8 * limit]
        if char.isspace() or char in _JOINS_EMOJI or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    plain = " ".join(plain.split())
    if len(plain) > limit:
        fitting = ""
        for grapheme in GRAPHEME.findall(plain):
            if len(fitting) + len(grapheme) > limit:
                break
            fitting += grapheme
        plain = fitting.rstrip()
    return inert(plain)
