"""Draws the pages of forms from `templates/web/`, with headers that let a page do nothing but be read and sent.

No script, no cookie, nothing from another host. The one style sheet is inline and allowed by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.chatops.command import Block, Value, Words
from bot.errors import StorageAway
from bot.translations import Translator

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "web"


class Pages:
    def __init__(self, t: Translator) -> None:
        self._t = t
        self._templates = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
        self._style = (FOLDER / "style.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
                "frame-ancestors 'none'; base-uri 'none'"
            ),
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "X-Robots-Tag": "noindex",
        }

    def page(self, name: str, status: int = 200, **values: Any) -> web.Response:
        """`Words` are texts of the catalogue, everything else is data and is escaped."""
        text = self._templates.get_template(f"{name}.html.j2").render(
            t=self._t,
            say=self._drawn,
            shown=shown,
            style=self._style,
            lang=self._t.language.replace("_", "-"),
            dir="rtl" if self._t.right_to_left else "ltr",
            **values,
        )
        return web.Response(text=text, status=status, content_type="text/html", headers=self._headers)

    def in_words(self, handler: Handler) -> Handler:
        """The handler of a page, so that its 429 is a page too, for people open old links again and again, and so that
        storage that does not answer is told."""

        @wraps(handler)  # its words are the page's in the OpenAPI document
        async def worded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPTooManyRequests as refusal:
                key = "page.too_many"
                answer = self.page("message", refusal.status, key=key, words=Words(key), said=None, links=[])
                answer.headers["Retry-After"] = refusal.headers["Retry-After"]
                return answer
            except StorageAway as away:
                key = "page.not_now"
                words = Words(key, {"reason": Words(away.sentence)})
                return self.page("message", 503, key=key, words=words, said=None, links=[])

        return worded

    def say(self, value: Value) -> str | int:
        if isinstance(value, Words):
            return self._t(value.key, **self._plain(value.values))
        return value.text if isinstance(value, Block) else value

    def _drawn(self, value: Value) -> Markup:
        """What is to be typed stands in backticks, as chats draw it; everything else is text."""
        return Markup(_TYPED.sub(r"<code>\1</code>", str(escape(self.say(value)))))  # noqa: S704 - escaped before

    def _plain(self, values: Mapping[str, Value]) -> dict[str, str | int]:
        return {name: self.set_apart(value) for name, value in values.items()}

    def set_apart(self, value: Value) -> str | int:
        """Names, numbers and addresses keep their own direction inside a text that runs from right to left."""
        said = self.say(value)
        return f"\u2068{said}\u2069" if isinstance(said, str) and self._t.right_to_left else said


_TYPED = re.compile(r"`([^`\n]+)`")
_MARKS = {"*": "strong", "_": "em", "~": "s"}
_MARKED = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]+?)(?<=\S)\1(?![\w*_~])")


def shown(block: Block) -> Markup:
    """WhatsApp's markup as the phone draws it; everything in it is text."""

    def tagged(found: re.Match[str]) -> str:
        tag = _MARKS[found[1]]
        return f"<{tag}>{found[2]}</{tag}>"

    return Markup(_MARKED.sub(tagged, str(escape(block.text))))  # noqa: S704 - escaped before the marks become tags
