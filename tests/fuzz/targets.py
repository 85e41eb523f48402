"""What is fuzzed: each target takes any bytes and fails with an AssertionError, or with what nobody foresaw."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.chatops.command import read
from bot.model import UserId
from bot.ports import Entry
from bot.relay.notices import of_parked
from bot.rocketchat import parse as chat
from bot.rocketchat.compose import as_lines, visitor_name
from bot.rocketchat.ddp import Changed, Ddp
from bot.storage.journal_rows import new_values
from bot.translations import translator
from bot.web.template_api import NotTaken, read_request
from bot.whatsapp import envelope, parse

FOUND = Path(__file__).parent / "found"
"""What long runs kept, one folder for each target: an input for each way through the code, and all that ever failed."""
_T = translator("en")
_AT = 1_700_000_000.0
_CALLS = re.compile(r"(?<![\w.-])@(?:all|here|admin)\b")


def webhook(data: bytes) -> None:
    """The edge stores whatever comes; what a handler reads of it is text that does nothing in Rocket.Chat."""
    keys = set()
    for entry in envelope.entries(data, "4915112345678", _AT):
        assert entry.key not in keys
        keys.add(entry.key)
        _is_storable(entry)
        again = json.loads(json.dumps(entry.body))
        match entry.kind:
            case "wa.message":
                message = parse.message(again)
                lines = as_lines(message, _T, received_at=_AT)
                name = visitor_name(message.sender, _T)
                assert lines.strip()
                assert "\n" not in name
                for text in (lines, name):
                    text.encode()
                    assert not _CALLS.search(text), text
                for notice in of_parked(entry, ValueError("x")):
                    _is_storable(notice)
            case "wa.status":
                parse.status(again)
            case _:
                parse.other(again)


def template(data: bytes) -> None:
    """A request is taken, or refused with a text; nothing else."""
    try:
        asked = read_request(data)
    except NotTaken as no:
        assert 400 <= no.status < 500
        no.text.encode("utf-8", "strict")
        return
    json.dumps(asked.model_dump(exclude_none=True)).encode()


def ddp(data: bytes) -> None:
    """Frames of a server, the bytes parted at line ends; what they bring is read as messages."""
    protocol = Ddp()
    protocol.connect()
    call, _ = protocol.call("login", {})
    sub, _ = protocol.subscribe("stream-room-messages", "__my_messages__")
    assert (call, sub) == ("1", "2")
    for line in data.split(b"\n"):
        for event in protocol.feed(line.decode("utf-8", "replace")):
            if isinstance(event, Changed):
                chat.heard(event.args)
                for arg in event.args:
                    if isinstance(arg, dict):
                        _chat(arg)


def _chat(raw: Mapping[str, Any]) -> None:
    message = chat.chat_message(raw)
    chat.is_for_customer(raw, UserId("bot"))
    chat.changed_at(raw)
    if message is not None:
        read(message.text, "bot")
        message.text.encode()


def _is_storable(entry: Entry) -> None:
    for value in new_values(entry):
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value and "\\u0000" not in value.replace("\\\\", "")  # PostgreSQL takes none


TARGETS: Mapping[str, Callable[[bytes], None]] = {"webhook": webhook, "template": template, "ddp": ddp}


def found(name: str) -> Iterator[bytes]:
    """One in each line, in base64."""
    for line in (FOUND / f"{name}.txt").read_text(encoding="ascii").splitlines():
        yield base64.b64decode(line)
