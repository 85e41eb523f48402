"""Choices that went out as numbered text, and a customer who types a number: the choice comes back, or the number."""

from typing import Any

import pytest

from bot.stage import Stage, staged

LONG = "Yes, and please send me the printed catalogue as well 👩‍👩‍👧‍👦"


def actions(*labels: str) -> list[dict[str, Any]]:
    return [{"actions": [{"type": "button", "msg_in_chat_window": True, "text": one, "msg": one} for one in labels]}]


async def open_room(stage: Stage, goodbye: str = "") -> str:
    await stage.connect(conversation_finished_message=goodbye)
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def ask(stage: Stage, room: str, *labels: str) -> None:
    """As numbered text, because lists are off."""
    await stage.rc.write(stage.agent, room, "Which?", attachments=actions(*labels))
    await stage.customer_reads("\n".join(["Which?", *(f"{n}. {label}" for n, label in enumerate(labels, 1))]))


@pytest.mark.parametrize("typed", ["3", " 3. ", "٣", "३)"])
async def test_a_typed_number_is_the_choice_word_for_word_after_a_restart(typed: str) -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage)
        await ask(stage, room, "Red wine", "White wine", LONG, "Nothing")
        await stage.stop()
        await stage.start()
        await stage.customer.write(stage.number, typed)
        await stage.agent_reads("printed catalogue")

        assert stage.from_customer(room) == ["hi", LONG]
        [line] = [message for message in stage.rc.messages(room) if message["u"]["_id"] == stage.bot_user.id]
        assert f"“{typed.strip()}”" in line["msg"]
        assert stage.rc.rooms[room].get("waitingResponse"), "the customer's answer is what waits for the agent"


async def test_a_choice_is_posted_once_whatever_is_delivered_again_or_gets_lost() -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage)
        await ask(stage, room, "A", "B", "C", "D")
        stage.rc.levers.add("chat.sendMessage", when="after", drop=True)
        stage.rc.levers.add("livechat/message", times=2, when="after", drop=True)
        message = stage.customer.compose(stage.number, type="text", text={"body": "2"})
        await stage.wa.deliver(stage.number, stage.wa.webhook_body(stage.number, [message]), times=2)
        await stage.agent_reads("B")
        await stage.customer.write(stage.number, "done")
        await stage.agent_reads("done")

        assert stage.from_customer(room) == ["hi", "B", "done"]
        assert len(stage.from_bot(room)) == 1


async def test_a_number_is_a_number_out_of_range_and_after_any_other_answer() -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage)
        await ask(stage, room, "A", "B", "C", "D")
        for text in ("5", "2"):
            await stage.customer.write(stage.number, text)
            await stage.agent_reads(text)
        await ask(stage, room, "E", "F", "G", "H")
        for text in ("2", "3"):
            await stage.customer.write(stage.number, text)
        await stage.agent_reads("3")

        assert stage.from_customer(room) == ["hi", "5", "2", "F", "3"]


async def test_a_number_is_a_number_after_another_message_of_the_agents() -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage)
        await ask(stage, room, "A", "B", "C", "D")
        await stage.agent_writes(room, "Or rather: how many people?")
        await stage.customer_reads("Or rather: how many people?")
        await stage.customer.write(stage.number, "4")
        await stage.agent_reads("4")

        assert stage.from_customer(room) == ["hi", "4"]


async def test_a_number_is_a_number_when_it_was_written_before_the_list_or_the_room_is_another() -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage, goodbye="Bye! How was it, from 1 to 5?")
        await ask(stage, room, "A", "B", "C", "D")
        await stage.customer.send(stage.number, type="text", text={"body": "1"}, at=stage.wa.now() - 7200)
        await stage.agent_reads("1")
        assert not any(line == "A" for line in stage.from_customer(room))

        await ask(stage, room, "E", "F", "G", "H")
        await stage.rc.close_room(stage.agent, room)
        await stage.customer_reads("Bye! How was it, from 1 to 5?")
        await stage.customer.write(stage.number, "2")
        other = await stage.agent_reads("2")
        assert other != room
        assert stage.bot is not None
        assert await stage.bot.journal.mark(f"numbered:{stage.number.digits}:{stage.customer.wa_id}") is None
        assert stage.from_customer(other) == ["2"]


async def test_a_number_is_a_number_when_the_list_never_reached_the_customer() -> None:
    async with staged(allow_list_options=False) as stage:
        stage.wa.auto_status = False
        room = await open_room(stage)
        await ask(stage, room, "A", "B", "C", "D")
        await stage.wa.status(stage.customer.received[-1].wamid, "failed", code=131026, title="Message undeliverable")
        await stage.rc.until(lambda: stage.from_bot(room))
        await stage.customer.write(stage.number, "4")
        await stage.agent_reads("4")

        assert stage.from_customer(room) == ["hi", "4"]


async def test_a_number_for_another_of_our_numbers_has_no_list() -> None:
    async with staged(allow_list_options=False) as stage:
        room = await open_room(stage)
        other = stage.wa.add_number("+4915112345679", name="Second shop")
        await stage.connect(other)
        await ask(stage, room, "A", "B", "C", "D")
        await stage.customer.write(other, "hello")
        await stage.customer.write(other, "2")
        await stage.customer.write(stage.number, "3")

        def said() -> list[str]:
            rooms = [str(one["_id"]) for one in stage.rc.rooms.values() if one["t"] == "l"]
            return sorted(line for one in rooms for line in stage.from_customer(one))

        await stage.rc.until(lambda: len(said()) == 4)
        assert said() == ["2", "C", "hello", "hi"]
