"""Definitions of message templates as both APIs of 360Dialog give them, and which values have to be filled in. Pure.

Graph shape: `GET /message_templates`, statuses in capitals, `parameter_format`. Older: `GET /v1/configs/templates`,
statuses small, no format. Examples stand nested, flat, or as named pairs (Meta: whatsapp/business-management-api/
message-templates; docs.360dialog.com: template elements). Only APPROVED may be sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.whatsapp.raw import items, line, obj, text

TOKEN = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
MEDIA_HEADERS = ("IMAGE", "VIDEO", "DOCUMENT")
LOCATION_FIELDS = ("latitude", "longitude", "name", "address")
_HEADERS = ("TEXT", *MEDIA_HEADERS, "LOCATION")
_BUTTONS = {
    "QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "FLOW", "CATALOG", "OTP", "VOICE_CALL",
    "CALL_PERMISSION_REQUEST", "REQUEST_CONTACT_INFO",
}  # fmt: skip
_COMPONENTS = {"HEADER", "BODY", "FOOTER", "BUTTONS", "CALL_PERMISSION_REQUEST"}
_LONGEST_NAME = 512
_MOST_BUTTONS = 10
_HIGHEST_INDEX = 100
"""`{{1000000}}` is a joke, not a template with a million variables."""

What = Literal["text", "media", "location", "url", "code", "payload", "flow", "product"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One value to fill in. `field` is its name in forms and in `Values`: `header_1`, `body_first_name`, `button_0`."""

    field: str
    what: What
    name: str
    """Within its component: the token without braces, the place of a location, or the button's label."""
    example: str = ""
    limit: int = 1024
    required: bool = True


@dataclass(frozen=True, slots=True)
class Header:
    format: str
    text: str = ""
    examples: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TemplateButton:
    kind: str
    text: str
    url: str = ""
    phone: str = ""
    example: str = ""

    @property
    def has_suffix(self) -> bool:
        return self.kind == "URL" and TOKEN.search(self.url) is not None


@dataclass(frozen=True, slots=True)
class Template:
    name: str
    language: str
    status: str
    """In capitals, whichever API it came from."""
    category: str = ""
    quality: str = ""
    named: bool = False
    header: Header | None = None
    body: str = ""
    """Empty for an authentication template whose fixed text the API leaves out."""
    body_examples: Mapping[str, str] | None = None
    security_advice: bool = False
    footer: str = ""
    code_expires: int = 0
    """Minutes that the footer of an authentication template names."""
    buttons: tuple[TemplateButton, ...] = ()
    not_supported: tuple[str, ...] = ()
    """Parts that this bot cannot fill in, in the words of the API; such a template is not offered."""

    @property
    def id(self) -> str:
        """How forms name it."""
        return f"{self.name}|{self.language}"

    @property
    def approved(self) -> bool:
        return self.status == "APPROVED"

    @property
    def is_code(self) -> bool:
        """An authentication template: its one value goes into the body and into the button."""
        return any(button.kind == "OTP" for button in self.buttons)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """In the order in which people are asked; what may stay empty keeps its place."""
        return tuple(_variables(self))


def read(raw: object) -> Template | None:
    """None for what names no template: it cannot be sent, and there is nothing to show."""
    item = obj(raw)
    name, language = line(item.get("name"), _LONGEST_NAME), item.get("language")
    code = line(obj(language).get("code") if isinstance(language, dict) else language, 20)
    if not name or not code:
        return None
    parts, strange = _parts(item.get("components"))
    header, buttons = _header(parts.get("HEADER")), _buttons(parts.get("BUTTONS"))
    body, footer = parts.get("BODY", {}), parts.get("FOOTER", {})
    strange += [header.format] if header and header.format not in _HEADERS else []
    strange += [button.kind for button in buttons if button.kind not in _BUTTONS]
    is_code = any(button.kind == "OTP" for button in buttons)
    body_text = text(body.get("text"))
    if not body_text and not is_code:
        strange.append("BODY")
    texts = (body_text, header.text if header else "")
    format = line(item.get("parameter_format")).upper()
    quality = item.get("quality_score")
    return Template(
        name=name,
        language=code,
        status=line(item.get("status")).upper(),
        category=line(item.get("category")).upper(),
        quality=line(obj(quality).get("score") if isinstance(quality, dict) else quality).upper(),
        named=format == "NAMED" or any(not token.isdecimal() for one in texts for token in TOKEN.findall(one)),
        header=header,
        body=body_text,
        body_examples=_examples(body_text, body.get("example"), "body_text"),
        security_advice=body.get("add_security_recommendation") is True,
        footer=text(footer.get("text")),
        code_expires=_minutes(footer.get("code_expiration_minutes")),
        buttons=buttons,
        not_supported=tuple(dict.fromkeys(strange)),
    )


def tokens(pattern: str) -> list[str]:
    """The variables of one component, each once: `1`, `2`, … up to the highest number, or names in their order."""
    found = list(dict.fromkeys(TOKEN.findall(pattern)))
    if found and all(token.isdecimal() for token in found):
        highest = min(max(int(token) for token in found), _HIGHEST_INDEX)
        return [str(index) for index in range(1, highest + 1)]
    return found


# --- reading the parts ----------------------------------------------------------------------------------------------


def _parts(components: object) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Each component by its kind, and the kinds that we do not know. A text header may come without a format."""
    found: dict[str, Mapping[str, Any]] = {}
    strange = []
    for component in map(obj, items(components)):
        kind = line(component.get("type"), 40).upper()
        if kind in _COMPONENTS:
            found.setdefault(kind, component)
        else:
            strange.append(kind or "?")
    return found, strange


def _header(raw: Mapping[str, Any] | None) -> Header | None:
    if raw is None:
        return None
    format = line(raw.get("format") or "TEXT", 40).upper()
    pattern = text(raw.get("text")) if format == "TEXT" else ""
    example = obj(raw.get("example"))
    if format == "TEXT":
        return Header(format, pattern, _examples(pattern, example, "header_text"))
    handle = line(next(iter(items(example.get("header_handle"))), ""), 2000)
    return Header(format, "", {"media": handle} if handle.startswith(("https://", "http://")) else {})


def _examples(pattern: str, raw: object, key: str) -> dict[str, str]:
    """`[["Ana", "Friday"]]`, `["Ana", "Friday"]`, or `[{"param_name", "example"}]` beside it."""
    example = obj(raw)
    named = {
        line(pair.get("param_name")): line(pair.get("example"))
        for pair in map(obj, items(example.get(f"{key}_named_params")))
    }
    if named:
        return named
    values = items(example.get(key))
    if values and isinstance(values[0], list):
        values = values[0]
    return dict(zip(tokens(pattern), map(line, values), strict=False))


def _buttons(raw: Mapping[str, Any] | None) -> tuple[TemplateButton, ...]:
    found = []
    for button in map(obj, items((raw or {}).get("buttons"))[:_MOST_BUTTONS]):
        found.append(
            TemplateButton(
                kind=line(button.get("type"), 40).upper() or "?",
                text=line(button.get("text"), 60),
                url=line(button.get("url"), 2000),
                phone=line(button.get("phone_number"), 40),
                example=line(next(iter(items(button.get("example"))), ""), 2000),
            )
        )
    return tuple(found)


def _minutes(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


# --- what has to be filled in ---------------------------------------------------------------------------------------


def _variables(template: Template) -> Iterator[Variable]:
    header = template.header
    if header is not None and header.format == "TEXT":
        for token in tokens(header.text):
            yield Variable(f"header_{token}", "text", token, (header.examples or {}).get(token, ""), limit=60)
    elif header is not None and header.format in MEDIA_HEADERS:
        yield Variable("header_media", "media", header.format.lower(), (header.examples or {}).get("media", ""), 2000)
    elif header is not None and header.format == "LOCATION":
        for place in LOCATION_FIELDS:
            yield Variable(f"header_{place}", "location", place, limit=1000 if place == "address" else 100)
    for token in tokens(template.body) or (["1"] if template.is_code else []):
        limit = 15 if template.is_code else 1024
        yield Variable(f"body_{token}", "text", token, (template.body_examples or {}).get(token, ""), limit)
    for index, button in enumerate(template.buttons):
        yield from _of_button(f"button_{index}", button)


def _of_button(field: str, button: TemplateButton) -> Iterator[Variable]:
    match button.kind:
        case "URL" if button.has_suffix:
            before = TOKEN.split(button.url, maxsplit=1)[0]
            yield Variable(field, "url", button.text, button.example.removeprefix(before), 2000)
        case "COPY_CODE":
            yield Variable(field, "code", button.text, button.example, 15)
        case "QUICK_REPLY":
            yield Variable(field, "payload", button.text, limit=256, required=False)
        case "FLOW":
            yield Variable(field, "flow", button.text, limit=200, required=False)
        case "CATALOG":
            yield Variable(field, "product", button.text, limit=100, required=False)
