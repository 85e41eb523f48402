"""Reads a number's templates page by page, whichever of 360Dialog's two APIs answers. Pure: the reading is given.

A page is asked for by cursor or offset at our own address. The `next` address of an answer is not followed: the key
would go with it, to whatever host it names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.errors import InvalidRequest, NotFound
from bot.whatsapp.raw import items, line, number, obj

GRAPH, OLDER = "/message_templates", "/v1/configs/templates"
FIELDS = "name,status,category,language,components,rejected_reason,quality_score,parameter_format"
_PAGE = 100
_MOST_PAGES = 100
"""A business has at most 6 000 templates (Meta: template limits)."""

Read = Callable[[str, Mapping[str, str]], Awaitable[Mapping[str, Any]]]
"""GET of a path with a query; the JSON object that was answered."""


async def all_templates(read: Read) -> list[Mapping[str, Any]]:
    """Every definition, as it was given; each once by name and language."""
    try:
        found = await _by_cursor(read)
    except (NotFound, InvalidRequest):
        found = await _by_offset(read)
    named = {(line(item.get("name")), line(item.get("language"))): item for item in found}
    return list(named.values())


async def _by_cursor(read: Read) -> list[Mapping[str, Any]]:
    query = {"fields": FIELDS, "limit": str(_PAGE)}
    found: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        answer = await read(GRAPH, query)
        found += _templates(answer)
        paging = obj(answer.get("paging"))
        after = line(obj(paging.get("cursors")).get("after"), 1000) or _cursor_in(paging.get("next"))
        if not paging.get("next") or not after or after in seen:
            break
        seen.add(after)
        query["after"] = after
    return found


async def _by_offset(read: Read) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for _ in range(_MOST_PAGES):
        answer = await read(OLDER, {"limit": str(_PAGE), "offset": str(len(found))})
        page = _templates(answer)
        found += page
        total = number(answer.get("total"))
        if not page or total is None or len(found) >= total:
            break
    return found


def _templates(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`data` or `waba_templates`: some gateways answer the one path in the shape of the other."""
    given = answer.get("data") if "data" in answer else answer.get("waba_templates")
    return [item for item in items(given) if isinstance(item, dict)]


def _cursor_in(address: object) -> str:
    try:
        return parse_qs(urlsplit(line(address, 4000)).query).get("after", [""])[0]
    except ValueError:
        return ""
