"""The setup channel on a Rocket.Chat in memory: made once, found again whatever happened to it, furnished once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.chatops import setup_channel
from bot.chatops.command import House
from bot.chatops.setup_channel import SLASH_SETTING, SetupChannel
from bot.errors import BotError
from bot.model import RoomId
from bot.ports import Registry
from bot.rocketchat.credentials import Credentials
from bot.rocketchat.rest import Admin
from bot.storage.local_locks import LocalLocks
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from bot.translations import translator
from commands import account
from tests.adapters.rocketchat_stage import HurriedClock, Stage
from tests.adapters.rocketchat_stage import stage as set_up
from tests.chatops.desk import PUBLIC, TOKEN
from tests.contract.registries import STORES

NAME = "omnichannel-whatsapp-cloud-api-setup"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with set_up() as found:
        yield found


def channel(stage: Stage, folder: Path, members: Sequence[str] = (), registry: Registry | None = None) -> SetupChannel:
    """As a start of the bot makes it: nothing in memory."""
    return SetupChannel(
        admin=stage.admin,
        workspace=stage.livechat,
        registry=registry or TinyRegistry(folder / "registry.json", Vault(folder / "secret.key")),
        t=translator("en"),
        name=NAME,
        members=members,
        question=account.question(),
        house=House(PUBLIC, "app", "https://sign.up/", ("admin",), api_token=TOKEN),
        alone=LocalLocks().alone,
    )


def texts(stage: Stage, room: RoomId) -> list[str]:
    return [message["msg"] for message in stage.rc.messages(room) if not message.get("t")]


def buttons(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["text"], action["msg"]) for action in message["attachments"][0]["actions"]]


async def test_a_channel_that_nobody_sees_is_told_to_whoever_starts_the_bot(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await channel(stage, tmp_path).ensure()
    assert "set [rocketchat] setup_members to your user name" in caplog.text
    caplog.clear()

    await channel(stage, tmp_path, ["anna"]).ensure()

    assert "setup_members" not in caplog.text


async def test_the_channel_is_made_and_furnished(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path, ["anna"]).ensure()

    made = stage.rc.room_named(NAME)
    assert made is not None
    assert (made["_id"], made["t"]) == (room, "p")
    assert made["topic"] == "WhatsApp numbers of this workspace (360Dialog Cloud API)"
    assert made["description"].startswith("Connect WhatsApp numbers here")
    assert await stage.admin.members(room) == {"bridge", "anna"}
    instructions, *_, question = texts(stage, room)
    assert "/whatsapp-360d-cloud connect" in instructions
    assert question == "Do you currently have a 360Dialog account? If you don't, we'll create one."


async def test_bots_that_start_together_make_one_though_they_could_not_wait_for_each_other(
    stage: Stage, tmp_path: Path
) -> None:
    """A lock in PostgreSQL is gone with its connection, in the very moment."""
    registry = TinyRegistry(tmp_path / "registry.json", Vault(tmp_path / "secret.key"))
    stage.rc.levers.add("groups.create", times=2, delay=0.2)  # so that each has looked before one is made

    here, there = (channel(stage, tmp_path, registry=registry) for _ in range(2))
    room, other = await asyncio.gather(here.ensure(), there.ensure())

    assert room == other
    assert [one["_id"] for one in stage.rc.rooms.values() if one["t"] == "p"] == [room]
    said = texts(stage, room)
    assert len(said) == len(set(said))


async def test_the_questions_buttons_post_what_the_bot_understands(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()

    asked = next(m for m in stage.rc.messages(room) if m["msg"].startswith("Do you currently"))
    assert buttons(asked) == [("Yes", "!whatsapp-360d-cloud account yes"), ("No", "!whatsapp-360d-cloud account no")]


async def test_a_second_start_says_nothing_again(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path, ["nobody"]).ensure()
    before = stage.rc.messages(room)

    assert await channel(stage, tmp_path, ["nobody"]).ensure() == room

    assert stage.rc.messages(room) == before


async def test_what_people_deleted_does_not_come_back(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()
    first = next(m for m in stage.rc.messages(room) if not m.get("t"))
    await stage.livechat.delete(room, first["_id"])

    await channel(stage, tmp_path).ensure()

    assert first["msg"] not in texts(stage, room)


async def test_a_renamed_channel_is_still_the_channel(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()
    stage.rc.rooms[room]["name"] = stage.rc.rooms[room]["fname"] = "whatsapp"

    assert await channel(stage, tmp_path).ensure() == room
    assert stage.rc.room_named(NAME) is None


async def test_a_topic_that_people_wrote_stays(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()
    await stage.admin.set_topic(room, "Ask Ada")

    await channel(stage, tmp_path).ensure()

    assert stage.rc.rooms[room]["topic"] == "Ask Ada"


async def test_a_channel_that_was_deleted_is_made_anew(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()
    del stage.rc.rooms[room]

    anew = await channel(stage, tmp_path).ensure()

    assert anew != room
    assert len(texts(stage, anew)) >= 2


async def test_a_channel_that_was_prepared_for_the_bot_is_taken(stage: Stage, tmp_path: Path) -> None:
    prepared = await stage.admin.create_private_channel(NAME)

    assert await channel(stage, tmp_path).ensure() == prepared["_id"]


@pytest.mark.parametrize(
    ("roles", "taken"), [(("user",), False), (("user", "livechat-agent"), False), (("user", "admin"), True)]
)
async def test_a_channel_of_this_name_is_taken_only_from_somebody_who_may_command(
    stage: Stage, tmp_path: Path, roles: tuple[str, ...], taken: bool
) -> None:
    """Whoever made it owns it: they would read the links of all forms."""
    maker = stage.rc.add_user("maker", roles=roles)
    async with aiohttp.ClientSession() as session:
        login = Credentials(stage.rc.url, session, HurriedClock(), user_id=maker.id, token=stage.rc.token_for(maker))
        admin = Admin(stage.rc.url, login)
        prepared = await admin.create_private_channel(NAME)
        await admin.invite(prepared["_id"], stage.bot.username)

    room = await channel(stage, tmp_path).ensure()

    assert (room == prepared["_id"]) is taken
    assert len(texts(stage, prepared["_id"])) == (0 if not taken else len(texts(stage, room)))


async def test_when_the_name_is_taken_by_an_invisible_room_another_is_made_and_said(
    stage: Stage, tmp_path: Path
) -> None:
    boss = stage.rc.add_user("boss", roles=("user", "admin"))
    async with aiohttp.ClientSession() as session:
        login = Credentials(stage.rc.url, session, HurriedClock(), user_id=boss.id, token=stage.rc.token_for(boss))
        await Admin(stage.rc.url, login).create_private_channel(NAME)

    room = await channel(stage, tmp_path).ensure()

    assert stage.rc.rooms[room]["name"] == f"{NAME}-2"
    assert f"The name #{NAME} is taken by a room that I cannot use, so I made this one." in texts(stage, room)
    assert await channel(stage, tmp_path / "lost").ensure() == room


async def test_people_who_do_not_exist_are_named(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path, ["anna", "nobody", "noone"]).ensure()

    assert await stage.admin.members(room) == {"bridge", "anna"}
    assert any("I could not invite these people here: nobody, noone." in text for text in texts(stage, room))


@pytest.mark.parametrize("store", STORES)
async def test_however_many_do_not_exist_they_are_named_once(stage: Stage, tmp_path: Path, store: str) -> None:
    some = random.Random(1)
    names = [some.randbytes(100).hex() for _ in range(20)]
    async with STORES[store](tmp_path).open() as registry:
        room = await channel(stage, tmp_path, names, registry).ensure()
        await channel(stage, tmp_path, names, registry).ensure()

    [told] = [text for text in texts(stage, room) if "could not invite" in text]
    assert names[0] in told


async def test_who_is_there_already_is_not_invited_again(stage: Stage, tmp_path: Path) -> None:
    await channel(stage, tmp_path, ["anna"]).ensure()
    calls = stage.asked("groups.invite")

    await channel(stage, tmp_path, ["@anna"]).ensure()

    assert stage.asked("groups.invite") == calls == 1


async def test_slash_commands_are_let_through_where_the_account_may(tmp_path: Path) -> None:
    async with set_up(password=True, roles=("user", "bot", "livechat-manager", "admin")) as stage:
        room = await channel(stage, tmp_path).ensure()

        assert stage.rc.settings[SLASH_SETTING] is True
        assert len(texts(stage, room)) == 3


async def test_where_it_may_not_one_line_says_who_must_do_what(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()

    (told,) = (text for text in texts(stage, room) if SLASH_SETTING in text)
    assert "Administration" in told
    assert "`!whatsapp-360d-cloud`" in told
    assert stage.rc.settings[SLASH_SETTING] is False


async def test_nothing_is_said_about_a_setting_that_is_on(stage: Stage, tmp_path: Path) -> None:
    stage.rc.settings[SLASH_SETTING] = True

    room = await channel(stage, tmp_path).ensure()

    assert not any(SLASH_SETTING in text for text in texts(stage, room))


@pytest.mark.parametrize("path", ["groups.create", "groups.members", "chat.sendMessage", "settings.public", "setTopic"])
async def test_a_start_that_broke_halfway_is_finished_by_the_next(stage: Stage, tmp_path: Path, path: str) -> None:
    stage.rc.levers.add(path, when="after", drop=True, times=1)
    with suppress(BotError):
        await channel(stage, tmp_path).ensure()

    room = await channel(stage, tmp_path).ensure()

    assert [room["name"] for room in stage.rc.rooms.values() if room["t"] == "p"] == [NAME]
    said = texts(stage, room)
    assert len(said) == len(set(said)) == 4


TRIMMINGS = ["groups.setTopic", "groups.setDescription", "groups.members", "groups.invite", "settings.public"]


@pytest.mark.parametrize(
    ("status", "body"), [(404, {}), (500, {}), (429, {}), (403, {}), (200, []), (200, "<html>")], ids=str
)
async def test_what_is_not_needed_never_stops_the_start(stage: Stage, tmp_path: Path, status: int, body: Any) -> None:
    for path in TRIMMINGS:
        stage.rc.levers.add(path, status=status, body=body, times=99)
    setup = channel(stage, tmp_path, ["anna"])

    room = await setup.ensure()

    assert "Do you currently have a 360Dialog account?" in texts(stage, room)[-1]
    stage.rc.levers.clear()
    await setup.ensure()
    assert setup.complete
    assert "anna" in await stage.admin.members(room)
    assert texts(stage, room) == list(dict.fromkeys(texts(stage, room))), "nothing is said twice"


async def test_a_step_that_fails_is_tried_again_and_the_others_are_not_held_back(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage.rc.levers.add("groups.setTopic", status=500, times=1)
    setup = channel(stage, tmp_path, ["anna"])

    room = await setup.ensure()

    assert not setup.complete
    assert "setup channel, topic" in caplog.text
    assert "anna" in await stage.admin.members(room)
    await setup.ensure()
    assert setup.complete
    assert stage.rc.rooms[room]["topic"]


async def test_a_server_that_hangs_costs_its_patience_once(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_channel, "PATIENCE", 0.2)
    stage.rc.levers.add("groups.setTopic", delay=2.0, times=1)
    setup = channel(stage, tmp_path)

    room = await setup.ensure()

    assert "Do you currently have a 360Dialog account?" in texts(stage, room)[-1]
    assert not setup.complete


async def test_the_addresses_are_shown_once_and_without_the_token(stage: Stage, tmp_path: Path) -> None:
    room = await channel(stage, tmp_path).ensure()
    await channel(stage, tmp_path).ensure()

    told = [m for m in stage.rc.messages(room) if "templateMessage" in m["msg"]]
    assert len(told) == 1
    assert f"`POST {PUBLIC}/api/apps/private/app/•••/templateMessage`" in told[0]["msg"]
    assert f"`GET {PUBLIC}/api/apps/private/app/•••/authSuccess`" in told[0]["msg"]
    assert buttons(told[0]) == [("Show the addresses", "!whatsapp-360d-cloud endpoints")]
    assert TOKEN not in str(stage.rc.messages(room))
