"""Small checks of one field each. They raise Meta's errors and name the field as Meta does: `text['body']`."""

from __future__ import annotations

from typing import Any

from bot.sandbox.dialog360.refusals import graph

Json = dict[str, Any]


def at(where: str, key: str) -> str:
    return f"{where}['{key}']" if where else key


def missing(where: str, key: str) -> Exception:
    return graph(131008, f"{at(where, key)} is required.") if where else graph(100, f"The parameter {key} is required.")


def known(part: Json, where: str, *keys: str) -> None:
    """Refuses a key that the API does not know here."""
    for key in part:
        if key not in keys:
            raise graph(100, f'Unexpected key "{key[:60]}" on param "{where}".')


def obj(part: Json, key: str, where: str) -> Json:
    if part.get(key) is None:
        raise missing(where, key)
    value = part[key]
    if not isinstance(value, dict):
        raise graph(100, f"Param {at(where, key)} must be a JSON object.")
    return value


def items(part: Json, key: str, where: str, least: int, most: int, *, required: bool = True) -> list[Json]:
    """A list of objects."""
    value = part.get(key)
    if value is None:
        if required:
            raise missing(where, key)
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise graph(100, f"Param {at(where, key)} must be an array of objects.")
    if not least <= len(value) <= most:
        raise graph(131009, f"{at(where, key)} must hold {least} to {most} items, holds {len(value)}.")
    return value


def text(part: Json, key: str, where: str, least: int, most: int, *, required: bool = True) -> str | None:
    """A string within limits; None when it is absent and may be. Only whitespace counts as empty."""
    value = part.get(key)
    if value is None:
        if required:
            raise missing(where, key)
        return None
    if not isinstance(value, str):
        raise graph(100, f"Param {at(where, key)} must be a string.")
    if least and not value.strip():
        raise graph(131009, f"{at(where, key)} must not be empty.")
    if len(value) > most:
        raise graph(131009, f"{at(where, key)} is too long: {len(value)} characters, {most} are allowed.")
    return value


def flag(part: Json, key: str, where: str) -> None:
    if key in part and not isinstance(part[key], bool):
        raise graph(100, f"Param {at(where, key)} must be a boolean.")
