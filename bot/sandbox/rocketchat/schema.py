"""Parameter checks in ajv's words: what the server's validators (@rocket.chat/rest-typings) refuse.

A schema names its properties with a kind: `str`, `text` (non-empty string), `bool`, `num`, `list`, `dict`, `any`, or a
tuple of kinds. A trailing `?` makes a property optional. Other properties are refused unless `open`. Bodies are not
coerced (8.3); query strings are, because on the wire everything is a string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.sandbox.rocketchat.wire import Doc, MeteorError

Kind = str | tuple[str, ...]


class Schema:
    def __init__(self, properties: Mapping[str, Kind] | None = None, *, open: bool = False,
                 one_of: Iterable[tuple[str, ...]] = ()) -> None:  # fmt: skip
        """`one_of`: groups of properties of which exactly one group's property must be there."""
        given = dict(properties or {})
        self.kinds = {name.rstrip("?"): kind for name, kind in given.items()}
        self.required = [name for name in given if not name.endswith("?")]
        self.open, self.one_of = open, [tuple(group) for group in one_of]

    def check(self, params: Mapping[str, Any], *, query: bool = False) -> Doc:
        """The parameters, numbers of a query made numbers. Raises invalid-params."""
        problems: list[str] = []
        clean: Doc = dict(params)
        problems += [f"must have required property '{name}'" for name in self.required if name not in params]
        for name, sent in params.items():
            if name not in self.kinds:
                if not self.open:
                    problems.append("must NOT have additional properties")
                continue
            kind = self.kinds[name]
            kinds = kind if isinstance(kind, tuple) else (kind,)
            value = clean[name] = _coerce(sent, kinds) if query else sent
            if not any(_fits(value, each) for each in kinds):
                problems.append(_complaint(value, kinds))
        for group in self.one_of:
            there = [name for name in group if name in params]
            if not there:
                problems.append(f"must have required property '{group[0]}'")
            if len(there) != 1:
                problems.append("must match exactly one schema in oneOf")
        if problems:
            raise MeteorError("invalid-params", "\n ".join(problems))
        return clean


def _coerce(value: Any, kinds: tuple[str, ...]) -> Any:
    if "num" in kinds and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    if "bool" in kinds and value in ("true", "false"):
        return value == "true"
    return [value] if "list" in kinds and isinstance(value, str) else value


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "str":
            return isinstance(value, str)
        case "text":
            return isinstance(value, str) and value != ""
        case "bool":
            return isinstance(value, bool)
        case "num":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "dict":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            return True


def _complaint(value: Any, kinds: tuple[str, ...]) -> str:
    if "text" in kinds and value == "":
        return "must NOT have fewer than 1 characters"
    names = {"str": "string", "text": "string", "bool": "boolean", "num": "number", "list": "array", "dict": "object"}
    return "must be " + ",".join(names.get(kind, kind) for kind in kinds)


PAGE: dict[str, Kind] = {"count?": "num", "offset?": "num", "sort?": "str", "query?": "str", "fields?": "str"}
"""Pagination properties. `query` and `fields` are taken and ignored."""
