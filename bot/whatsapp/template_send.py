"""Fills a template in: checks the values and makes the `template` part of POST /messages. Pure.

Meta: whatsapp/messages/template-messages. Two ways lead here: values of a form, one for each variable, and finished
`components` of an API call, which are only put in order. Text of a parameter takes no line break, no tab and no more
than four blanks in a row; Meta refuses the whole message otherwise (code 132018).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from bot.errors import Invalid
from bot.whatsapp.raw import is_user_id, items, line, number, obj, text
from bot.whatsapp.templates import LOCATION_FIELDS, TOKEN, Template, TemplateButton, Variable, tokens

Values = Mapping[str, str]
"""Field of a variable → its value. `header_media` is a link, or `id:<media id> <file name>` of an uploaded file."""

UPLOADED = "id:"
LONGEST_BODY = 1024
LONGEST_HEADER = 60
_BLANKS = re.compile(r"\s*[\r\n\t\v\f\u0085\u2028\u2029]\s*|[ \u00a0]{5,}")
_IN_URL = "/?&=%#:@!$'()*+,;-._~"
_NO_FLOW_TOKEN = "unused"  # noqa: S105 - Meta's own default for flows that need none
_MOST_COMPONENTS = 20


def tidy(value: str) -> str:
    """A parameter's text as WhatsApp takes it: what it refuses becomes one blank."""
    return _BLANKS.sub(" ", value).strip()


def check(template: Template, variable: Variable, value: str) -> str:
    """What to store for a value that somebody typed. Raises Invalid."""
    value = tidy(value)
    match variable.what:
        case "media":
            if not value.startswith(UPLOADED) and not is_link(value):
                raise Invalid("template.not_a_link")
        case "location":
            value = _place(variable.name, value)
        case "url":
            button = template.buttons[int(variable.field.removeprefix("button_"))]
            value = value.removeprefix(TOKEN.split(button.url, maxsplit=1)[0])
    if variable.required and not value:
        raise Invalid("form.missing")
    if len(value) > variable.limit:
        raise Invalid("form.too_long", n=variable.limit, length=len(value))
    return value


def check_whole(template: Template, values: Values) -> None:
    """The hydrated text has a limit too (code 132005). Raises Invalid at the last field that made it too long."""
    body = fill(template.body, of("body_", values))
    if len(body) > LONGEST_BODY:
        raise Invalid("template.body_too_long", _last("body_", template), n=LONGEST_BODY, length=len(body))
    header = fill(template.header.text, of("header_", values)) if template.header else ""
    if len(header) > LONGEST_HEADER:
        raise Invalid("template.header_too_long", _last("header_", template), n=LONGEST_HEADER, length=len(header))


def fill(pattern: str, values: Values) -> str:
    """Each token once; a missing value leaves its token visible, and nothing that was filled in is read again."""
    return TOKEN.sub(lambda token: values.get(token[1]) or token[0], pattern)


def of(prefix: str, values: Values) -> dict[str, str]:
    """The values of one component, by the names of its variables."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def in_address(suffix: str) -> str:
    """As it may stand at the end of a link; what is written with % already stays."""
    return quote(suffix, safe=_IN_URL)


def is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in value


def _place(name: str, value: str) -> str:
    limit = {"latitude": 90.0, "longitude": 180.0}.get(name)
    if limit is None:
        return value
    read = number(value.replace(",", "."))
    if read is None or abs(read) > limit:
        raise Invalid("template.not_a_coordinate")
    return repr(read)


def _last(prefix: str, template: Template) -> str:
    return [one.field for one in template.variables if one.field.startswith(prefix)][-1:][0]


# --- the send body --------------------------------------------------------------------------------------------------


def message(to: str, template: Mapping[str, Any], opaque: str) -> dict[str, Any]:
    """The body of POST /messages. `to` is a contact id as WhatsApp gave it, or a phone number with its plus.

    Without the plus Meta may take a number for a national one of the business's country (Meta: send messages)."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "recipient" if is_user_id(to) else "to": to,
        "type": "template",
        "template": dict(template),
        "biz_opaque_callback_data": opaque,
    }


def filled(template: Template, values: Values) -> dict[str, Any]:
    """The `template` object of a send, for values that passed `check`."""
    return _object(template.name, template.language, list(_components(template, values)))


def _object(name: str, language: str, components: list[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "language": {"code": language}}
    if components:
        made["components"] = components
    return made


def _components(template: Template, values: Values) -> Iterator[dict[str, Any]]:
    header = template.header
    if header is not None:
        parameters = _header_parameters(header.format, header.text, values, named=template.named)
        if parameters:
            yield {"type": "header", "parameters": parameters}
    names = tokens(template.body) or (["1"] if template.is_code else [])
    if names:
        yield {"type": "body", "parameters": [_text(n, values.get(f"body_{n}", ""), template.named) for n in names]}
    for index, button in enumerate(template.buttons):
        parameter = _button_parameter(button, values.get(f"button_{index}", ""), values)
        if parameter:
            kind = "url" if button.kind == "OTP" else button.kind.lower()
            yield {"type": "button", "sub_type": kind, "index": str(index), "parameters": [parameter]}


def _header_parameters(format: str, pattern: str, values: Values, *, named: bool) -> list[dict[str, Any]]:
    if format == "TEXT":
        return [_text(name, values.get(f"header_{name}", ""), named) for name in tokens(pattern)]
    if format == "LOCATION":
        place = {name: values[f"header_{name}"] for name in LOCATION_FIELDS if values.get(f"header_{name}")}
        return [{"type": "location", "location": place}]
    kind, given = format.lower(), values.get("header_media", "")
    media = {"link": given}
    name = file_name(given)
    if given.startswith(UPLOADED):
        media = {"id": given.removeprefix(UPLOADED).partition(" ")[0]}
    if kind == "document" and name:
        media["filename"] = name
    return [{"type": kind, kind: media}]


def _text(name: str, value: str, named: bool) -> dict[str, Any]:
    return {"type": "text", **({"parameter_name": name} if named else {}), "text": value}


def _button_parameter(button: TemplateButton, value: str, values: Values) -> dict[str, Any] | None:
    match button.kind:
        case "URL" if button.has_suffix:
            return {"type": "text", "text": in_address(value)}
        case "OTP":
            return {"type": "text", "text": values.get("body_1", "")}
        case "COPY_CODE":
            return {"type": "coupon_code", "coupon_code": value}
        case "QUICK_REPLY" if value:
            return {"type": "payload", "payload": value}
        case "FLOW":
            return {"type": "action", "action": {"flow_token": value or _NO_FLOW_TOKEN}}
        case "CATALOG" if value:
            return {"type": "action", "action": {"thumbnail_product_retailer_id": value}}
    return None


def file_name(media: str) -> str:
    """Of an uploaded file, or the last part of a link when that looks like a file's name."""
    if media.startswith(UPLOADED):
        return media.partition(" ")[2]
    last = urlsplit(media).path.rpartition("/")[2]
    return last if "." in last else ""


def arranged(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The `template` of an API call as WhatsApp takes it.

    `namespace` and `policy` mean nothing any more, a footer takes no parameters (older examples show some), kinds are
    written small, `index` is a text. Parameters themselves stay as they are, apart from blanks that are refused.
    """
    components = []
    for component in map(obj, items(raw.get("components"))[:_MOST_COMPONENTS]):
        kind = line(component.get("type"), 40).lower()
        parameters = [_tidied(parameter) for parameter in items(component.get("parameters"))]
        if kind == "footer" or (not parameters and "cards" not in component):
            continue
        made = {**component, "type": kind, "parameters": parameters}
        if kind == "button":
            made |= {"sub_type": line(component.get("sub_type"), 40).lower(), "index": text(component.get("index"))}
        if not parameters:
            del made["parameters"]
        components.append(made)
    return _object(text(raw.get("name")), text(obj(raw.get("language")).get("code")), components)


def _tidied(parameter: Any) -> Any:
    if isinstance(parameter, dict) and parameter.get("type") == "text" and isinstance(parameter.get("text"), str):
        return {**parameter, "text": tidy(parameter["text"])}
    return parameter
