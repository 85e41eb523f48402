"""Log lines: for people as text, for programs as JSON; every line of a message carries that message's id.

What each part says goes through the standard library's `logging`, as do the libraries. Here every value of a line loses
phone numbers (`bot.relay.masking`) and whatever the configuration calls secret, wherever in the line it stands,
tracebacks too. An id is bound with `about`: it is in all lines that the same task writes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from typing import IO, Any, Literal

import structlog
from pydantic import BaseModel, SecretStr
from structlog.contextvars import bound_contextvars

from bot.relay.masking import masked

Format = Literal["text", "json"]
OURS = ("bot", "commands")
_SHORTEST_SECRET = 6
_OWN = ("timestamp", "level", "logger", "event", "exception")


def about(key: str) -> AbstractContextManager[None]:
    """Lines that are written inside bear the id of this entry; it is masked where a line is made, as everything."""
    return bound_contextvars(entry=key)


def configure(level: str, form: Format, secrets: Iterable[str] = (), stream: IO[str] | None = None) -> None:
    """Replaces what was configured before. `stream`: None is the error output.

    `DEBUG` is for the bot's own lines: at that level libraries write out what they send and receive, customers' words
    and the login's token with it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(form, secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    for ours in OURS:
        logging.getLogger(ours).setLevel(level)


def formatter(form: Format, secrets: Iterable[str] = ()) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _Hide(secrets),
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_text,
        ],
        keep_exc_info=False,
    )


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every value that the configuration marks as secret."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from secrets_of(value)


class _Hide:
    """Over all values of a line, however deep."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, _: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: value if name == "timestamp" else self._hidden(value) for name, value in line.items()}

    def _hidden(self, value: Any) -> Any:
        match value:
            case None | bool():
                return value
            case int() | float():
                return value if masked(str(value)) == str(value) else masked(str(value))
            case dict():
                return {self._text(str(name)): self._hidden(one) for name, one in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._hidden(one) for one in value]
        return self._text(str(value))

    def _text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return masked(text)


def _as_text(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    """One line, then the traceback: what others said cannot begin a line of its own, nor command the terminal in which
    it is read."""
    extra = "".join(f" {name}={value}" for name, value in line.items() if name not in _OWN)
    head = f"{line.get('timestamp')} {str(line.get('level')).upper()} {line.get('logger')}: {line.get('event')}{extra}"
    trace = _TERMINALS.sub("\ufffd", str(line.get("exception") or ""))
    return _TERMINALS.sub("\ufffd", " ".join(head.splitlines())) + (f"\n{trace}" if trace else "")


_TERMINALS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""
