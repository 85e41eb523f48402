"""What breaks, and what is missing afterwards: nothing."""

import asyncio
from typing import Literal

import pytest

from bot.stage import staged
from tests.stories import webhooks


@pytest.mark.parametrize("flavour", ["monolith", "streamer"])
async def test_what_an_agent_wrote_during_a_gap_is_caught_up_once(flavour: Literal["monolith", "streamer"]) -> None:
    async with staged(flavour=flavour) as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.agent_writes(room, "before")
        await stage.customer_reads("before")

        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.agent_writes(room, "in the gap")
        edited = await stage.agent_writes(room, "in the gap, wrong")
        await stage.rc.edit(stage.agent, edited["_id"], "in the gap, edited")
        stage.rc.refuse_sockets(False)
        await stage.customer_reads("in the gap, edited")
        await stage.agent_writes(room, "after")
        await stage.customer_reads("after")

        assert [one.text for one in stage.customer.received] == ["before", "in the gap", "in the gap, edited", "after"]


async def test_what_was_written_in_the_gap_is_not_overtaken() -> None:
    """The first live message after a reconnect waits until the earlier ones have been read over REST."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.agent_writes(room, "in the gap")
        stage.rc.levers.add("livechat/rooms", delay=0.5)
        stage.rc.refuse_sockets(False)
        await stage.rc.until(lambda: any(session.subscriptions for session in stage.rc.hub.sessions))
        await stage.agent_writes(room, "live again")
        await stage.customer_reads("live again")

        assert [one.text for one in stage.customer.received] == ["in the gap", "live again"]


async def test_a_second_gap_while_the_first_is_being_read_is_not_overtaken_either() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        def reads() -> int:
            return len([call for call in stage.rc.calls if call.path.endswith("livechat/rooms")])

        async def reconnected() -> None:
            await stage.rc.until(lambda: any(session.subscriptions for session in stage.rc.hub.sessions))

        stage.rc.levers.add("chat.syncMessages", when="after", delay=4.0)
        await stage.rc.cut_sockets()
        await stage.rc.until(lambda: not any(session.subscriptions for session in stage.rc.hub.sessions))
        await reconnected()
        async with asyncio.timeout(5):
            while not stage.rc.levers.idle:  # noqa: ASYNC110 - a request that is held announces nothing
                await asyncio.sleep(0.01)
        before = reads()
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.agent_writes(room, "in the second gap")
        stage.rc.levers.add("livechat/rooms", delay=2.0)
        stage.rc.refuse_sockets(False)
        await reconnected()
        await stage.agent_writes(room, "live again")
        await stage.customer_reads("live again")
        await stage.customer_reads("in the second gap")

        assert reads() > before
        assert [one.text for one in stage.customer.received] == ["in the second gap", "live again"]


async def test_a_gap_in_many_conversations_is_read_several_at_a_time_and_each_in_its_order() -> None:
    """Rocket.Chat takes its time for each room; one after another they would keep everybody waiting."""
    async with staged() as stage:
        await stage.connect()
        people = [stage.wa.customer(f"+4917{number:08}", name=f"Person {number}") for number in range(24)]
        for person in people:
            await person.write(stage.number, "hi")
        rooms = [await stage.agent_reads("hi", person) for person in people]

        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        said = [f"in the gap {turn}" for turn in range(3)]
        for text in said:
            for room in rooms:
                await stage.agent_writes(room, text)
        stage.rc.levers.add("chat.syncMessages", times=-1, delay=0.5)
        stage.rc.refuse_sockets(False)
        await stage.rc.until(lambda: any(session.subscriptions for session in stage.rc.hub.sessions))
        async with asyncio.timeout(len(rooms) * 0.5 * 0.6):
            for person in people:
                await stage.customer_reads(said[-1], person)

        assert [[one.text for one in person.received] for person in people] == [said] * len(people)


async def test_one_conversation_that_cannot_be_read_holds_up_no_other() -> None:
    async with staged() as stage:
        await stage.connect()
        people = [stage.customer, stage.wa.customer("+491709999999", name="Nils")]
        rooms = []
        for person in people:
            await person.write(stage.number, "hi")
            rooms.append(await stage.agent_reads("hi", person))
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        for room in rooms:
            await stage.agent_writes(room, "in the gap")
        no = {"success": False, "error": "Not allowed [error-not-allowed]", "errorType": "error-not-allowed"}
        stage.rc.levers.add("chat.syncMessages", status=400, body=no)
        stage.rc.refuse_sockets(False)

        await stage.wa.until(lambda: any(person.received for person in people))
        assert stage.rc.levers.idle
        await stage.rc.cut_sockets()  # the next look reads what is still missing
        for person in people:
            await stage.customer_reads("in the gap", person)


async def test_a_room_of_commands_that_the_bot_was_removed_from_holds_up_nothing() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        direct = stage.rc.direct_room(stage.admin, stage.bot_user)
        await stage.command("connect", direct)
        del stage.rc.core.world.subscriptions[direct, stage.bot_user.id]
        before = len(stage.from_bot(stage.setup_room))
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.agent_writes(room, "in the gap")
        stage.rc.refuse_sockets(False)
        await stage.customer_reads("in the gap")
        await stage.rc.until(lambda: any(one.path.endswith("Messages") and one.status == 400 for one in stage.rc.calls))
        for _ in range(3):
            await stage.command("!whatsapp-360d-cloud help")

        said = [one["msg"] for one in stage.from_bot(stage.setup_room)[before:]]
        assert len(said) == 3 and all("What I can do" in one for one in said)


async def test_a_command_typed_in_a_direct_room_during_a_gap_is_answered() -> None:
    async with staged() as stage:
        await stage.connect()
        direct = stage.rc.direct_room(stage.admin, stage.bot_user)
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.rc.write(stage.admin, direct, "numbers")
        stage.rc.refuse_sockets(False)

        answers = await stage.rc.until(lambda: stage.from_bot(direct), timeout=10)
        assert stage.number.phone in answers[0]["msg"] + str(answers[0].get("attachments"))


async def test_webhooks_are_taken_while_rocket_chat_is_away() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        stage.rc.levers.add("livechat/", times=3, status=502, body="<html>bad gateway</html>")
        await stage.customer.write(stage.number, "one")
        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")

        assert stage.from_customer(room) == ["hi", "one", "two"]
        assert all(delivery.statuses == [200] for delivery in stage.wa.deliveries)


async def test_an_answer_of_rocket_chat_that_got_lost_doubles_nothing() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        stage.rc.levers.add("livechat/message", times=2, when="after", drop=True)
        await stage.customer.write(stage.number, "one")
        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")

        assert stage.from_customer(room) == ["hi", "one", "two"]


async def test_an_answer_of_whatsapp_that_got_lost_is_settled_by_the_status() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        stage.wa.levers.add("/messages", when="after", drop=True)
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        await stage.customer_reads("two")

        assert [one.text for one in stage.customer.received] == ["one", "two"]
        assert not [m for m in stage.from_bot(room) if "erhaps" in m["msg"]]


async def test_a_busy_whatsapp_gets_the_message_later_and_in_order() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        said = "You have exceeded the endpoint rate limit"
        limit = {"meta": {"success": False, "http_code": 400, "developer_message": said}}
        stage.wa.levers.add("/messages", times=2, status=400, body=limit)
        await stage.agent_writes(room, "one")
        await stage.agent_writes(room, "two")
        await stage.customer_reads("two")

        assert [one.text for one in stage.customer.received] == ["one", "two"]


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_the_agent_reads_why_whatsapp_refuses(how: Literal["sync", "async"]) -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.wa.window_errors = how
        stage.wa.clock_offset = 25 * 3600

        await stage.agent_writes(room, "too late")
        notice = await stage.rc.until(lambda: stage.from_bot(room))

        assert "24 hours" in notice[0]["msg"]
        assert stage.customer.received == []


async def test_every_webhook_twice_and_at_once_appears_once_and_in_order() -> None:
    async with staged() as stage:
        await stage.connect()
        people = [stage.wa.customer(f"+4917000000{n:02}", name=f"Person {n}") for n in range(5)]

        async def talk(person: int) -> None:
            for number in range(10):
                body = webhooks.text(stage.number, people[person], f"{person}-{number}", 1_790_000_000 + number)
                assert await stage.wa.deliver(stage.number, body, times=2, concurrently=True) == [200, 200]

        await asyncio.gather(*(talk(person) for person in range(5)))
        for person in range(5):
            room = await stage.agent_reads(f"{person}-9", people[person])
            assert stage.from_customer(room) == [f"{person}-{number}" for number in range(10)]


async def test_a_restart_needs_no_new_login() -> None:
    """Rocket.Chat takes ten logins a minute from one address, and a program that is restarted may need more."""
    async with staged() as stage:
        for _ in range(3):
            await stage.stop()
            await stage.start()
        assert [call.path for call in stage.rc.calls].count("/api/v1/login") == 1

        tokens = stage.rc.core.world.tokens
        stage.rc.revoke(next(token for token, of in tokens.items() if of.user_id == stage.bot_user.id))
        await stage.stop()
        await stage.start()
        assert [call.path for call in stage.rc.calls].count("/api/v1/login") == 2


async def test_what_waits_for_the_bot_to_start_does_not_come_back_ever_later() -> None:
    """Otherwise an answer to a form is put off a minute at a time by a bot that is restarted again and again."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.stop()
        sent = await stage.agent_writes(room, "while it starts")
        stage.rc.levers.add("/me$", delay=1.0)
        await stage.start()
        await stage.customer_reads("while it starts")
        assert stage.bot is not None
        found = await stage.bot.journal.find(f"rc:{sent['_id']}")
        assert found is not None
        assert found.entry.tries == 0
