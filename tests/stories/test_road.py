"""The road, end to end, as the people on both sides see it. Both kinds of Rocket.Chat server."""

from typing import Literal

import pytest

from bot.stage import Stage, staged

FLAVOURS: list[Literal["monolith", "streamer"]] = ["monolith", "streamer"]


def calls_since(stage: Stage, mark: tuple[int, int]) -> tuple[list[str], list[str]]:
    rc = [f"{call.method} {call.path}" for call in stage.rc.calls[mark[0] :]]
    wa = [f"{call.method} {call.path}" for call in stage.wa.calls[mark[1] :]]
    return rc, wa


def mark(stage: Stage) -> tuple[int, int]:
    return len(stage.rc.calls), len(stage.wa.calls)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_conversation_goes_both_ways(flavour: Literal["monolith", "streamer"]) -> None:
    async with staged(flavour=flavour) as stage:
        page = await stage.connect(welcome_message="Hello!")
        assert "is now connected" in page.text

        await stage.customer.write(stage.number, "Do you open on *Sunday*?")
        room = await stage.agent_reads("Do you open on *Sunday*?")
        await stage.agent_writes(room, "Yes, **from ten**: [map](https://example.org/x_y_z) :smile:")

        await stage.customer_reads("Yes, *from ten*: map (https://example.org/x_y_z) 😄")
        assert [one.text for one in stage.customer.received] == [
            "Hello!",
            "Yes, *from ten*: map (https://example.org/x_y_z) 😄",
        ]


async def test_a_known_room_costs_one_call_each_way() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "first")
        room = await stage.agent_reads("first")

        before = mark(stage)
        await stage.customer.write(stage.number, "second")
        await stage.agent_reads("second")
        assert calls_since(stage, before) == (["POST /api/v1/livechat/message"], [])

        before = mark(stage)
        await stage.agent_writes(room, "answer")
        await stage.customer_reads("answer")
        look = "GET /api/v1/chat.syncMessages"  # whether something was written before it that is still to be announced
        assert calls_since(stage, before) == ([look], ["POST /messages"])


async def test_a_closed_conversation_opens_a_new_room() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        old = await stage.agent_reads("one")
        await stage.rc.close_room(stage.agent, old, comment="done")

        await stage.customer.write(stage.number, "two")
        new = await stage.agent_reads("two")

        assert new != old
        assert stage.from_customer(old) == ["one"]
        assert stage.from_customer(new) == ["two"]


async def test_a_message_waits_for_an_agent() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.rc.go_online(stage.agent, False)

        await stage.customer.write(stage.number, "anybody?")
        await stage.rc.until(lambda: [call for call in stage.rc.calls if call.path.endswith("livechat/room")])
        assert stage.rooms_of() == []
        stage.rc.go_online(stage.agent, True)

        await stage.agent_reads("anybody?")


async def test_two_numbers_are_two_conversations_of_the_same_customer() -> None:
    async with staged() as stage:
        second = stage.wa.add_number("+4915187654321", name="Second Shop")
        await stage.connect()
        await stage.connect(second)

        await stage.customer.write(stage.number, "to the first")
        await stage.agent_reads("to the first")
        await stage.customer.write(second, "to the second")
        [room] = await stage.rc.until(
            lambda: [rid for rid in stage.rc.rooms if stage.from_customer(rid) == ["to the second"]]
        )
        await stage.agent_writes(room, "from the second")
        await stage.customer_reads("from the second")
        assert stage.customer.received[-1].number.phone == second.phone


async def test_only_what_an_agent_says_to_the_customer_leaves() -> None:
    """No system message, no edit, no other channel's room, nothing of the bot's own, no command to the bot."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        sent = await stage.agent_writes(room, "first")
        await stage.customer_reads("first")
        await stage.rc.edit(stage.agent, sent["_id"], "first, corrected")
        await stage.agent_writes(room, "!whatsapp-360d-cloud help")
        await stage.rc.write(stage.agent, stage.rc.direct_room(stage.agent, stage.admin), "private")
        await stage.rc.emit_again(sent["_id"])
        await stage.agent_writes(room, "second")
        await stage.customer_reads("second")

        assert [one.text for one in stage.customer.received] == ["first", "second"]


async def test_a_long_answer_arrives_in_pieces_and_in_order() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "tell me everything")
        room = await stage.agent_reads("tell me everything")
        stage.rc.settings["Message_MaxAllowedSize"] = 20_000
        words = " ".join(f"word{number}" for number in range(1500))

        await stage.agent_writes(room, words)
        await stage.agent_writes(room, "the end")
        await stage.customer_reads("the end")

        texts = [str(one.text) for one in stage.customer.received]
        assert all(len(text) <= 4096 for text in texts)
        assert " ".join(texts[:-1]) == words


async def test_a_chatbot_that_answers_at_once_is_heard_also_when_the_visitor_was_removed_and_comes_back() -> None:
    async with staged() as stage:
        world = stage.rc.core.world
        await stage.rc.core.visitors.register({"token": "another channel's", "phone": stage.customer.phone})
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        first = await stage.agent_reads("one")
        assert world.rooms[first]["v"]["token"] == "another channel's"
        world.visitors.clear()  # as "delete contact" does: the guest and their rooms are gone
        del world.rooms[first]

        stage.rc.levers.add(r"livechat/room$", when="after", delay=0.5)
        await stage.customer.write(stage.number, "two")
        room = str((await stage.rc.until(lambda: [one for one in world.rooms.values() if one["t"] == "l"]))[0]["_id"])
        await stage.agent_writes(room, "I am the chatbot, and I answer before the bot has heard which room this is")

        await stage.customer_reads("I am the chatbot, and I answer before the bot has heard which room this is")
