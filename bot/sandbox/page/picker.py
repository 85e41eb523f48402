"""The template picker: what is approved for the number, each with the line that sends it from the customer's room."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.sandbox.page.cast import Cast

Json = dict[str, Any]
COMMAND = "!whatsapp-360d-cloud send-template"
_TOKEN = re.compile(r"\{\{.*?\}\}")


def templates(cast: Cast) -> list[Json]:
    """The line holds the examples of the template's values, in their order, for the agent to write over."""
    shown = cast.wa.templates(cast.number).page({"limit": "100", "status": "APPROVED"})["data"]
    return [
        {
            "name": one["name"],
            "language": one["language"],
            "text": next((str(part.get("text", "")) for part in one["components"] if part["type"] == "BODY"), ""),
            "line": " ".join([COMMAND, one["name"], one["language"], *(f'"{value}"' for value in _examples(one))]),
        }
        for one in shown
    ]


def _examples(template: Json) -> Iterator[str]:
    """In the order in which the command takes values: header, text, buttons."""
    parts = {part["type"]: part for part in template["components"]}
    header = parts.get("HEADER", {})
    example = header.get("example", {})
    if header.get("format") == "LOCATION":
        yield from ("52.5200", "13.4050")
    elif header.get("format", "TEXT") == "TEXT":
        yield from example.get("header_text", [])
    else:
        yield from example.get("header_handle", [])
    yield from _of_body(parts.get("BODY", {}).get("example", {}))
    for button in parts.get("BUTTONS", {}).get("buttons", []):
        for value in button.get("example", []):
            yield value.removeprefix(_TOKEN.split(button["url"])[0]) if "url" in button else value


def _of_body(example: Json) -> list[str]:
    named = example.get("body_text_named_params")
    if named:
        return [str(one["example"]) for one in named]
    return [str(value) for value in next(iter(example.get("body_text", [])), [])]
