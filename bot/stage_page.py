"""Of a page of the bot's what a browser would show and send: its fields, its buttons, its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_LINK = re.compile(r"https?://[^\s)>\]\"|]+/forms/[A-Za-z0-9_-]+")


@dataclass
class Page:
    """What a browser would show: the form's fields with their values, the submit buttons in order, and the text."""

    status: int
    url: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, dict[str, str]] = field(default_factory=dict)
    """For each drop-down: label → value."""
    text: str = ""


def link_in(message: Mapping[str, Any]) -> str:
    """The address of the form in a bot's message: in its text, or behind a button."""
    places = [str(message.get("msg", "")), *(str(attachment) for attachment in message.get("attachments") or ())]
    for place in places:
        found = _LINK.search(place)
        if found:
            return found.group().rstrip("'\",")
    raise LookupError(f"no link in: {message.get('msg')}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page(0, "")
        self._select = self._option = self._area = ""
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        name = have.get("name", "")
        self._quiet = tag in ("style", "script")
        if tag == "input" and have.get("type") not in ("submit", "checkbox", "radio"):
            self.page.fields[name] = have.get("value", "")
        elif tag in ("button", "input"):
            self.page.buttons.append((name, have.get("value", "")))
        elif tag == "textarea":
            self._area = name
            self.page.fields[name] = ""
        elif tag == "select":
            self._select = name
            self.page.choices[name] = {}
            self.page.fields[name] = ""
        elif tag == "option":
            self._option = have.get("value", "")
            if "selected" in have:
                self.page.fields[self._select] = self._option

    def handle_endtag(self, tag: str) -> None:
        self._quiet = False
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.page.fields[self._area] += data
        elif self._option is not None and self._select and self.lasttag == "option" and data.strip():
            self.page.choices[self._select][data.strip()] = self._option
        elif data.strip() and not self._quiet:
            self.page.text += data.strip() + "\n"


def read_page(status: int, url: str, html: str) -> Page:
    reader = _Reader()
    reader.feed(html)
    reader.page.status, reader.page.url = status, url
    return reader.page
