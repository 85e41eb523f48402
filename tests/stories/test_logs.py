"""The log of a real day at the finest level: one id for each message, and nothing that names anybody."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from bot.logs import configure
from bot.relay.masking import masked
from bot.stage import staged
from tests.kept_logging import logging_kept

WELCOME = "Benvenuti nel negozio"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON."""
    written = io.StringIO()
    with logging_kept():
        configure("DEBUG", "json", stream=written)
        yield written


async def test_every_line_of_a_message_has_its_id_and_none_names_anybody(stream: io.StringIO) -> None:
    async with staged() as stage:
        await stage.connect(welcome_message=WELCOME)
        stage.rc.levers.add("livechat/message", status=502, body="bad gateway")
        wamid = await stage.customer.write(stage.number, "Secret question")
        room = await stage.agent_reads("Secret question")
        stage.wa.levers.add("/messages", status=429, body={"error": {"message": "for +491701234567"}})
        written = await stage.agent_writes(room, "Secret answer")
        await stage.customer_reads("Secret answer")
        assert stage.bot is not None
        assert await stage.bot.journal.closed(f"rc:{written['_id']}", 10)
        known = (
            stage.customer.phone, stage.number.phone, stage.number.api_key, "Maria", "Secret", WELCOME,
            stage.settings.rocketchat.password.get_secret_value(), str((stage.number.webhook or {})["url"]),
        )  # fmt: skip

    text = stream.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    for one in known:
        assert one.lstrip("+") not in text, one

    told = [line["event"] for line in lines if line.get("entry") == masked(f"rc:{written['_id']}")]
    assert told[0] == "stored rc.message"
    assert any("again in" in one for one in told[1:-1])
    assert told[-1].endswith("done")
    assert any(str(wamid)[-8:] in line.get("entry", "") and line["event"] == "stored wa.message" for line in lines)


async def test_a_first_start_says_once_what_it_waits_for_and_then_where_to_go_on(stream: io.StringIO) -> None:
    async with staged(start=False) as stage:
        stage.rc.levers.add("api/v1/login", times=4, status=502, body="bad gateway")
        await stage.start()
        url, channel = stage.settings.rocketchat.url, stage.settings.rocketchat.setup_channel

    told = [str(json.loads(line)["event"]) for line in stream.getvalue().splitlines()]
    waiting = [line for line in told if line.startswith(f"Rocket.Chat at {url} cannot be used yet, again in 1 s: ")]
    assert len(waiting) == 1
    assert waiting[0].endswith("(what to do: `python -m bot doctor`)")
    away = [line for line in told if line.startswith("no connection to Rocket.Chat, trying on: ")]
    assert len(away) == 1
    assert told.index(away[0]) < told.index("connected to Rocket.Chat")
    ready = next(line for line in told if line.startswith("ready: "))
    assert f"go on in {url}, in the private channel #{channel} of @{stage.bot_user.username};" in ready
