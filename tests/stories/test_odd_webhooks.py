"""Deliveries as no document shows them: each becomes something that an agent can read, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.stage import Stage, staged

USER_ID = "US.13491208655302741918"


def value(stage: Stage, *messages: object, **more: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": stage.number.digits, "phone_number_id": stage.number.phone_number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata, "messages": list(messages), **more}


def body(value: object, field: str = "messages") -> dict[str, Any]:
    change = {"field": field, "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def item(stage: Stage, id: str = "wamid.1", **parts: Any) -> dict[str, Any]:
    stamp = str(int(stage.wa.now()))
    text = {"type": "text", "text": {"body": "hello"}} if "type" not in parts else {}
    return {"from": stage.customer.wa_id, "id": id, "timestamp": stamp, **text, **parts}


def shown(stage: Stage) -> list[str]:
    return [line.replace("\u2060", "") for room in stage.rc.rooms for line in stage.from_customer(room)]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"type": "text", "text": "as a string"}, "as a string"),
        ({"type": "TEXT", "text": {"body": "in capitals"}}, "in capitals"),
        ({"type": 5, "text": {"body": "with a number"}}, "with a number"),
        ({"type": "poll", "poll": {"name": "Pizza or pasta?"}}, "Pizza or pasta?"),
        ({"type": "ephemeral"}, "does not hand over"),
        ({"type": "location", "location": {"name": "Office", "address": "Main Street 1"}}, "Main Street 1"),
        ({"type": "image", "image": {"caption": "look", "mime_type": "image/png"}}, "send it again"),
        ({"type": "order", "order": {"catalog_id": "c7"}}, "c7"),
        ({"type": "contacts", "contacts": [{}]}, "without a name"),
    ],
)
async def test_an_odd_message_is_readable(parts: dict[str, Any], says: str) -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.wa.deliver(stage.number, body(value(stage, item(stage, **parts))))
        [line] = await stage.rc.until(lambda: shown(stage))
        assert says in line


async def test_lists_and_objects_may_stand_for_each_other_at_every_level() -> None:
    async with staged() as stage:
        await stage.connect()
        change = {"field": "messages", "value": value(stage, item(stage, "wamid.1", type="text", text={"body": "one"}))}
        await stage.wa.deliver(stage.number, {"entry": {"id": "1", "changes": change}})
        two = body([value(stage, item(stage, "wamid.2", type="text", text={"body": "two"}))])
        await stage.wa.deliver(stage.number, two)
        alone = {**value(stage), "messages": item(stage, "wamid.3", type="text", text={"body": "three"})}
        await stage.wa.deliver(stage.number, body(alone))
        four, five = (
            body(value(stage, item(stage, f"wamid.{word}", type="text", text={"body": word}))) for word in ("4", "5")
        )
        assert await stage.wa.deliver(stage.number, json.dumps([four, five, ["?"]]).encode()) == [200]
        await stage.rc.until(lambda: len(shown(stage)) == 5)
        assert sorted(shown(stage)) == ["4", "5", "one", "three", "two"]


async def test_a_user_id_that_is_none_is_no_address() -> None:
    async with staged() as stage:
        await stage.connect()
        odd = {**item(stage), "from": "5678", "from_user_id": "foo_bar"}
        contacts = [{"wa_id": "5678", "user_id": "foo_bar", "profile": None}]
        await stage.wa.deliver(stage.number, body(value(stage, odd, contacts=contacts)))
        [room] = await stage.rc.until(lambda: [id for id in stage.rc.rooms if stage.from_customer(id) == ["hello"]])
        await stage.rc.write(stage.agent, room, "good day")
        [sent] = await stage.wa.until(lambda: [call for call in stage.wa.calls if call.path == "/messages"])
        assert sent.body["to"] == "5678"


async def test_a_new_user_id_is_told_in_the_conversation_of_the_old_one() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.customer(None, name="Noor", user_id=USER_ID)
        first = {key: part for key, part in item(stage, from_user_id=USER_ID).items() if key != "from"}
        await stage.wa.deliver(stage.number, body(value(stage, first)))
        [room] = await stage.rc.until(lambda: [id for id in stage.rc.rooms if stage.from_customer(id) == ["hello"]])
        system = {"type": "user_changed_user_id", "previous_user_id": USER_ID, "user_id": "MX.0987654321", "body": "x"}
        whole = item(stage, "wamid.2", type="system", system=system)
        changed = {key: part for key, part in whole.items() if key != "from"}
        await stage.wa.deliver(stage.number, body(value(stage, changed)))
        await stage.rc.until(lambda: len(stage.from_customer(room)) == 2)
        assert "changed their WhatsApp number" in stage.from_customer(room)[1]


async def test_an_echo_under_the_key_of_messages_is_no_customer() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        echo = {**item(stage), "from": stage.number.digits, "to": stage.customer.wa_id}
        await stage.wa.deliver(stage.number, body(value(stage, echo), "smb_message_echoes"))
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        assert told["msg"].endswith("hello")
        assert stage.from_customer(room) == ["hi"]
        assert len(stage.rooms_of()) == 1


@pytest.mark.parametrize("named", [{"from": "known"}, {"from_user_id": USER_ID}])
async def test_a_call_is_told_to_the_customers_agent_unless_the_business_called(named: dict[str, str]) -> None:
    async with staged() as stage:
        await stage.connect()
        contacts = [{"wa_id": stage.customer.wa_id, "user_id": USER_ID}]
        first = item(stage, from_user_id=USER_ID)
        await stage.wa.deliver(stage.number, body(value(stage, first, contacts=contacts)))
        room = await stage.agent_reads("hello")
        who = {"from": stage.customer.wa_id} if "from" in named else named
        calls = [
            {"id": "wacid.1", "from": stage.number.digits, "event": "connect", "direction": "BUSINESS_INITIATED"},
            {"id": "wacid.2", **who, "event": "connect", "direction": "USER_INITIATED"},
            {"id": "wacid.2", **who, "event": "terminate", "direction": "USER_INITIATED"},
        ]
        setup = [one["msg"] for one in stage.from_bot(stage.setup_room)]
        await stage.wa.deliver(stage.number, body({**value(stage), "calls": calls}, "calls"))
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "call" in told["msg"]
        assert [one["msg"] for one in stage.from_bot(stage.setup_room)] == setup


async def test_who_stops_marketing_is_told_to_their_agent_and_opens_nothing() -> None:
    async with staged() as stage:
        await stage.connect()

        async def prefers(word: str, **more: Any) -> None:
            preference = {"detail": "…", "category": "marketing_messages", "value": word, "timestamp": 1_795_000_000}
            preference = {**preference, "wa_id": stage.customer.wa_id, **more}
            changed = {**value(stage), "user_preferences": [preference]}
            assert await stage.wa.deliver(stage.number, body(changed, "user_preferences"), times=2) == [200, 200]

        await prefers("stop")
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await prefers("stop", timestamp=1_795_000_001)
        await prefers("stop", category="something_new")
        await prefers("a_new_word")
        await prefers("resume")
        await stage.rc.until(lambda: len(stage.from_bot(room)) == 2)
        stopped, resumed = [one["msg"] for one in stage.from_bot(room)]
        assert "has stopped marketing messages" in stopped
        assert "marketing messages from you on WhatsApp again" in resumed
        assert len(stage.rooms_of()) == 1


async def test_earlier_chats_of_the_phone_open_nothing_and_are_told_once() -> None:
    """Files of the last two weeks come in webhooks of their own, under the key of messages, from either side."""
    async with staged() as stage:
        await stage.connect()
        old = item(stage, "wamid.old", type="image", image={"id": "1", "mime_type": "image/jpeg", "caption": "old"})
        ours = {**old, "id": "wamid.ours", "from": stage.number.digits}
        older = item(stage, "wamid.older", history_context={"status": "READ"})
        thread = {"id": stage.customer.wa_id, "messages": [older]}
        chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [thread]}
        for shared in ({**value(stage), "history": [chunk]}, value(stage, old), value(stage, ours)):
            assert await stage.wa.deliver(stage.number, body(shared, "history")) == [200]
        told = await stage.rc.until(
            lambda: [one for one in stage.from_bot(stage.setup_room) if "earlier chats" in one["msg"]]
        )
        await stage.customer.write(stage.number, "new")
        room = await stage.agent_reads("new")
        assert stage.from_customer(room) == ["new"]
        assert len(told) == len(stage.rooms_of()) == 1


async def test_a_business_that_shares_no_earlier_chats_knows_that_itself() -> None:
    async with staged() as stage:
        await stage.connect()
        declined = {**value(stage), "history": [{"errors": [{"code": 2593109, "title": "History sync is turned off"}]}]}
        await stage.wa.deliver(stage.number, body(declined, "history"))
        await stage.customer.write(stage.number, "new")
        await stage.agent_reads("new")
        assert not any("earlier chats" in one["msg"] for one in stage.from_bot(stage.setup_room))


async def test_bad_news_of_the_account_is_told_once_where_administrators_read() -> None:
    async with staged() as stage:
        await stage.connect()
        news = {"event": "DISABLED", "message_template_name": "promo", "message_template_language": "en"}
        for _ in range(2):
            await stage.wa.deliver(stage.number, body(news, "message_template_status_update"))
            await stage.wa.deliver(stage.number, body({"event": "DISABLED_UPDATE"}, "account_update"))

        def told() -> list[str]:
            return [one["msg"] for one in stage.from_bot(stage.setup_room) if "reports a problem" in one["msg"]]

        await stage.rc.until(lambda: len(told()) == 2)
        await stage.customer.write(stage.number, "hi")
        await stage.agent_reads("hi")
        assert [stage.number.phone in one and "DISABLED" in one for one in told()] == [True, True]
