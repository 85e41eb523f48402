"""What a customer's phone shows of a template, so that people see it before it is sent and read it afterwards. Pure.

WhatsApp shows the header in bold, the body, the footer small, and the buttons below (Meta: template components).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.translations import Translate
from bot.whatsapp.raw import items, line, obj, text
from bot.whatsapp.template_send import UPLOADED, Values, file_name, fill, in_address, of
from bot.whatsapp.templates import LOCATION_FIELDS, MEDIA_HEADERS, TOKEN, Template, TemplateButton


def preview(template: Template, values: Values, t: Translate) -> str:
    """As WhatsApp markup: header, body, footer, and each button with where it leads."""
    blocks = [_header_shown(template, values, t), _body_shown(template, values, t), _footer_shown(template, t)]
    buttons = [
        _button_shown(button, values.get(f"button_{index}", ""), values, t)
        for index, button in enumerate(template.buttons)
    ]
    return "\n\n".join(block for block in (*blocks, "\n".join(buttons)) if block)


def _header_shown(template: Template, values: Values, t: Translate) -> str:
    header = template.header
    if header is None:
        return ""
    if header.format == "TEXT":
        return f"*{fill(header.text, of('header_', values))}*"
    if header.format == "LOCATION":
        named = [values[f"header_{name}"] for name in ("name", "address") if values.get(f"header_{name}")]
        at = [values[f"header_{name}"] for name in ("latitude", "longitude") if values.get(f"header_{name}")]
        return t("template.shows.location", place=", ".join(named or at) or "?")
    if header.format not in MEDIA_HEADERS:
        return f"[{header.format.lower()}]"
    given = values.get("header_media", "")
    name, kind = file_name(given) or given.removeprefix(UPLOADED), header.format.lower()
    return t(f"template.shows.{kind}_named", name=name) if name else t(f"template.shows.{kind}")


def _body_shown(template: Template, values: Values, t: Translate) -> str:
    if template.body or not template.is_code:
        return fill(template.body, of("body_", values))
    lines = [t("template.shows.code", code=values.get("body_1") or "{{1}}")]
    if template.security_advice:
        lines.append(t("template.shows.advice"))
    return " ".join(lines)


def _footer_shown(template: Template, t: Translate) -> str:
    if template.code_expires:
        return f"_{t('template.shows.expires', n=template.code_expires)}_"
    return f"_{template.footer}_" if template.footer else ""


def _button_shown(button: TemplateButton, value: str, values: Values, t: Translate) -> str:
    unnamed = "template.shows.copy_code" if button.kind in ("COPY_CODE", "OTP") else "template.shows.open"
    label = button.text or t(unnamed)
    match button.kind:
        case "URL":
            leads = TOKEN.sub(lambda token: in_address(value) or token[0], button.url)
        case "PHONE_NUMBER":
            leads = button.phone
        case "COPY_CODE":
            leads = value
        case "OTP":
            leads = values.get("body_1", "")
        case _:
            leads = ""
    return f"[{label}: {leads}]" if leads else f"[{label}]"


def values_of(template: Template, components: Sequence[object]) -> dict[str, str]:
    """The values that finished components fill in, as far as they are texts: what a preview needs."""
    values: dict[str, str] = {}
    for component in map(obj, components):
        kind = line(component.get("type"), 40).lower()
        parameters = list(map(obj, items(component.get("parameters"))))
        if kind == "button" and parameters:
            values[f"button_{text(component.get('index'))}"] = _said(parameters[0])
        elif kind == "header" and parameters and line(parameters[0].get("type")) == "location":
            place = obj(parameters[0].get("location"))
            values |= {f"header_{name}": text(place.get(name)) for name in LOCATION_FIELDS if place.get(name)}
        elif kind == "header" and parameters and line(parameters[0].get("type")).upper() in MEDIA_HEADERS:
            media = obj(parameters[0].get(line(parameters[0].get("type"))))
            values["header_media"] = text(media.get("link")) or f"{UPLOADED}{text(media.get('id'))} " + text(
                media.get("filename")
            )
        elif kind in ("header", "body"):
            values |= {
                f"{kind}_{text(parameter.get('parameter_name')) or index}": _said(parameter)
                for index, parameter in enumerate(parameters, start=1)
            }
    return values


def _said(parameter: Mapping[str, Any]) -> str:
    kind = text(parameter.get("type"))
    inner = obj(parameter.get(kind))
    return text(parameter.get("text")) or text(parameter.get(kind)) or text(inner.get("fallback_value"))


def plain_preview(name: str, components: Sequence[object]) -> str:
    """What can be shown of a template whose definition is not known: its name and the values."""
    parameters = (parameter for one in map(obj, components) for parameter in items(one.get("parameters")))
    given = [_said(parameter) for parameter in map(obj, parameters)]
    return "\n".join(filter(None, (f"*{name}*", " · ".join(filter(None, given)))))
