"""Checks an `interactive` part: reply buttons, lists, links, requests, catalogues, flows.

Meta: interactive-reply-buttons-messages, interactive-list-messages, and the OpenAPI description's `InteractiveObject`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.dialog360.fields import at, items, known, obj, text
from bot.sandbox.dialog360.refusals import graph

Json = dict[str, Any]

_HEADERS = {"button": ("text", "image", "video", "document"), "list": ("text",), "product_list": ("text",)}
_ANY_HEADER = ("text", "image", "video", "document")
_BODY = {"list": 4096}


def check(part: Json) -> Iterator[tuple[str, Json]]:
    """Yields the media object of the header, if there is one; raises for what Meta would refuse."""
    known(part, "interactive", "type", "header", "body", "footer", "action")
    kind = text(part, "type", "interactive", 1, 40)
    if kind not in _ACTIONS:
        raise graph(131009, f"interactive['type'] {kind!r:.40} is not supported.")
    if kind != "product" or "body" in part:
        text(obj(part, "body", "interactive"), "text", "interactive['body']", 1, _BODY.get(kind, 1024))
    if "footer" in part:
        text(obj(part, "footer", "interactive"), "text", "interactive['footer']", 1, 60)
    _ACTIONS[kind](obj(part, "action", "interactive"))
    if kind == "product_list" and "header" not in part:
        raise graph(131008, "interactive['header'] is required.")
    if "header" in part:
        yield from _header(obj(part, "header", "interactive"), _HEADERS.get(kind, _ANY_HEADER))


def _header(header: Json, allowed: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    kind = text(header, "type", "interactive['header']", 1, 20)
    if kind not in allowed:
        raise graph(131009, f"interactive['header']['type'] must be one of {', '.join(allowed)}.")
    if kind == "text":
        text(header, "text", "interactive['header']", 1, 60)
    else:
        yield kind, obj(header, kind, "interactive['header']")


_ACTION = "interactive['action']"


def _unique(values: list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise graph(131009, f"Duplicated {what}.")


def _id(part: Json, where: str, most: int) -> str:
    value = text(part, "id", where, 1, most) or ""
    if value != value.strip():
        raise graph(131009, f"{at(where, 'id')} must not begin or end with a space.")
    return value


def _buttons(action: Json) -> None:
    known(action, _ACTION, "buttons")
    ids, titles = [], []
    for index, button in enumerate(items(action, "buttons", _ACTION, 1, 3)):
        where = f"{_ACTION}['buttons'][{index}]"
        if button.get("type") != "reply":
            raise graph(131009, f"{where}['type'] must be reply.")
        reply = obj(button, "reply", where)
        known(reply, f"{where}['reply']", "id", "title")
        ids.append(_id(reply, f"{where}['reply']", 256))
        titles.append(text(reply, "title", f"{where}['reply']", 1, 20) or "")
    _unique(ids, "button id")
    _unique(titles, "button title")


def _list(action: Json) -> None:
    known(action, _ACTION, "button", "sections")
    text(action, "button", _ACTION, 1, 20)
    sections = items(action, "sections", _ACTION, 1, 10)
    ids = []
    for index, section in enumerate(sections):
        where = f"{_ACTION}['sections'][{index}]"
        known(section, where, "title", "rows")
        text(section, "title", where, 1, 24, required=len(sections) > 1)
        for place, row in enumerate(items(section, "rows", where, 1, 10)):
            here = f"{where}['rows'][{place}]"
            known(row, here, "id", "title", "description")
            ids.append(_id(row, here, 200))
            text(row, "title", here, 1, 24)
            text(row, "description", here, 0, 72, required=False)
    if len(ids) > 10:
        raise graph(131009, f"Total row count exceeds 10: {len(ids)}.")
    _unique(ids, "row id")


def _named(name: str, *parameters: str) -> Callable[[Json], None]:
    def checked(action: Json) -> None:
        if action.get("name") != name:
            raise graph(131009, f"{_ACTION}['name'] must be {name}.")
        values = obj(action, "parameters", _ACTION) if parameters else {}
        for key in parameters:
            if key not in values:
                raise graph(131008, f"{_ACTION}['parameters']['{key}'] is required.")

    return checked


def _link(action: Json) -> None:
    _named("cta_url", "display_text", "url")(action)
    parameters = action["parameters"]
    text(parameters, "display_text", f"{_ACTION}['parameters']", 1, 20)
    url = text(parameters, "url", f"{_ACTION}['parameters']", 1, 2000) or ""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise graph(131009, f"{_ACTION}['parameters']['url'] is not a valid URL.")


def _flow(action: Json) -> None:
    _named("flow", "flow_message_version", "flow_cta")(action)
    parameters = action["parameters"]
    if ("flow_id" in parameters) == ("flow_name" in parameters):
        raise graph(131009, "Either flow_id or flow_name is required.")
    text(parameters, "flow_cta", f"{_ACTION}['parameters']", 1, 30)


def _product(action: Json) -> None:
    for key in ("catalog_id", "product_retailer_id"):
        text(action, key, _ACTION, 1, 255)


def _products(action: Json) -> None:
    text(action, "catalog_id", _ACTION, 1, 255)
    sections = items(action, "sections", _ACTION, 1, 10)
    for index, section in enumerate(sections):
        where = f"{_ACTION}['sections'][{index}]"
        text(section, "title", where, 1, 24, required=len(sections) > 1)
        items(section, "product_items", where, 1, 30)


def _cards(action: Json) -> None:
    for index, card in enumerate(items(action, "cards", _ACTION, 2, 10)):
        if "body" in card:
            where = f"{_ACTION}['cards'][{index}]"
            text(obj(card, "body", where), "text", f"{where}['body']", 1, 160)


_ACTIONS: dict[str, Callable[[Json], None]] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _link,
    "location_request_message": _named("send_location"),
    "contact_request": _named("request_contact_info"),
    "product": _product,
    "product_list": _products,
    "catalog_message": _named("catalog_message"),
    "flow": _flow,
    "address_message": _named("address_message", "country"),
    "voice_call": _named("voice_call"),
    "call_permission_request": _named("call_permission_request"),
    "order_details": _named("review_and_pay", "reference_id", "currency", "total_amount", "order"),
    "order_status": _named("review_order", "reference_id", "order"),
    "carousel": _cards,
}
