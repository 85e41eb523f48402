"""Message templates: a few to begin with, and both APIs over the same data.

The Graph-shaped API writes statuses in capitals and pages by cursor; the older one writes them small and pages by
offset (360Dialog: "Templates", "Create and manage template messages").
"""

from __future__ import annotations

import base64
import copy
import itertools
import re
from collections.abc import Mapping
from typing import Any

from bot.sandbox.dialog360.refusals import Json, graph

TOKEN = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
NEXT_PAGE = "https://waba-v2.360dialog.io/message_templates"
CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")


def _body(text: str, *example: str) -> Json:
    return {"type": "BODY", "text": text, **({"example": {"body_text": [list(example)]}} if example else {})}


def _order_update(language: str, head: str, body: str, track: str, talk: str) -> Json:
    return {
        "name": "order_update",
        "language": language,
        "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": head, "example": {"header_text": ["A-1001"]}},
            _body(body, "Maria", "Friday"),
            {"type": "FOOTER", "text": "Demo Shop"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {
                        "type": "URL",
                        "text": track,
                        "url": "https://shop.example/orders/{{1}}",
                        "example": ["https://shop.example/orders/A-1001"],
                    },
                    {"type": "QUICK_REPLY", "text": talk},
                ],
            },
        ],
    }


DEFAULTS: tuple[Json, ...] = (
    {
        "name": "hello_world",
        "language": "en_US",
        "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Hello World"},
            _body("Welcome and congratulations! This message shows that you can send a template."),
            {"type": "FOOTER", "text": "WhatsApp Business Platform sample message"},
        ],
    },
    _order_update(
        "en",
        "Order {{1}}",
        "Hello {{1}}, your order is on its way. It should reach you on {{2}}.",
        "Track order",
        "Talk to us",
    ),
    _order_update(
        "de",
        "Bestellung {{1}}",
        "Hallo {{1}}, Ihre Bestellung ist unterwegs. Sie kommt voraussichtlich am {{2}} an.",
        "Verfolgen",
        "Frage stellen",
    ),
    {
        "name": "appointment_reminder",
        "language": "en",
        "category": "UTILITY",
        "parameter_format": "NAMED",
        "components": [
            {
                "type": "BODY",
                "text": "Hi {{first_name}}, see you on {{date}} at {{time}}. Reply here if you need another time.",
                "example": {
                    "body_text_named_params": [
                        {"param_name": "first_name", "example": "Maria"},
                        {"param_name": "date", "example": "12 May"},
                        {"param_name": "time", "example": "10:30"},
                    ]
                },
            },
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Confirm"}]},
        ],
    },
    {
        "name": "new_catalogue",
        "language": "en",
        "category": "MARKETING",
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://shop.example/cover.png"]}},
            _body("Dear {{1}}, our new catalogue is here. Use the code for a discount.", "Maria"),
            {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": ["SPRING25"]}]},
        ],
    },
    {
        "name": "summer_sale",
        "language": "en",
        "category": "MARKETING",
        "status": "PENDING",
        "components": [_body("Summer sale: everything is {{1}} percent off until Sunday.", "20")],
    },
    {
        "name": "free_gift",
        "language": "en",
        "category": "MARKETING",
        "status": "REJECTED",
        "rejected_reason": "PROMOTIONAL",
        "components": [_body("You have won a gift. Write to us to claim it.")],
    },
)


class Templates:
    """The templates of one WhatsApp Business account."""

    def __init__(self, waba_id: str) -> None:
        self.omit_format = False
        """Leaves `parameter_format` out of answers, as older ones do."""
        self._waba_id = waba_id
        self._ids = itertools.count(920_070_352_646_140)
        self._items: list[Json] = []
        for definition in DEFAULTS:
            self.add(definition)

    def add(self, definition: Mapping[str, Any]) -> Json:
        """Adds a template in Graph form; what is missing gets usual values. Returns the stored document."""
        made: Json = {
            "id": str(next(self._ids)),
            "status": "APPROVED",
            "parameter_format": "POSITIONAL",
            "quality_score": {"score": "UNKNOWN"},
            "rejected_reason": "NONE",
            **copy.deepcopy(dict(definition)),
        }
        self._items.append(made)
        return made

    def find(self, name: str, language: str) -> Json | None:
        return next((item for item in self._items if item["name"] == name and item["language"] == language), None)

    def by_id(self, id: str) -> Json | None:
        return next((item for item in self._items if item["id"] == id), None)

    def remove(self, name: str) -> None:
        """Every language of it."""
        kept = [item for item in self._items if item["name"] != name]
        if len(kept) == len(self._items):
            raise graph(100, f"Message template '{name[:60]}' does not exist.", subcode=2593002)
        self._items = kept

    def create(self, body: object) -> Json:
        """What POST does: checks the definition, stores it as pending."""
        if not isinstance(body, dict):
            raise graph(100, "Invalid parameter")
        name, language = body.get("name"), body.get("language")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]{1,512}", name):
            raise graph(100, "Param name must hold only lower case letters, digits and underscores.")
        if not isinstance(language, str) or not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", language):
            raise graph(100, "Param language is not valid.")
        if str(body.get("category")).upper() not in CATEGORIES:
            raise graph(100, f"Param category must be one of {{{', '.join(CATEGORIES)}}}.")
        _check_body(body.get("components"))
        if self.find(name, language):
            raise graph(100, "There is already content in this language for this template.", subcode=2388024)
        return self.add({**body, "category": body["category"].upper(), "status": "PENDING"})

    def page(self, query: Mapping[str, str]) -> Json:
        """GET /message_templates: `limit`, `after`, `fields`, `name`, `status`."""
        try:
            start = int(base64.b64decode(query.get("after", "") or base64.b64encode(b"0")))
            limit = int(query.get("limit", "25"))
        except ValueError:
            raise graph(100, "Invalid cursor or limit.") from None
        items = [item for item in self._items if all(item[k] == query[k] for k in ("name", "status") if k in query)]
        chosen = items[start : start + limit]
        cursors = {"before": _cursor(start), "after": _cursor(start + len(chosen))}
        paging: Json = {"cursors": cursors} if chosen else {}
        if start + limit < len(items):
            paging["next"] = f"{NEXT_PAGE}?limit={limit}&after={cursors['after']}"
        fields = [name for name in query.get("fields", "").split(",") if name]
        return {"data": [self._graph(item, fields) for item in chosen], **({"paging": paging} if paging else {})}

    def _graph(self, item: Json, fields: list[str]) -> Json:
        shown = {key: value for key, value in item.items() if not fields or key in fields or key == "id"}
        if self.omit_format:
            shown.pop("parameter_format", None)
        return shown

    def old_page(self, query: Mapping[str, str]) -> Json:
        """GET /v1/configs/templates: `limit`, `offset`."""
        try:
            limit, offset = int(query.get("limit", "1000")), int(query.get("offset", "0"))
        except ValueError:
            raise graph(100, "Invalid limit or offset.") from None
        chosen = self._items[offset : offset + limit]
        return {
            "count": len(chosen),
            "total": len(self._items),
            "limit": limit,
            "offset": offset,
            "sort": ["id"],
            "filters": {},
            "waba_templates": [self.old_form(item) for item in chosen],
        }

    def old_form(self, item: Json) -> Json:
        """The 360Dialog record of a template."""
        names = {"PENDING": "submitted"}
        return {
            "id": f"{item['id']}WT",
            "name": item["name"],
            "namespace": "b3a1c0de_1111_4222_8333_444455556666",
            "language": item["language"],
            "category": item["category"],
            "components": item["components"],
            "status": names.get(item["status"], item["status"].lower()),
            "rejected_reason": item["rejected_reason"],
            "quality_score": {"score": item["quality_score"]["score"], "reasons": None},
            "waba_account_id": self._waba_id,
            "external_id": item["id"],
        }


def _cursor(position: int) -> str:
    return base64.b64encode(str(position).encode()).decode()


def _check_body(components: object) -> None:
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise graph(100, "Param components must be an array.")
    body = next((item for item in components if str(item.get("type")).upper() == "BODY"), None)
    text = body.get("text", "") if body else None
    if not isinstance(text, str) or not 1 <= len(text) <= 1024:
        raise graph(100, "Param components must hold a BODY of 1 to 1024 characters.")
    if re.match(r"\s*\{\{", text) or re.search(r"\}\}\s*$", text):
        raise graph(100, "Variables can't be at the start or end of the template.", subcode=2388299)
