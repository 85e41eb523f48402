"""Checks the `template` part of a send against its definition, and writes what the phone shows.

Meta: "Message templates" and its error texts. Only an approved template goes out; language codes must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.sandbox.dialog360.fields import items, obj, text
from bot.sandbox.dialog360.messages import location, media
from bot.sandbox.dialog360.refusals import Json, graph
from bot.sandbox.dialog360.state import Card
from bot.sandbox.dialog360.templates import TOKEN, Templates

MEDIA_FORMATS = ("IMAGE", "VIDEO", "DOCUMENT")
SECURITY_CODE = "*{{1}}* is your verification code."


@dataclass(frozen=True, slots=True)
class Filled:
    text: str
    media: tuple[tuple[str, Json], ...]
    buttons: tuple[tuple[str, str], ...]
    """(label, payload) of the quick replies."""
    card: Card


def fill(templates: Templates, part: Json) -> Filled:
    """Raises `Refusal` when Meta would not send it."""
    name = text(part, "name", "template", 1, 512) or ""
    language = obj(part, "language", "template")
    code = text(language, "code", "template['language']", 1, 20) or ""
    if language.get("policy", "deterministic") != "deterministic":
        raise graph(131009, "template['language']['policy'] must be deterministic.")
    definition = templates.find(name, code)
    if definition is None or definition["status"] in ("PENDING", "REJECTED", "DELETED"):
        raise graph(132001, f"template name ({name[:60]}) does not exist in {code}")
    if definition["status"] == "PAUSED":
        raise graph(132015)
    if definition["status"] != "APPROVED":
        raise graph(132016)
    return _Filling(definition, items(part, "components", "template", 0, 20, required=False)).result()


class _Filling:
    def __init__(self, definition: Json, given: list[Json]) -> None:
        self._named = definition["parameter_format"] == "NAMED"
        self._parts = {str(part["type"]).upper(): part for part in definition["components"]}
        self._media: list[tuple[str, Json]] = []
        self._given: dict[str, Json] = {}
        self._buttons: dict[int, Json] = {}
        for index, component in enumerate(given):
            self._sort(component, f"template['components'][{index}]")

    def _sort(self, component: Json, where: str) -> None:
        kind = str(component.get("type")).lower()
        if kind == "button":
            index = component.get("index")
            if isinstance(index, bool) or not re.fullmatch(r"\d", str(index)):
                raise graph(131009, f"{where}['index'] is not valid.")
            self._buttons[int(str(index))] = component
        elif kind in ("header", "body", "limited_time_offer", "carousel"):
            if kind.upper() not in self._parts and component.get("parameters"):
                raise graph(132000, f"{kind}: the template has no such component.")
            self._given[kind] = component
        else:
            raise graph(100, f"Unexpected value {kind!r:.40} on param {where}['type'].")

    def result(self) -> Filled:
        header, body, footer = self._header(), self._body(), str(self._parts.get("FOOTER", {}).get("text", ""))
        replies = tuple(self._quick_replies())
        shown = tuple(self._shown_buttons())
        labels = [f"[{label}: {leads}]" if leads else f"[{label}]" for label, leads in shown]
        whole = "\n\n".join(line for line in (header, body, footer, "\n".join(labels)) if line)
        return Filled(whole, tuple(self._media), replies, Card("" if self._media else header, body, footer, shown))

    def _header(self) -> str:
        header = self._parts.get("HEADER")
        if header is None:
            return ""
        form = str(header.get("format", "TEXT")).upper()
        parameters = items(self._given.get("header", {}), "parameters", "header", 0, 10, required=False)
        if form == "TEXT":
            return self._hydrate("header", header["text"], parameters, 60)
        found = str(parameters[0].get("type")).upper() if parameters else "UNKNOWN"
        if found != form:
            raise graph(132012, f"header: Format mismatch, expected {form}, received {found}")
        value = obj(parameters[0], form.lower(), "header")
        if form in MEDIA_FORMATS:
            media(value, form.lower(), "header", ("filename",) if form == "DOCUMENT" else ())
            self._media.append((form.lower(), value))
        elif form == "LOCATION":
            location(value, "header")
        return f"[{form.lower()}]"

    def _body(self) -> str:
        body = self._parts["BODY"]
        parameters = items(self._given.get("body", {}), "parameters", "body", 0, 100, required=False)
        return self._hydrate("body", body.get("text", SECURITY_CODE), parameters, 1024)

    def _hydrate(self, where: str, pattern: str, parameters: list[Json], most: int) -> str:
        names = list(dict.fromkeys(TOKEN.findall(pattern)))
        if len(parameters) != len(names):
            raise graph(
                132000,
                f"{where}: number of localizable_params ({len(parameters)}) does not match the expected number "
                f"of params ({len(names)})",
            )
        if self._named and any(not parameter.get("parameter_name") for parameter in parameters):
            raise graph(100, "Parameter name is missing or empty")
        keys = [str(p["parameter_name"]) if self._named else str(i) for i, p in enumerate(parameters, 1)]
        if set(keys) != set(names):
            raise graph(132000, f"{where}: parameter names do not match, expected {', '.join(names)}")
        values = dict(zip(keys, (_value(parameter, where) for parameter in parameters), strict=True))
        whole = TOKEN.sub(lambda token: values[token[1]], pattern)
        if len(whole) > most:
            raise graph(132005, f"{where}: the text is {len(whole)} characters long, {most} are allowed.")
        return whole

    def _shown_buttons(self) -> Iterator[tuple[str, str]]:
        buttons = self._parts.get("BUTTONS", {}).get("buttons", [])
        for index in self._buttons:
            if index >= len(buttons):
                raise graph(132000, f"buttons: the template has no button at index {index}")
        for index, button in enumerate(buttons):
            yield _button(index, button, self._buttons.get(index))

    def _quick_replies(self) -> Iterator[tuple[str, str]]:
        for index, button in enumerate(self._parts.get("BUTTONS", {}).get("buttons", [])):
            if str(button["type"]).upper() == "QUICK_REPLY":
                parameters = self._buttons.get(index, {}).get("parameters") or [{}]
                yield button["text"], str(parameters[0].get("payload", button["text"]))


_SUB_TYPES = {"OTP": ("url", "copy_code"), "SPM": ("mpm", "product")}


def _button(index: int, button: Json, given: Json | None) -> tuple[str, str]:
    """The label, and where it leads."""
    kind = str(button["type"]).upper()
    label = str(button.get("text", "Copy code"))
    where = f"Button at index {index} of type {kind.title()}"
    if given is not None and str(given.get("sub_type")).lower() not in _SUB_TYPES.get(kind, (kind.lower(),)):
        raise graph(132012, f"buttons: {where} does not match sub_type {given.get('sub_type')!r:.40}")
    parameters = items(given or {}, "parameters", f"button[{index}]", 0, 10, required=False)
    url = str(button.get("url", ""))
    if kind == "OTP" or (kind == "URL" and TOKEN.search(url)):
        if len(parameters) != 1 or parameters[0].get("type") != "text":
            raise graph(131008, f"buttons: {where} requires a parameter")
        suffix = text(parameters[0], "text", f"button[{index}]", 1, 2000) or ""
        return label, TOKEN.sub(lambda _: suffix, url)
    if kind == "COPY_CODE":
        if len(parameters) != 1 or parameters[0].get("type") != "coupon_code":
            raise graph(131008, f"buttons: {where} requires a parameter")
        return label, text(parameters[0], "coupon_code", f"button[{index}]", 1, 15) or ""
    if kind == "QUICK_REPLY" and parameters:
        if parameters[0].get("type") not in ("payload", "text"):
            raise graph(132012, f"buttons: {where} needs a payload")
        text(parameters[0] | {"payload": parameters[0].get("payload", "-")}, "payload", f"button[{index}]", 1, 256)
    if kind in ("URL", "PHONE_NUMBER") and parameters:
        raise graph(132000, f"buttons: {where} takes no parameter")
    return label, str(url or button.get("phone_number")) if kind in ("URL", "PHONE_NUMBER") else ""


def _value(parameter: Json, where: str) -> str:
    kind = parameter.get("type")
    if kind in ("currency", "date_time"):
        return text(obj(parameter, kind, where), "fallback_value", f"{where}['{kind}']", 1, 1024) or ""
    if kind != "text":
        raise graph(132012, f"{where}: parameter type {kind!r:.40} is not allowed here")
    value = text(parameter, "text", where, 1, 32768) or ""
    if re.search(r"[\n\r\t]| {5}", value):
        raise graph(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
    return value
