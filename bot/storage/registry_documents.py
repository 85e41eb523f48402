"""The registry's documents as they are stored: what is secret in them is one sealed text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from bot.model import Number
from bot.ports import Json
from bot.storage.secrets import Vault

SEALED = "sealed"
NUMBER_SECRETS = ("api_key", "hook_path", "hook_secret")
SESSION_SECRETS = ("secrets",)
FACT_SECRETS = ("value",)
_STATES = {"open": 0, "submitted": 1, "done": 2, "cancelled": 2}
"""In which order a form comes to them within one revision."""
_NUMBER_FIELDS = frozenset(field.name for field in fields(Number))


def closed(vault: Vault, document: Json, secrets: tuple[str, ...]) -> dict[str, Any]:
    hidden = {name: document[name] for name in secrets if name in document}
    shown = {name: value for name, value in document.items() if name not in secrets}
    return {**shown, SEALED: vault.seal(json.dumps(hidden))}


def opened(vault: Vault, document: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in document.items() if name != SEALED}
    return {**shown, **json.loads(vault.open(document[SEALED]))}


def number_of(document: Mapping[str, Any]) -> Number:
    """Names that a later version wrote are left out."""
    return Number(**{name: value for name, value in document.items() if name in _NUMBER_FIELDS})


def present(numbers: Iterable[Number]) -> list[Number]:
    return [number for number in numbers if not number.disconnected_at]


def is_session(document: Json, id: str | None, room: str | None) -> bool:
    """Whether it is the one with this id, and of this room; None: any."""
    return (id is None or document["id"] == id) and (room is None or document.get("room") == room)


def further(known: Json, document: Json) -> bool:
    """Whether the session as it is known has gone on since the other one was written."""
    return _place(known) > _place(document)


def _place(session: Json) -> tuple[int, int]:
    return int(session.get("revision", 0)), _STATES.get(session.get("state", ""), 0)
