"""Whoever names something from outside may do it however long: no name stops the bot, on any store."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bot.stage import staged
from tests.postgres import server
from tests.stories.webhooks import messages

LONG = random.Random(1).randbytes(4000).hex()
"""What could be packed well would fit into an index."""


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_message_with_an_absurdly_long_id_is_delivered_once_live_and_after_a_gap(
    tmp_path: Path, store: str
) -> None:
    url = await server().database_of(tmp_path) if store == "postgres" else ""
    async with staged(database_url=url) as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.agent_writes(room, "live", _id=LONG)
        await stage.customer_reads("live")
        await stage.stop()
        await stage.rc.write(stage.agent, room, "in the gap", _id=f"{LONG}2")
        await stage.start()
        await stage.customer_reads("in the gap")
        await stage.agent_writes(room, "after it")
        await stage.customer_reads("after it")

        assert [one.text for one in stage.customer.received] == ["live", "in the gap", "after it"]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_delivery_that_names_an_absurdly_long_other_number_is_shown_and_told_once(
    tmp_path: Path, store: str
) -> None:
    url = await server().database_of(tmp_path) if store == "postgres" else ""
    async with staged(database_url=url) as stage:
        await stage.connect()
        for words in ("first", "second"):
            stamp = str(int(stage.wa.now()))
            text = {"type": "text", "text": {"body": words}, "timestamp": stamp, "id": f"wamid.{words}"}
            body = messages(stage.number, stage.customer, {"from": stage.customer.wa_id, **text})
            body["entry"][0]["changes"][0]["value"]["metadata"] = {
                "display_phone_number": "4930222",
                "phone_number_id": LONG,
            }
            await stage.wa.deliver(stage.number, body)
            room = await stage.agent_reads(words)

        assert stage.from_customer(room) == ["first", "second"]
        await stage.rc.until(lambda: [one for one in stage.from_bot(stage.setup_room) if "+4930222" in one["msg"]])
        assert len([one for one in stage.from_bot(stage.setup_room) if "+4930222" in one["msg"]]) == 1
