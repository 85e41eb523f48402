"""The admin plane against a Rocket.Chat in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bot.errors import AlreadyThere, LoggedOut, NotAllowed, Trouble, Unreachable
from bot.model import RoomId
from bot.rocketchat import rest
from bot.rocketchat.credentials import Credentials
from bot.rocketchat.rest import Admin
from tests.adapters.rocketchat_stage import HurriedClock, Stage
from tests.adapters.rocketchat_stage import stage as set_up

SWITCH = "Message_AllowUnrecognizedSlashCommand"
NAME = "omnichannel-whatsapp-cloud-api-setup"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with set_up() as found:
        yield found


async def test_the_bot_knows_itself(stage: Stage) -> None:
    me = await stage.admin.me()
    assert (me["_id"], me["username"]) == (stage.bot.id, "bridge")
    assert "livechat-manager" in me["roles"]


async def test_a_channel_is_made_private_and_readable_and_found_again(stage: Stage) -> None:
    assert await stage.admin.private_channel_named(NAME) is None
    made = await stage.admin.create_private_channel(NAME)
    room = RoomId(made["_id"])
    assert stage.rc.rooms[room]["t"] == "p" and not stage.rc.rooms[room].get("encrypted")
    by_name, by_id = await stage.admin.private_channel_named(NAME), await stage.admin.private_channel(room)
    assert by_name is not None and by_id is not None and by_name["_id"] == by_id["_id"] == room
    with pytest.raises(AlreadyThere):
        await stage.admin.create_private_channel(NAME)


async def test_a_channel_of_others_is_not_seen_and_its_name_is_taken_all_the_same(stage: Stage) -> None:
    boss = stage.rc.add_user("boss", roles=("user", "admin"))
    async with aiohttp.ClientSession() as session:
        login = Credentials(stage.rc.url, session, HurriedClock(), user_id=boss.id, token=stage.rc.token_for(boss))
        hers = await Admin(stage.rc.url, login).create_private_channel(NAME)
    assert await stage.admin.private_channel(RoomId(hers["_id"])) is None
    assert await stage.admin.private_channel_named(NAME) is None
    with pytest.raises(AlreadyThere):
        await stage.admin.create_private_channel(NAME)


async def test_a_name_with_signs_of_an_address_is_asked_for_as_it_is(stage: Stage) -> None:
    assert await stage.admin.private_channel_named("a b&c=d#?/ü%41") is None
    assert stage.rc.calls[-1].query == {"roomName": "a b&c=d#?/ü%41"}


async def test_topic_description_and_members_are_set_and_told(stage: Stage) -> None:
    room = RoomId((await stage.admin.create_private_channel(NAME))["_id"])
    await stage.admin.set_topic(room, "Numbers: 2")
    await stage.admin.set_description(room, "Commands & *help*")
    await stage.admin.invite(room, "anna")
    await stage.admin.invite(room, "anna")
    assert await stage.admin.members(room) == {"bridge", "anna"}
    channel = await stage.admin.private_channel(room)
    assert channel is not None
    assert (channel["topic"], channel["description"]) == ("Numbers: 2", "Commands & *help*")


async def test_all_members_of_a_big_channel_are_told(stage: Stage) -> None:
    room = RoomId((await stage.admin.create_private_channel(NAME))["_id"])
    for n in range(130):
        stage.rc.add_user(f"user{n}")
        await stage.admin.invite(room, f"user{n}")
    assert len(await stage.admin.members(room)) == 131


async def test_a_public_setting_is_read_and_an_unknown_one_is_none(stage: Stage) -> None:
    assert await stage.admin.public_setting(SWITCH) is False
    assert await stage.admin.public_setting("Site_Url") == stage.rc.url
    assert await stage.admin.public_setting("No_Such_Setting&x=1") is None


async def test_the_switch_is_turned_only_by_who_may() -> None:
    async with set_up() as stage:
        with pytest.raises(NotAllowed):
            await stage.admin.change_setting(SWITCH, True)
        assert stage.rc.settings[SWITCH] is False


async def test_a_second_factor_is_an_error_with_a_token_and_confirmed_with_a_password() -> None:
    async with set_up(roles=("admin",)) as stage:
        with pytest.raises(NotAllowed, match="totp-required"):
            await stage.admin.change_setting(SWITCH, True)
        assert stage.rc.settings[SWITCH] is False
    async with set_up(roles=("admin",), password=True) as stage:
        await stage.admin.change_setting(SWITCH, True)
        assert stage.rc.settings[SWITCH] is True


async def test_a_revoked_token_is_renewed_once_with_the_password() -> None:
    async with set_up(password=True) as stage:
        await stage.admin.me()
        stage.rc.revoke((await stage.credentials.current()).token)
        assert (await stage.admin.me())["_id"] == stage.bot.id
        assert stage.asked("login") == 2
    async with set_up() as stage:
        stage.rc.revoke(stage.token)
        with pytest.raises(LoggedOut):
            await stage.admin.me()


async def test_faults_of_the_network_are_busy_and_never_an_exception_of_the_package(stage: Stage) -> None:
    faults: list[dict[str, object]] = [
        {"status": 502, "body": "<html>"},
        {"status": 401, "body": "<html>"},
        {"status": 403, "body": "<html>"},
        {"status": 404, "body": "<html>"},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": {"success": True}},
        {"status": 302, "headers": {"Location": "/api/v1/elsewhere"}},
        {"drop": True},
    ]
    for fault in faults:
        stage.rc.levers.add("v1/me", **fault)  # type: ignore[arg-type]  # a table of keyword arguments
        with pytest.raises((Trouble, Unreachable)):
            await stage.admin.me()
    assert stage.asked("elsewhere") == 0
    with pytest.raises(Unreachable) as away:
        await Admin(f"http://127.0.0.1:{unused_port()}", stage.credentials).me()
    assert str(away.value) == "Unreachable: Connection refused"
    with pytest.raises(Unreachable) as unknown:
        await Admin("http://nowhere.invalid", stage.credentials).me()  # RFC 2606: a name that never is
    assert "name" in str(unknown.value).lower()


async def test_a_page_of_a_proxy_does_not_say_that_a_channel_is_not_there(stage: Stage) -> None:
    """Another would be made."""
    stage.rc.levers.add("groups.info", status=404, body="404 page not found")
    with pytest.raises(Trouble):
        await stage.admin.private_channel_named(NAME)
    assert await stage.admin.private_channel_named(NAME) is None


async def test_an_answer_without_end_is_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_LARGEST", 1_000_000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    app = web.Application()
    app.router.add_get("/{path:.*}", endless)
    async with TestServer(app) as server:
        with pytest.raises(Trouble, match="longer than"):
            await Admin(str(server.make_url("")), stage.credentials).me()
