"""The doctor against both simulators: beside the running bot, without it, and with everything that may be wrong."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.__main__ import main
from bot.config import App, Dialog360, RocketChat, Settings
from bot.doctor.examine import examine
from bot.ports import Finding
from bot.stage import Stage, config_text, free_port, staged
from bot.storage.journal_sqlite import FILE
from tests.kept_logging import logging_kept
from tests.postgres import server

USUAL = {"slash_off", "address_loopback", "heard_never"}
"""What is not well on a stage on loopback whose number is new."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A bot that has one number, and is stopped."""
    async with staged() as found:
        await found.connect()
        await found.stop()
        yield found


async def bad(settings: Settings) -> dict[str, Finding]:
    return {one.says.removeprefix("doctor."): one for one in await examine(settings) if one.verdict != "fine"}


def with_storage(stage: Stage, **changes: object) -> Settings:
    return stage.settings.model_copy(update={"storage": stage.settings.storage.model_copy(update=changes)})


def with_server(stage: Stage, **changes: object) -> Settings:
    return stage.settings.model_copy(update={"server": stage.settings.server.model_copy(update=changes)})


# --- beside the bot, and without it ---------------------------------------------------------------------------------


async def test_beside_the_running_bot_nothing_is_disturbed_and_it_says_when_a_webhook_came() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "Hello")
        await stage.agent_reads("Hello")

        assert set(await bad(stage.settings)) == {"slash_off", "address_loopback"}

        room = await stage.agent_room()
        await stage.agent_writes(room, "Still there")
        await stage.customer_reads("Still there")


async def test_in_chat_it_says_the_same_with_the_worst_first() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.rc.core.world.permissions["view-livechat-rooms"] -= {"livechat-manager"}

        told = (await stage.command("!whatsapp-360d-cloud doctor"))["msg"]

        assert told.startswith("**Problems: 1 · hints: 3")
        first = next(line for line in told.splitlines() if line.startswith("- "))
        assert first == "- **Problem**: The account whatsapp.bot lacks permissions: view-livechat-rooms."
        assert len(told) < 5000


async def test_without_the_bot_the_address_is_tried_all_the_same(stage: Stage) -> None:
    found = await bad(stage.settings)

    assert set(found) == USUAL | {"stopped"}
    assert (stage.settings.storage.data_dir / FILE).exists()


async def test_before_the_first_start_nothing_is_made(tmp_path: Path) -> None:
    async with staged(start=False) as stage:
        assert set(await bad(stage.settings)) == {
            "slash_off", "address_loopback", "stopped", "setup_missing", "no_numbers",
        }  # fmt: skip
        assert not stage.settings.storage.data_dir.exists()


async def test_the_command_line_has_three_ends(
    stage: Stage, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config_text(stage.settings), encoding="utf-8")
    with logging_kept():
        await three_ends(stage, capsys, file)


async def three_ends(stage: Stage, capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert await asyncio.to_thread(main, ["doctor", "--config", str(file)]) == 0
    text = capsys.readouterr().out
    assert f"→ Start it: `python -m bot run --config {file}`" in text

    stage.number.health = "BLOCKED"
    assert await asyncio.to_thread(main, ["doctor", "--config", str(file), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["result"] == "problem"
    [blocked] = [one for one in told["checks"] if one["result"] == "problem"]
    assert blocked["check"] == f"number {stage.number.phone}" and blocked["cause"] and blocked["fix"]

    assert await asyncio.to_thread(main, ["doctor", "--config", str(file.with_name("none.toml"))]) == 2


async def test_a_configuration_with_secrets_that_everybody_can_read_is_named(
    stage: Stage, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config_text(stage.settings), encoding="utf-8")
    told = {}
    with logging_kept():
        for mode in (0o644, 0o640, 0o600):
            file.chmod(mode)
            assert await asyncio.to_thread(main, ["doctor", "--config", str(file)]) == 0
            told[mode] = f"chmod o-rwx {file}" in capsys.readouterr().out
    assert told == {0o644: True, 0o640: False, 0o600: False}


@pytest.mark.parametrize(
    ("language", "told"), [("Deutsch", True), ("nl", True), ("de-AT", False), ("pt", False), ("", False)]
)
async def test_a_configured_language_without_texts_is_named(stage: Stage, language: str, told: bool) -> None:
    settings = stage.settings.model_copy(update={"app": App(preferred_language=language)})
    found = await bad(settings)
    assert ("language_unknown" in found) is told
    assert not told or found["language_unknown"].values["name"] == language


# --- Rocket.Chat ----------------------------------------------------------------------------------------------------


async def test_rocketchat_is_away_or_is_something_else(stage: Stage) -> None:
    stage.rc.levers.add("/api/info", status=502, body="bad gateway")
    assert "rocketchat_away" in await bad(stage.settings)

    stage.rc.levers.add("/api/info", status=200, body="<html>hello</html>")
    assert "rocketchat_away" in await bad(stage.settings)

    await stage.rc.stop()
    found = await bad(stage.settings)
    assert set(found) == {"stopped", "address_loopback", "heard_never", "rocketchat_away"}
    assert stage.settings.rocketchat.url in str(found["rocketchat_away"].values["url"])


async def test_the_password_or_the_token_is_not_accepted(stage: Stage) -> None:
    wrong = RocketChat(url=stage.rc.url, username="whatsapp.bot", password=SecretStr("wrong"))
    assert "login_refused" in await bad(stage.settings.model_copy(update={"rocketchat": wrong}))

    stale = RocketChat(url=stage.rc.url, user_id=stage.bot_user.id, auth_token=SecretStr("revoked"))
    assert "login_refused" in await bad(stage.settings.model_copy(update={"rocketchat": stale}))


async def test_the_account_may_too_much_and_too_little(stage: Stage) -> None:
    stage.bot_user.roles = ("admin", "user")
    found = await bad(stage.settings)
    assert str(found["too_much"].values["names"]).startswith("admin, ")
    assert "limited" not in found, "admins are not limited"

    stage.bot_user.roles = ("user",)
    found = await bad(stage.settings)
    assert "view-livechat-rooms" in str(found["permissions_missing"].values["missing"])
    assert {"limited"} <= set(found)


async def test_omnichannel_is_off_or_has_nobody(stage: Stage) -> None:
    stage.agent.available = False
    assert "agents_away" in await bad(stage.settings)

    stage.agent.roles = ("user",)
    assert "agents_none" in await bad(stage.settings)

    stage.rc.settings["Livechat_enabled"] = False
    assert "omnichannel_off" in await bad(stage.settings)


# --- 360Dialog ------------------------------------------------------------------------------------------------------


async def test_360dialog_is_away(stage: Stage) -> None:
    away = Dialog360(base_url=f"http://127.0.0.1:{free_port()}")

    found = await bad(stage.settings.model_copy(update={"dialog360": away}))

    assert set(found) == {"slash_off", "address_loopback", "stopped", "dialog360_away"}


async def test_the_key_of_a_number_was_revoked(stage: Stage) -> None:
    stage.wa.rotate_key(stage.number)

    assert "number_key" in await bad(stage.settings)


async def test_the_number_is_limited_or_rated_low(stage: Stage) -> None:
    stage.number.quality = "RED"
    assert "number_quality" in await bad(stage.settings)

    stage.number.health = "LIMITED"
    assert "number_limited" in await bad(stage.settings)


async def test_the_messages_of_a_number_go_elsewhere_or_nowhere(stage: Stage) -> None:
    ours = dict(stage.number.webhook or {})
    stage.number.webhook = {**ours, "url": "https://user:secret@old.example.com/hook?token=secret"}
    found = await bad(stage.settings)
    assert found["hook_other"].values["address"] == "old.example.com/hook"

    stage.number.webhook = {**ours, "url": "https://twin.example.com/api/apps/private/app/its-secret/incoming"}
    found = await bad(stage.settings)
    assert found["hook_other"].values["address"] == "twin.example.com/api/apps/…"

    for headers in ({}, {"X-Webhook-Secret": "of somebody else"}):
        stage.number.webhook = {**ours, "headers": headers}
        assert "hook_secret" in await bad(stage.settings)
    stage.number.webhook = {"url": ours["url"]}
    assert "hook_secret" not in await bad(stage.settings), "where 360Dialog does not tell, nothing is claimed"

    stage.number.webhook = None
    assert "hook_none" in await bad(stage.settings)


# --- the public address ---------------------------------------------------------------------------------------------


async def test_somebody_else_answers_at_the_public_address(stage: Stage) -> None:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    app = web.Application()
    app.router.add_get("/livez", alive)
    async with TestServer(app, port=0) as other:
        found = await bad(with_server(stage, public_url=f"http://127.0.0.1:{other.port}"))
    assert found["address_other"].values["status"] == 200
    assert "address_away" in await bad(with_server(stage, public_url=f"http://127.0.0.1:{free_port()}"))


async def test_a_name_that_nobody_knows(stage: Stage) -> None:
    assert "address_unresolved" in await bad(with_server(stage, public_url="https://bot.invalid"))


async def test_another_program_has_the_port_of_the_stopped_bot(stage: Stage) -> None:
    async with TestServer(web.Application(), port=stage.settings.server.port):
        assert "address_unserved" in await bad(stage.settings)


# --- this machine ---------------------------------------------------------------------------------------------------


async def test_the_key_file_is_open_to_others_missing_or_another_one(stage: Stage, tmp_path: Path) -> None:
    key = stage.settings.storage.key_file
    key.chmod(0o644)
    assert "chmod 600" in str((await bad(stage.settings))["key_bad"].values["said"])

    key.chmod(0o600)
    key.rename(tmp_path / "key")
    found = await bad(stage.settings)
    assert "Put your copy back" in str(found["key_bad"].values["said"])
    assert not key.exists()

    other = tmp_path / "other" / "secret.key"
    async with staged(start=False) as twin:
        await twin.start()
        await twin.stop()
        other.parent.mkdir()
        other.write_bytes(twin.settings.storage.key_file.read_bytes())
        other.chmod(0o600)
    assert "database_bad" in await bad(with_storage(stage, secret_key_file=other))


async def test_the_database_is_damaged_newer_or_not_ours(stage: Stage) -> None:
    path = stage.settings.storage.data_dir / FILE
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 99")
    assert "newer version" in str((await bad(stage.settings))["database_bad"].values["said"])

    path.write_bytes(b"this is no database" * 1000)
    for name in (f"{FILE}-wal", f"{FILE}-shm"):
        (path.parent / name).unlink(missing_ok=True)
    assert "database_bad" in await bad(stage.settings)
    assert path.read_bytes().startswith(b"this is no database"), "nothing is changed"


async def test_the_registry_is_damaged(stage: Stage) -> None:
    (stage.settings.storage.data_dir / "registry.json").write_text("{", encoding="utf-8")

    assert "registry" in str((await bad(stage.settings))["database_bad"].values["said"])


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


async def test_a_shared_database_is_looked_at_beside_its_bots_and_without_them(tmp_path: Path) -> None:
    async with staged(database_url=await server().database_of(tmp_path)) as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "Hello")
        await stage.agent_reads("Hello")
        assert set(await bad(stage.settings)) == {"slash_off", "address_loopback"}

        await stage.stop()
        assert set(await bad(stage.settings)) == {"slash_off", "address_loopback", "stopped"}


async def test_a_shared_database_is_away_or_empty(stage: Stage, tmp_path: Path) -> None:
    gone = SecretStr("postgresql://bot:secret@127.0.0.1:1/bot")
    found = (await bad(with_storage(stage, database_url=gone)))["database_bad"]
    assert "bot at 127.0.0.1:1" in str(found.values["said"]) and "secret" not in str(found.values)

    empty = SecretStr(await server().database("nothing_in_it"))
    assert set(await bad(with_storage(stage, database_url=empty))) == {
        "slash_off", "address_loopback", "stopped", "no_numbers",
    }  # fmt: skip
