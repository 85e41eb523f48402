"""What a number says by itself: welcome, finished, offline. Each once, each only when it is wished."""

import pytest

from bot.model import RoomId
from bot.stage import Stage, staged


def shown(stage: Stage) -> list[str]:
    return [str(one.text) for one in stage.customer.received]


async def test_a_conversation_begins_with_one_welcome() -> None:
    async with staged() as stage:
        await stage.connect(welcome_message="Welcome *here* :smile:")
        await stage.customer.write(stage.number, "one")
        await stage.customer.write(stage.number, "two")
        room = await stage.agent_reads("two")
        await stage.customer_reads("Welcome *here* 😄")
        await stage.rc.write(stage.agent, room, "hello")
        await stage.customer_reads("hello")

        assert shown(stage) == ["Welcome *here* 😄", "hello"]
        [told] = stage.from_bot(room)
        assert "Welcome" in told["msg"]


async def test_a_new_conversation_is_welcomed_again() -> None:
    async with staged() as stage:
        await stage.connect(welcome_message="Hello!", conversation_finished_message="Bye!")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.rc.close_room(stage.agent, room, comment="a difficult customer")
        await stage.customer_reads("Bye!")
        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")
        await stage.wa.until(lambda: len(stage.customer.received) == 3)

        assert shown(stage) == ["Hello!", "Bye!", "Hello!"]


async def test_after_a_close_the_next_message_opens_a_room_without_a_failing_call() -> None:
    async with staged() as stage:
        await stage.connect(conversation_finished_message="Bye!")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.rc.close_room(stage.agent, room)
        await stage.customer_reads("Bye!")
        assert stage.bot is not None
        conversation = await stage.bot.journal.conversation_of_room(RoomId(room))
        assert conversation is not None and conversation.room is None
        before = len(stage.rc.calls)

        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")

        assert [call.status for call in stage.rc.calls[before:]] == [200, 200]


async def test_a_customer_who_ends_the_chat_is_not_told_that_it_ended() -> None:
    async with staged() as stage:
        await stage.connect(conversation_finished_message="Bye!")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        token = stage.rc.rooms[room]["v"]["token"]
        close = f"{stage.rc.url}/api/v1/livechat/room.close"
        async with stage.http.post(close, json={"token": token, "rid": room}) as answer:
            assert answer.status == 200

        await stage.customer.write(stage.number, "two")
        again = await stage.agent_reads("two")
        await stage.rc.write(stage.agent, again, "here")
        await stage.customer_reads("here")

        assert shown(stage) == ["here"]


async def test_a_close_during_a_gap_is_caught_up_once() -> None:
    async with staged() as stage:
        await stage.connect(conversation_finished_message="Bye!")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.rc.write(stage.agent, room, "before")
        await stage.customer_reads("before")

        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.rc.write(stage.agent, room, "in the gap")
        await stage.rc.close_room(stage.agent, room)
        stage.rc.refuse_sockets(False)
        await stage.customer_reads("Bye!")
        await stage.stop()
        await stage.start()
        await stage.customer.write(stage.number, "two")
        again = await stage.agent_reads("two")
        await stage.rc.write(stage.agent, again, "after")
        await stage.customer_reads("after")

        assert shown(stage) == ["before", "in the gap", "Bye!", "after"]


async def test_a_customer_who_waits_for_an_agent_is_told_so_once() -> None:
    async with staged() as stage:
        await stage.connect(offline_message="We are back on Monday.", welcome_message="Hello!")
        stage.rc.go_online(stage.agent, False)
        await stage.customer.write(stage.number, "anybody?")
        await stage.customer.write(stage.number, "hello?")
        await stage.customer_reads("We are back on Monday.")
        tries = [call for call in stage.rc.calls if call.path.endswith("livechat/room")]
        await stage.rc.until(
            lambda: len([call for call in stage.rc.calls if call.path.endswith("livechat/room")]) > len(tries)
        )
        stage.rc.go_online(stage.agent, True)
        room = await stage.agent_reads("hello?")
        await stage.rc.write(stage.agent, room, "here I am")
        await stage.customer_reads("here I am")

        assert stage.from_customer(room) == ["anybody?", "hello?"]
        assert shown(stage) == ["Hello!", "We are back on Monday.", "here I am"], "welcomed once, and first"
        told = await stage.rc.until(lambda: stage.from_bot(room) if len(stage.from_bot(room)) > 1 else [])
        words = [one["msg"].splitlines()[-1] for one in told]
        assert words == ["> Hello!", "> We are back on Monday."], "the agent sees what the customer was told"

        await stage.rc.close_room(stage.agent, room)
        await stage.customer.write(stage.number, "one more thing")
        again = await stage.agent_reads("one more thing")
        assert again != room
        await stage.wa.until(lambda: len(stage.customer.received) == 4)
        assert shown(stage)[3:] == ["Hello!"], "the next conversation is welcomed as ever"


async def test_what_was_left_empty_is_never_said() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.rc.go_online(stage.agent, False)
        await stage.customer.write(stage.number, "one")
        await stage.rc.until(lambda: [call for call in stage.rc.calls if call.path.endswith("livechat/room")])
        stage.rc.go_online(stage.agent, True)
        room = await stage.agent_reads("one")
        await stage.rc.write(stage.agent, room, "last words")
        await stage.rc.close_room(stage.agent, room)
        await stage.customer.write(stage.number, "two")
        again = await stage.agent_reads("two")
        await stage.rc.write(stage.agent, again, "here")
        await stage.customer_reads("here")

        assert shown(stage) == ["last words", "here"]


@pytest.mark.parametrize("department", ["", "Sales"])
async def test_where_conversations_open_without_agents_the_customer_is_told_once_that_nobody_is_here(
    department: str,
) -> None:
    """Rocket.Chat opens the room then and says nothing; agents of other departments do not count."""
    async with staged() as stage:
        stage.rc.settings["Livechat_accept_chats_with_no_agents"] = True
        eva = stage.rc.add_user("eva", name="Eva", roles=("livechat-agent", "user"))
        sales = stage.rc.add_department("Sales", [eva])
        stage.rc.go_online(eva, False)
        stage.rc.go_online(stage.agent, bool(department))
        await stage.connect(
            offline_message="We are back on Monday.",
            welcome_message="Hello!",
            department=sales.id if department else "",
        )
        stage.rc.levers.add("livechat/message", times=2, when="after", drop=True)
        for text in ("one", "two"):
            await stage.customer.write(stage.number, text)
        room = await stage.agent_reads("two")
        await stage.customer_reads("We are back on Monday.")
        stage.rc.go_online(stage.agent, True)
        await stage.rc.take(stage.agent, room)
        await stage.agent_writes(room, "here now")
        await stage.customer_reads("here now")

        assert shown(stage) == ["Hello!", "We are back on Monday.", "here now"]
        told = await stage.rc.until(lambda: [one for one in stage.from_bot(room) if "Monday" in one["msg"]])
        assert len(told) == 1, "whoever takes it sees what the customer was told"


async def test_who_was_told_while_waiting_is_not_told_again_when_the_room_opens_without_agents() -> None:
    async with staged() as stage:
        await stage.connect(offline_message="We are back on Monday.")
        stage.rc.go_online(stage.agent, False)
        await stage.customer.write(stage.number, "anybody?")
        await stage.customer_reads("We are back on Monday.")
        stage.rc.settings["Livechat_accept_chats_with_no_agents"] = True
        room = await stage.agent_reads("anybody?")
        stage.rc.go_online(stage.agent, True)
        await stage.rc.take(stage.agent, room)
        await stage.agent_writes(room, "here now")
        await stage.customer_reads("here now")

        assert shown(stage) == ["We are back on Monday.", "here now"]


async def test_where_conversations_open_without_agents_nothing_is_said_while_somebody_is_here() -> None:
    async with staged() as stage:
        stage.rc.settings["Livechat_accept_chats_with_no_agents"] = True
        await stage.connect(offline_message="We are back on Monday.")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.agent_writes(room, "hello")
        await stage.customer_reads("hello")

        assert shown(stage) == ["hello"]


@pytest.mark.parametrize("status", [403, 502])
async def test_who_cannot_ask_for_agents_says_nothing_of_them(status: int) -> None:
    async with staged() as stage:
        await stage.connect(offline_message="We are back on Monday.")
        stage.rc.levers.add("livechat/users/agent", times=-1, status=status, body={"success": False})
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.agent_writes(room, "hello")
        await stage.customer_reads("hello")

        assert shown(stage) == ["hello"]


async def test_a_close_after_the_window_is_quiet() -> None:
    async with staged() as stage:
        await stage.connect(conversation_finished_message="Bye!")
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        stage.wa.window_errors = "sync"
        stage.wa.clock_offset = 25 * 3600
        await stage.rc.close_room(stage.agent, room)
        assert stage.bot is not None
        closed = await stage.bot.journal.closed(f"finished:{room}", 10)

        assert closed is not None and closed.state == "done"
        assert "WindowClosed" in str(closed.result["refused"])
        assert stage.customer.received == []
        assert stage.from_bot(room) == []
