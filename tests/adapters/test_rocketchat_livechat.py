"""The hot path against a Rocket.Chat in memory: conversations, repetition, faults, older servers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.errors import (
    Busy,
    ContactBlocked,
    LoggedOut,
    NoAgentOnline,
    NotAllowed,
    OmnichannelOff,
    RateLimited,
    Refused,
    RoomClosed,
    RoomUnknown,
    TooLong,
    Trouble,
    Unreachable,
    VisitorUnknown,
)
from bot.model import Button, MessageId, Post, RoomId, UserId, VisitorToken
from bot.rocketchat.livechat import Livechat
from bot.rocketchat.parse import changed_at, chat_message
from tests.adapters.rocketchat_stage import BOT_ROLES, Stage
from tests.adapters.rocketchat_stage import stage as set_up

TOKEN = VisitorToken("f00df00df00df00df00df00df00df00d")
ID = MessageId("wa0123456789abcdef")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with set_up() as found:
        yield found


async def conversation(stage: Stage) -> RoomId:
    await stage.livechat.register(TOKEN, name="Maria", phone="+491701234567")
    return await stage.livechat.open_room(TOKEN)


# --- the customer's side ----------------------------------------------------------------------------------------------


async def test_a_customer_gets_a_visitor_a_room_and_their_words_in_it(stage: Stage) -> None:
    visitor = await stage.livechat.register(TOKEN, name="Maria", phone="+491701234567")
    assert visitor.token == TOKEN and visitor.id
    room = await stage.livechat.open_room(TOKEN)
    assert await stage.livechat.open_room(TOKEN) == room
    assert await stage.livechat.post(room, TOKEN, ID, "Hello\n*there*") == room
    last = stage.rc.messages(room)[-1]
    assert (last["_id"], last["msg"], last["token"]) == (ID, "Hello\n*there*", TOKEN)
    assert await stage.livechat.token_of_room(room) == TOKEN
    assert {call.user_id for call in stage.rc.calls} == {stage.bot.id}


async def test_the_token_of_the_answer_counts_when_the_phone_is_known_already(stage: Stage) -> None:
    await stage.livechat.register(TOKEN, phone="+491701234567")
    again = await stage.livechat.register(VisitorToken("another-token-of-the-same-phone"), phone="+491701234567")
    assert again.token == TOKEN


async def test_the_same_message_posted_again_is_one_message(stage: Stage) -> None:
    room = await conversation(stage)
    for _ in range(3):
        assert await stage.livechat.post(room, TOKEN, ID, "Hello") == room
    assert [message["_id"] for message in stage.rc.messages(room)].count(ID) == 1


async def test_a_message_that_is_held_elsewhere_names_the_room_that_holds_it(stage: Stage) -> None:
    first = await conversation(stage)
    await stage.livechat.post(first, TOKEN, ID, "Hello")
    await stage.rc.close_room(stage.agent, first)
    second = await stage.livechat.open_room(TOKEN)
    assert second != first
    assert await stage.livechat.post(second, TOKEN, ID, "Hello") == first


async def test_a_room_that_is_closed_unknown_or_not_theirs_is_told_apart(stage: Stage) -> None:
    room = await conversation(stage)
    with pytest.raises(RoomUnknown):
        await stage.livechat.post(RoomId("nowhere"), TOKEN, ID, "Hello")
    with pytest.raises(VisitorUnknown):
        await stage.livechat.post(room, VisitorToken("nobody"), ID, "Hello")
    with pytest.raises(VisitorUnknown):
        await stage.livechat.open_room(VisitorToken("nobody"))
    await stage.rc.close_room(stage.agent, room)
    with pytest.raises(RoomClosed):
        await stage.livechat.post(room, TOKEN, ID, "Hello")


async def test_a_message_is_found_in_an_open_and_in_a_closed_room_and_nowhere_else(stage: Stage) -> None:
    room = await conversation(stage)
    await stage.livechat.post(room, TOKEN, ID, "Hello")
    for _ in ("open", "closed"):
        assert await stage.livechat.posted(room, TOKEN, ID)
        assert not await stage.livechat.posted(room, TOKEN, MessageId("waother"))
        assert not await stage.livechat.posted(RoomId("nowhere"), TOKEN, ID)
        if stage.rc.rooms[room].get("open"):
            await stage.rc.close_room(stage.agent, room)


async def test_no_agent_an_omnichannel_that_is_off_and_a_blocked_contact_are_told_apart(stage: Stage) -> None:
    visitor = await stage.livechat.register(TOKEN, name="Maria")
    stage.rc.go_online(stage.agent, False)
    with pytest.raises(NoAgentOnline):
        await stage.livechat.open_room(TOKEN)
    stage.rc.go_online(stage.agent, True)
    stage.rc.settings["Livechat_enabled"] = False
    with pytest.raises(OmnichannelOff):
        await stage.livechat.open_room(TOKEN)
    stage.rc.settings["Livechat_enabled"] = True
    stage.rc.core.livechat.blocked_visitors.add(visitor.id)
    with pytest.raises(ContactBlocked):
        await stage.livechat.open_room(TOKEN)


async def test_the_limit_of_characters_is_told_and_kept(stage: Stage) -> None:
    room = await conversation(stage)
    assert await stage.livechat.character_limit() == 0
    stage.rc.settings["Livechat_enable_message_character_limit"] = True
    stage.rc.settings["Livechat_message_character_limit"] = 10
    assert await stage.livechat.character_limit() == 10
    with pytest.raises(TooLong):
        await stage.livechat.post(room, TOKEN, ID, "12345678901")


# --- the bot's side -----------------------------------------------------------------------------------------------


async def test_what_the_bot_says_is_in_the_room_once_with_its_buttons(stage: Stage) -> None:
    room = await conversation(stage)
    post = Post("Not delivered", (Button("Again", text="!again 1"), Button("Open", url="https://bot.example/x")))
    for _ in range(2):
        await stage.livechat.say(room, MessageId("bot1"), post)
    [said] = [message for message in stage.rc.messages(room) if message["_id"] == "bot1"]
    assert said["u"]["_id"] == stage.bot.id and "token" not in said
    assert [action["text"] for action in said["attachments"][0]["actions"]] == ["Again", "Open"]


async def test_a_notice_that_is_really_refused_is_an_error(stage: Stage) -> None:
    with pytest.raises(Refused):
        await stage.livechat.say(RoomId("nowhere"), MessageId("bot1"), Post("x"))
    room = await conversation(stage)
    with pytest.raises(TooLong):
        await stage.livechat.say(room, MessageId("bot2"), Post("x" * 5001))


async def test_an_unknown_refusal_is_believed_only_when_the_message_is_not_there(stage: Stage) -> None:
    room = await conversation(stage)
    refusal = {"success": False, "error": "Cannot read properties of undefined (reading 'starred')"}
    stage.rc.levers.add("chat.sendMessage", when="after", status=400, body=refusal)
    await stage.livechat.say(room, MessageId("bot1"), Post("there"))
    stage.rc.levers.add("chat.sendMessage", status=400, body=refusal)
    with pytest.raises(Refused):
        await stage.livechat.say(room, MessageId("bot2"), Post("not there"))


async def test_a_message_is_deleted_and_deleting_it_again_is_no_error(stage: Stage) -> None:
    group = await stage.admin.create_private_channel("setup")
    room = RoomId(group["_id"])
    await stage.livechat.say(room, MessageId("bot1"), Post("a key"))
    for _ in range(2):
        await stage.livechat.delete(room, MessageId("bot1"))
    assert [message for message in stage.rc.messages(room) if message["_id"] == "bot1"] == []


# --- looking ------------------------------------------------------------------------------------------------------


async def test_rooms_and_messages_since_a_moment_are_those_that_changed_since(stage: Stage) -> None:
    rooms = []
    for n in range(3):
        token = VisitorToken(f"token-of-customer-{n}")
        await stage.livechat.register(token, name=f"C{n}")
        rooms.append(await stage.livechat.open_room(token))
    await stage.rc.write(stage.agent, rooms[1], "first")
    await stage.rc.write(stage.agent, rooms[1], "second")
    await stage.rc.close_room(stage.agent, rooms[2], comment="bye")
    start = time.time() - 60
    assert set(await stage.livechat.rooms_since(start)) == set(rooms)
    assert await stage.livechat.rooms_since(time.time() + 60) == []
    raw = await stage.livechat.messages_since(rooms[1], start)
    texts = [message.text for item in raw if not item.get("t") and (message := chat_message(item))]
    assert texts == ["first", "second"]
    assert await stage.livechat.messages_since(rooms[1], time.time() + 60) == []
    with pytest.raises(Refused):
        await stage.livechat.messages_since(RoomId("nowhere"), start)


async def test_direct_rooms_since_a_moment_are_those_with_the_bot_that_changed_since(stage: Stage) -> None:
    start = time.time() - 60
    await conversation(stage)
    direct = stage.rc.direct_room(stage.agent, stage.bot)
    await stage.rc.write(stage.agent, direct, "hello bot")
    assert await stage.livechat.direct_rooms_since(start) == [direct]
    assert await stage.livechat.direct_rooms_since(time.time() + 60) == []


async def test_a_message_that_changed_in_the_very_millisecond_of_the_mark_is_told_again(stage: Stage) -> None:
    room = await conversation(stage)
    await stage.livechat.post(room, TOKEN, ID, "Hello")
    mark = changed_at((await stage.livechat.messages_since(room, time.time() - 60))[-1])
    assert [message["_id"] for message in await stage.livechat.messages_since(room, mark)][-1:] == [ID]
    assert room in await stage.livechat.rooms_since(mark)


async def test_no_room_is_missed_on_the_edge_of_a_page(stage: Stage) -> None:
    stage.rc.settings["API_Upper_Count_Limit"] = 7
    rooms = []
    for n in range(30):
        token = VisitorToken(f"token-of-customer-{n:02}")
        await stage.livechat.register(token)
        rooms.append(await stage.livechat.open_room(token))
    found = await stage.livechat.rooms_since(time.time() - 60)
    assert sorted(found) == sorted(rooms)


async def test_no_room_is_missed_when_the_list_shrinks_while_it_is_read(stage: Stage) -> None:
    """Between two pages a few rooms of those already read disappear, and the rest moves up."""
    rooms = [{"_id": f"r{n}", "_updatedAt": "2026-03-01T10:00:00.000Z"} for n in range(450)]

    async def page(request: web.Request) -> web.Response:
        assert json.loads(request.query["sort"]) == {"_updatedAt": -1} and "open" not in request.query
        offset, count = int(request.query["offset"]), int(request.query["count"])
        answer = {"rooms": rooms[offset : offset + count], "total": len(rooms), "success": True}
        del rooms[:7]
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/api/v1/livechat/rooms", page)
    expected = [room["_id"] for room in rooms]
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        found = await Livechat(str(server.make_url("")), stage.credentials, session).rooms_since(1.0)
    assert found == expected[::-1]


async def test_the_token_of_a_room_that_is_no_livechat_room_or_hidden_is_none(stage: Stage) -> None:
    group = await stage.admin.create_private_channel("setup")
    assert await stage.livechat.token_of_room(RoomId(group["_id"])) is None
    assert await stage.livechat.token_of_room(RoomId("nowhere")) is None


async def test_departments_are_told_whether_the_account_may_list_them_or_not() -> None:
    for roles in (BOT_ROLES, ("user", "bot")):
        async with set_up(roles=roles) as stage:
            sales = stage.rc.add_department("Sales", agents=[stage.agent])
            [found] = await stage.livechat.departments()
            assert (found.id, found.name, found.enabled) == (sales.id, "Sales", True)


# --- roles --------------------------------------------------------------------------------------------------------


async def test_roles_of_the_workspace_and_of_the_room_are_told(stage: Stage) -> None:
    boss = stage.rc.add_user("boss", roles=("user", "admin"))
    group = await stage.admin.create_private_channel("setup")
    room = RoomId(group["_id"])
    assert "admin" in await stage.livechat.roles_of(UserId(boss.id))
    assert "livechat-agent" in await stage.livechat.roles_of(UserId(stage.agent.id), room)
    assert "owner" in await stage.livechat.roles_of(UserId(stage.bot.id), room)
    assert await stage.livechat.roles_of(UserId("nobody")) == frozenset()
    assert "admin" in await stage.livechat.roles_of(UserId(boss.id), RoomId("nowhere"))


@pytest.mark.parametrize("body", [{"success": False, "error": "API endpoint not found"}, "404 page not found"])
async def test_on_an_older_server_the_socket_tells_the_roles(stage: Stage, body: object) -> None:
    boss = stage.rc.add_user("boss", roles=("user", "admin"))
    stage.rc.levers.add("roles.getUsersInPublicRoles", times=-1, status=404, body=body)
    with pytest.raises(Unreachable):
        await stage.livechat.roles_of(UserId(boss.id))
    events = stage.realtime.events()
    await anext(events)
    assert "admin" in await stage.livechat.roles_of(UserId(boss.id))
    await events.aclose()


async def test_where_nobody_tells_the_roles_it_is_said(stage: Stage) -> None:
    boss = stage.rc.add_user("boss", roles=("user", "admin"))
    stage.livechat._ask_ddp = None
    stage.rc.levers.add("roles.getUsersInPublicRoles", times=-1, status=404)
    with pytest.raises(NotAllowed):
        await stage.livechat.roles_of(UserId(boss.id))


async def test_an_administrators_account_sees_the_roles_of_everybody() -> None:
    async with set_up(roles=("admin",)) as stage:
        stage.livechat._ask_ddp = None
        stage.rc.levers.add("roles.getUsersInPublicRoles", times=-1, status=404)
        assert "livechat-agent" in await stage.livechat.roles_of(UserId(stage.agent.id))


# --- faults -------------------------------------------------------------------------------------------------------


async def test_an_answer_that_is_lost_after_the_effect_is_trouble_and_the_next_try_finds_it(stage: Stage) -> None:
    room = await conversation(stage)
    stage.rc.levers.add("livechat/message", when="after", drop=True)
    with pytest.raises(Trouble):
        await stage.livechat.post(room, TOKEN, ID, "Hello")
    assert await stage.livechat.posted(room, TOKEN, ID)
    assert await stage.livechat.post(room, TOKEN, ID, "Hello") == room
    assert [message["_id"] for message in stage.rc.messages(room)].count(ID) == 1


@pytest.mark.parametrize(("status", "body"), [(502, "<html>"), (503, ""), (404, "404 page not found"), (200, "")])
async def test_a_proxy_whose_server_is_away_never_costs_a_message(stage: Stage, status: int, body: str) -> None:
    room = await conversation(stage)
    stage.rc.levers.add("livechat/message", status=status, body=body)
    with pytest.raises(Busy):
        await stage.livechat.post(room, TOKEN, ID, "Hello")


async def test_the_rate_limit_says_how_long(stage: Stage) -> None:
    stage.rc.core.world.permissions["api-bypass-rate-limit"] = set()
    with pytest.raises(RateLimited) as limited:
        for n in range(6):
            await stage.livechat.register(VisitorToken(f"token-of-customer-{n}"))
    assert limited.value.after is not None and 0 < limited.value.after <= 60


async def test_an_answer_that_lacks_what_was_promised_is_trouble(stage: Stage) -> None:
    for path, body in (("livechat/visitor", {"visitor": None}), ("livechat/room", {"room": {"_id": 7}})):
        stage.rc.levers.add(path, status=200, body={"success": True, **body})
    with pytest.raises(Trouble):
        await stage.livechat.register(TOKEN)
    with pytest.raises(Trouble):
        await stage.livechat.open_room(TOKEN)


async def test_a_token_that_was_revoked_is_renewed_with_the_password_and_only_then() -> None:
    async with set_up(password=True) as stage:
        room = await conversation(stage)
        stage.rc.revoke((await stage.credentials.current()).token)
        assert await stage.livechat.rooms_since(time.time() - 60) == [room]
        assert stage.asked("login") == 2
    async with set_up() as stage:
        stage.rc.revoke(stage.token)
        with pytest.raises(LoggedOut):
            await stage.livechat.rooms_since(0.0)


async def test_one_text_in_a_known_room_is_one_call(stage: Stage) -> None:
    room = await conversation(stage)
    before = len(stage.rc.calls)
    await stage.livechat.post(room, TOKEN, ID, "Hello")
    assert len(stage.rc.calls) == before + 1
