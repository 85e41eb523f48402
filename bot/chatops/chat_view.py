"""Puts a Reply into words for Rocket.Chat: the catalogue has the texts, `templates/chat/` the layout of lists.

Strings in a reply are data that somebody typed or another server sent; here they become inert, one line, not long.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.chatops.command import Block, Press, Reply, Value, Words, visible
from bot.model import Button, Post
from bot.translations import Translate
from bot.whatsapp.markup import inert, inert_line

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "chat"
_LONGEST = 500
"""Characters of a string. The longest are reasons, our own sentences with a server's words in them: they end with the
next step, and the longest sentence of the catalogues has some 260."""
LONGEST_LABEL = 60


class ChatView:
    def __init__(self, t: Translate) -> None:
        self._t = t
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=False,  # noqa: S701 - it draws markdown; every string is made inert below
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )

    def post(self, reply: Reply) -> Post:
        values = self._values(reply.values)
        if reply.layout:
            template = self._templates.get_template(f"{reply.layout}.md.j2")
            rows = [self._values(row) for row in reply.rows]
            text = template.render(t=self._t, rows=rows, link=reply.link, **values)
        else:
            text = self._t(reply.key, **{**values, "link": reply.link})
        return Post(text.strip(), tuple(self._button(press) for press in reply.buttons))

    def _values(self, values: Mapping[str, Value]) -> dict[str, str | int]:
        return {name: self._value(value) for name, value in values.items()}

    def _value(self, value: Value) -> str | int:
        match value:
            case Words(key, values):
                return self._t(key, **self._values(values))
            case Block(text):
                return "\n".join(f"> {line}" for line in inert(text).splitlines())
            case str():
                return inert_line(value, _LONGEST) + ("…" if len(value) > _LONGEST else "")
        return value

    def _button(self, press: Press) -> Button:
        label = self._t(press.label.key, **{name: _plain(value) for name, value in press.label.values.items()})
        return Button(label.strip()[:LONGEST_LABEL], press.says, press.opens)


def _plain(value: Value) -> str | int:
    """Button labels are shown as they are; markup in them is no markup. The catalogue may set directions of writing."""
    match value:
        case Words(key):
            return key
        case Block(text) | str(text):
            return visible(text)
    return value
