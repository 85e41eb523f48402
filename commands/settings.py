"""`settings`: the eleven settings of the app, as a form or one by one; `settings list` shows where each value is from.

What is set here wins over the configuration until it is reset with `default`. Labels and meaning are those of
Rocket.Chat's own WhatsApp app.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from bot.chatops.command import SLASH, Act, Command, Desk, Press, Reply, Value, Words, typed
from bot.chatops.form import Answers, Field, Form, Opening, Option, Review, clean
from bot.errors import Invalid
from bot.ports import SettingValue

ON_OFF = (
    Option("true", Words("settings.on"), also=("on", "yes")),
    Option("false", Words("settings.off"), also=("off", "no")),
)
CHOICES: Mapping[str, tuple[Option, ...]] = {
    "agents_display_info": (
        Option("none", Words("settings.display.none")),
        Option("name", Words("settings.display.name")),
        Option("username", Words("settings.display.username")),
    ),
    "file_uploads_enabled": ON_OFF,
    "allow_quote_messages": ON_OFF,
    "message_status_filter": (
        Option("all", Words("settings.filter.all")),
        Option("regular", Words("settings.filter.regular")),
        Option("template", Words("settings.filter.template")),
    ),
    "allow_list_options": ON_OFF,
}
_LONGEST_LABEL = 20
"""Characters that WhatsApp shows on the button of a list (Meta: interactive list messages)."""
_MEDIA_TYPE = re.compile(r"(?:\*|[a-z0-9][a-z0-9.+-]*)/(?:\*|[a-z0-9][a-z0-9.+-]*)")


async def open_form(desk: Desk, args: tuple[str, ...]) -> Reply | Opening:
    match args:
        case []:
            return Opening(FORM)
        case ["list"]:
            return _list(desk)
        case [name]:
            return _list(desk, only=_known(desk, name))
    return await _set(desk, _known(desk, args[0]), " ".join(args[1:]))


def _known(desk: Desk, typed_name: str) -> str:
    name = typed_name.casefold().replace("-", "_")
    if name in desk.settings.values:
        return name
    near = difflib.get_close_matches(name, desk.settings.values, n=1)
    key = "settings.unknown_near" if near else "settings.unknown"
    raise Invalid(key, name=typed_name[:60], near=near[0] if near else "", all=f"{SLASH} settings list")


# --- one by one -----------------------------------------------------------------------------------------------------


async def _set(desk: Desk, name: str, text: str) -> Reply:
    field = _field(desk, name)
    if text.casefold() == "default":
        await desk.settings.reset(name)
    else:
        await _store(desk, name, "" if text.casefold() == "empty" and not field.required else _read(field, text))
    act = Act("settings", {name: _text(desk, name) if name in desk.settings.chosen else "default"})
    key = "settings.set" if name in desk.settings.chosen else "settings.reset"
    values: dict[str, Value] = {"label": Words(f"settings.{name}"), "value": _shown(desk, name)}
    return Reply(key, values, buttons=(Press(Words("settings.list_button"), typed("settings", "list")),), did=act)


def _read(field: Field, text: str) -> str:
    try:
        return clean(field, text)
    except Invalid as error:
        if not field.options:
            raise
        words = [option.also[0] if option in ON_OFF else option.value for option in field.options]
        raise Invalid("settings.not_a_choice", choices=", ".join(words)) from error


def _list(desk: Desk, only: str = "") -> Reply:
    rows = tuple(
        {"name": name, "label": Words(f"settings.{name}"), "value": _shown(desk, name), "note": _origin(desk, name)}
        for name in desk.settings.values
        if only in ("", name)
    )
    example = only or "list_button_label"
    values: dict[str, Value] = {
        "change": f'{SLASH} settings {example} "…"',
        "reset": f"{SLASH} settings {example} default",
        "form": f"{SLASH} settings",
    }
    change = Press(Words("settings.change_button"), typed("settings"))
    return Reply("settings.list", values, rows, (change,), layout="settings")


# --- all of them ----------------------------------------------------------------------------------------------------


async def questions(desk: Desk, _: Answers) -> Sequence[Field]:
    return tuple(_field(desk, name) for name in desk.settings.values)


async def review(desk: Desk, answers: Answers) -> Review:
    return Review()


async def submit(desk: Desk, answers: Answers) -> Reply:
    """Repeatable. What was left as it is keeps its origin, so it goes on following the configuration."""
    changed = [name for name in desk.settings.values if answers.get(name, _text(desk, name)) != _text(desk, name)]
    for name in changed:
        await _store(desk, name, answers[name])
    show = (Press(Words("settings.list_button"), typed("settings", "list")),)
    act = Act("settings", {name: _text(desk, name) for name in changed})
    return Reply("settings.saved" if changed else "settings.unchanged", buttons=show, did=act)


async def _store(desk: Desk, name: str, answer: str) -> None:
    now = desk.settings.values[name]
    value: SettingValue = answer
    if answer == _text(desk, name):
        value = now  # what is shown may hold less than what is set
    elif isinstance(now, bool):
        value = answer == "true"
    elif isinstance(now, int):
        value = int(answer)
    await desk.settings.change(name, value)


# --- the fields -----------------------------------------------------------------------------------------------------


def _field(desk: Desk, name: str) -> Field:
    options = CHOICES.get(name, ())
    if name == "preferred_language":
        options = tuple(_language(code, own) for code, own in desk.settings.languages.items())
    return Field(
        name,
        "choice" if options else "text",
        f"settings.{name}",
        f"settings.{name}.help",
        required=name not in ("accepted_media_types", "message_status_endpoint_url"),
        options=options,
        default=_text(desk, name),
        note=_origin(desk, name) if name in desk.settings.chosen else None,
        check=_CHECKS.get(name),
        nothing="settings.empty",
        most=_LONGEST_LABEL if name == "list_button_label" else 0 if options else _LONGEST_LINE,
    )


def _language(code: str, own_name: str) -> Option:
    return Option(code, own_name, also=(code.casefold(), code.casefold().replace("_", "-")))


_LONGEST_LINE = 1024
_GROUPED = re.compile(r"-?\d{1,3}(?:([., _'\u00a0\u202f])\d{3})(?:\1\d{3})*")


def _number(least: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        digits = text.replace("\u2212", "-")
        if _GROUPED.fullmatch(digits):
            digits = re.sub(r"[^\d-]", "", digits)
        if not re.fullmatch(r"-?\d{1,15}", digits):
            raise Invalid("settings.not_a_number")
        if int(digits) < least:
            raise Invalid("settings.too_small", least=least)
        return str(int(digits))

    return check


def _media_types(text: str) -> str:
    types = [one.strip().lower() for one in text.split(",") if one.strip()]
    for one in types:
        if not _MEDIA_TYPE.fullmatch(one):
            raise Invalid("settings.not_media_types", said=one[:60])
    return ", ".join(dict.fromkeys(types))


def _address(text: str) -> str:
    """A public address. Inside networks the configuration decides: people in chat do not see what listens there."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid("settings.not_an_address") from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in text):
        raise Invalid("settings.not_an_address")
    if parts.username is not None or parts.password is not None:
        raise Invalid("settings.address_with_password")
    if _is_private(host):
        raise Invalid("settings.private_address")
    return text


def _is_private(host: str) -> bool:
    name = host.rstrip(".").casefold()
    try:
        return not ipaddress.ip_address(name.partition("%")[0]).is_global
    except ValueError:
        pass
    # A host without a dot, and numbers that are no dotted quad (127.1, 0x7f000001), are names of the own network too.
    labels = name.split(".")
    return len(labels) < 2 or labels[-1] in _INSIDE or bool(re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]))


_INSIDE = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain"})

_CHECKS: Mapping[str, Callable[[str], str]] = {
    "max_file_upload_size": _number(-1),
    "accepted_media_types": _media_types,
    "template_refresh_interval_minutes": _number(1),
    "message_status_endpoint_url": _address,
}


# --- how values are shown -------------------------------------------------------------------------------------------


def _text(desk: Desk, name: str) -> str:
    """The present value as an answer: what `keep` gives back."""
    return _plain(name, desk.settings.values[name])


def _plain(name: str, value: SettingValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _without_secrets(str(value)) if name == "message_status_endpoint_url" else str(value)


def _shown(desk: Desk, name: str) -> Value:
    return _as_words(desk, name, desk.settings.values[name])


def _as_words(desk: Desk, name: str, value: SettingValue) -> Value:
    text = _plain(name, value)
    if name == "preferred_language":
        return desk.settings.languages.get(text, text)
    option = next((one for one in CHOICES.get(name, ()) if one.value == text), None)
    return option.label if option else text or Words("settings.empty")


def _origin(desk: Desk, name: str) -> Words:
    if name not in desk.settings.chosen:
        return Words("settings.from_config")
    return Words("settings.from_chat", {"configured": _as_words(desk, name, desk.settings.configured[name])})


def _without_secrets(address: str) -> str:
    """Host and path. A password or a token in the query is never said in chat."""
    try:
        parts = urlsplit(address)
        hidden = "…@" if "@" in parts.netloc else ""
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "…"
    shown = f"{parts.scheme}://{hidden}{host}{parts.path}"
    return shown + ("?…" if parts.query else "") if address else ""


FORM = Form(name="settings", questions=questions, review=review, submit=submit)

COMMAND = Command(
    name="settings",
    summary="settings.summary",
    open=open_form,
    examples=("list", 'list_button_label "Show me"', "list_button_label default"),
    forms=(FORM,),
)
