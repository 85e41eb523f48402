"""A dump of the shared database that is put back: bots do not go on with it by themselves, and nobody gets a message
twice."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bot.stage import Stage, config_text, staged
from bot.storage.files import StorageError
from bot.storage.restore_shared import restore_shared
from tests.postgres import server
from tests.typed import typed


def texts(stage: Stage) -> list[str]:
    return [one.text for one in stage.customer.received]


async def test_an_old_dump_doubles_nothing(tmp_path: Path) -> None:
    """Made beside the running bot, with a message on its way."""
    url, file = await server().database_of(tmp_path), tmp_path / "old.dump"
    async with staged(start=False, database_url=url) as stage:
        await stage.start()
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        stage.wa.levers.add("/messages", times=-1, status=429, body={})
        waits = await stage.agent_writes(room, "waits in the dump")
        await stage.wa.until(lambda: any(call.status == 429 for call in stage.wa.calls))
        await asyncio.to_thread(server().dump, url, file)

        stage.wa.levers.clear()
        await stage.customer_reads("waits in the dump")
        last = await stage.agent_writes(room, "after the dump")
        await stage.customer_reads("after the dump")
        await stage.stop()
        await stage.agent_writes(room, "while it was gone")
        await asyncio.to_thread(server().put_back, url, file)

        with pytest.raises(StorageError, match="put back from a dump"):
            await stage.start()
        lost_at = stage.rc.core.world.messages[last["_id"]]["ts"].timestamp()
        assert await restore_shared(stage.settings.storage, lost_at=lost_at) == 1
        await stage.start()
        await stage.customer_reads("while it was gone")
        await stage.customer.write(stage.number, "two")
        await stage.agent_reads("two")

        assert texts(stage) == ["waits in the dump", "after the dump", "while it was gone"]
        assert stage.bot is not None
        [letter] = await stage.bot.journal.dead()
        assert letter.entry.key == f"rc:{waits['_id']}"
        assert dict(await stage.bot.journal.counts())["dead"] == 1
        with pytest.raises(StorageError, match=r"1 bot.* Stop them first"):
            await restore_shared(stage.settings.storage, lost_at=lost_at)


async def test_from_the_command_line_a_dump_of_stopped_bots_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, file = await server().database_of(tmp_path), tmp_path / "moved.dump"
    async with staged(start=False, database_url=url) as stage:
        await stage.start()
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.stop()
        await stage.agent_writes(room, "written while it moves")
        await asyncio.to_thread(server().dump, url, file)
        await asyncio.to_thread(server().put_back, url, file)
        config = tmp_path / "config.toml"
        config.write_text(config_text(stage.settings), encoding="utf-8")

        run = partial(typed, config, capsys)

        code, told = await run("dead")
        assert code == 2 and "python -m bot restore --unchanged" in told
        code, told = await run("restore", "--unchanged")
        assert code == 0 and "may start" in told
        await stage.start()
        await stage.customer_reads("written while it moves")
