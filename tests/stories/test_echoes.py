"""What the business wrote on its own phone (`smb_message_echoes`), as the agents see it."""

from __future__ import annotations

from typing import Any

from bot.stage import Stage, staged
from tests.stories.webhooks import messages


async def wrote_on_the_phone(stage: Stage, id: str, **content: Any) -> dict[str, Any]:
    """Delivers an echo; its body, to deliver it again."""
    item = {
        "from": stage.number.digits, "to": stage.customer.wa_id, "id": id, "timestamp": str(int(stage.wa.now())),
        **content,
    }  # fmt: skip
    body = messages(stage.number, stage.customer)
    [change] = body["entry"][0]["changes"]
    change["field"] = "smb_message_echoes"
    change["value"] |= {"messages": [], "message_echoes": [item]}
    await stage.wa.deliver(stage.number, body)
    return body


async def test_what_was_written_on_the_phone_is_shown_once_by_the_bot_and_sent_to_nobody() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        body = await wrote_on_the_phone(stage, "wamid.E1", type="text", text={"body": "we are *open*, @all"})
        await stage.wa.deliver(stage.number, body, times=2)
        await wrote_on_the_phone(stage, "wamid.E2", type="image", image={"id": "1", "caption": "our door"})
        await wrote_on_the_phone(stage, "wamid.E3", type="revoke", revoke={"original_message_id": "wamid.E2"})
        await stage.customer.write(stage.number, "thanks", reply_to="wamid.E1")
        await stage.agent_reads("thanks")

        first, second, third = [one["msg"].replace("\u2060", "") for one in stage.from_bot(room)]
        assert "Written by your business on its phone" in first
        assert first.endswith("we are *open*, @all")
        assert "our door" in second
        assert "deleted a message" in third
        assert stage.from_customer(room)[0] == "hi"
        [quote] = [
            part["text"] for one in stage.rc.messages(room) if "thanks" in one["msg"]
            for part in one["attachments"] if part.get("message_link")
        ]  # fmt: skip
        assert "open" in quote
        assert stage.customer.received == []


async def test_in_a_workspace_of_short_messages_it_is_shown_in_pieces() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.rc.settings["Message_MaxAllowedSize"] = 1000
        await wrote_on_the_phone(stage, "wamid.E1", type="text", text={"body": "word " * 500})
        await stage.customer.write(stage.number, "thanks", reply_to="wamid.E1")
        await stage.agent_reads("thanks")

        shown = "".join(one["msg"] for one in stage.from_bot(room))
        assert shown.count("word") == 500


async def test_without_an_open_conversation_nobody_is_called() -> None:
    async with staged() as stage:
        await stage.connect()
        await wrote_on_the_phone(stage, "wamid.E1", type="text", text={"body": "good morning"})
        await stage.customer.write(stage.number, "hello")
        room = await stage.agent_reads("hello")

        assert [one["_id"] for one in stage.rooms_of()] == [room]
        assert stage.from_bot(room) == []


async def test_an_echo_without_sense_harms_nobody() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        value: dict[str, Any] = {"message_echoes": ["?", {}, {"to": {}, "type": 5}, {"to": stage.customer.wa_id}]}
        change = {"field": "smb_message_echoes", "value": value}
        await stage.wa.deliver(stage.number, {"entry": [{"changes": [change]}]})
        await stage.customer.write(stage.number, "still there")
        await stage.agent_reads("still there")

        [line] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "Written by your business" in line["msg"]
