"""A backup that is restored: what was there is there, and nobody gets a message twice."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import stat
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import Storage
from bot.stage import Stage, config_text, staged
from bot.storage.backup import KEY, MANIFEST, backup
from bot.storage.files import FolderLock, StorageError
from bot.storage.inspection import REGISTRY
from bot.storage.journal_sqlite import FILE
from bot.storage.restore import restore
from tests.typed import typed


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "bot.tar.gz"


def storage(stage: Stage) -> Storage:
    return stage.settings.storage


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def lose(stage: Stage) -> None:
    """The machine burns down."""
    await stage.stop()
    shutil.rmtree(storage(stage).data_dir)


def texts(stage: Stage) -> list[str]:
    return [one.text for one in stage.customer.received]


# --- with traffic ---------------------------------------------------------------------------------------------------


async def test_a_move_to_another_machine_goes_on_where_it_stopped(target: Path) -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        await stage.stop()
        await stage.agent_writes(room, "written while it moves")

        assert backup(storage(stage), target) == target
        await lose(stage)
        restored = restore(storage(stage), target, lost_at=time.time(), unchanged=True)
        await stage.start()
        await stage.customer_reads("written while it moves")
        await stage.customer.write(stage.number, "two")
        assert await stage.agent_reads("two") == room

        assert (restored.held_back, restored.has_key) == (0, True)
        assert texts(stage) == ["written while it moves"]
        assert stage.from_customer(room) == ["one", "two"]


async def test_an_old_backup_doubles_nothing_in_either_direction(target: Path) -> None:
    """The backup is made beside the running bot, with one message on its way in each direction."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        room = await stage.agent_reads("one")
        stage.wa.levers.add("/messages", times=-1, status=429, body={})
        waits = await stage.agent_writes(room, "waits in the backup")
        await stage.wa.until(lambda: any(call.status == 429 for call in stage.wa.calls))
        stage.rc.levers.add("livechat/message", times=-1, status=502, body="bad gateway")
        await stage.customer.write(stage.number, "two")
        await stage.rc.until(lambda: any(call.status == 502 for call in stage.rc.calls))

        await asyncio.to_thread(backup, storage(stage), target)

        stage.wa.levers.clear()
        stage.rc.levers.clear()
        await stage.customer_reads("waits in the backup")
        await stage.agent_reads("two")
        last = await stage.agent_writes(room, "after the backup")
        await stage.customer_reads("after the backup")
        await stage.customer.write(stage.number, "three")
        await stage.agent_reads("three")
        await lose(stage)
        await stage.agent_writes(room, "while it was gone")

        restored = restore(storage(stage), target, lost_at=stage.rc.core.world.messages[last["_id"]]["ts"].timestamp())
        await stage.start()
        await stage.customer_reads("while it was gone")
        await stage.rc.react(stage.agent, last["_id"], "thumbsup")  # shows the message once more, as an event
        await stage.agent_writes(room, "alive")
        await stage.customer_reads("alive")
        await stage.customer.write(stage.number, "four")
        await stage.agent_reads("four")

        assert restored.held_back == 1
        assert texts(stage) == ["waits in the backup", "after the backup", "while it was gone", "alive"]
        assert sorted(stage.from_customer(room)) == ["four", "one", "three", "two"]
        assert stage.bot is not None
        [letter] = await stage.bot.journal.dead()
        assert letter.entry.key == f"rc:{waits['_id']}"
        assert "may have been sent since" in letter.why


# --- by hand --------------------------------------------------------------------------------------------------------


async def test_the_command_line_backs_up_beside_the_bot_and_refuses_to_restore_over_it(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with staged() as stage:
        await stage.connect()
        config = tmp_path / "config.toml"
        config.write_text(config_text(stage.settings), encoding="utf-8")

        run = partial(typed, config, capsys)

        code, told = await run("backup", str(target))
        assert code == 0 and "keep the file as safe as the machine itself" in told
        assert mode(target) == 0o600
        assert (await run("backup", str(target)))[0] == 2, "never written over"
        code, told = await run("backup", str(tmp_path))
        assert code == 0 and "whatsapp-bot-20" in told

        code, told = await run("restore", str(target))
        assert code == 2 and "is in use by process" in told
        await stage.stop()
        code, told = await run("restore", str(target))
        assert code == 2 and "is not empty" in told
        assert (await run("restore", str(target), "--lost-at", "yesterday"))[0] == 2
        assert "has not come yet" in (await run("restore", str(target), "--lost-at", "2999-01-01"))[1]

        storage(stage).data_dir.rename(tmp_path / "old")
        code, told = await run("restore", str(target), "--lost-at", "2026-01-01T10:00")
        assert code == 0 and "counts as sent" in told and "python -m bot doctor" in told
        assert sorted(one.name for one in storage(stage).data_dir.iterdir()) == [FILE, "lock", REGISTRY, KEY]
        assert {mode(one) for one in storage(stage).data_dir.iterdir()} == {0o600}


def test_with_postgresql_it_says_what_to_use(target: Path, tmp_path: Path) -> None:
    shared = Storage(data_dir=tmp_path / "data", database_url=SecretStr("postgresql://u:hidden@h/d"))

    for attempt in (lambda: backup(shared, target), lambda: restore(shared, target, lost_at=0.0)):
        with pytest.raises(StorageError, match="pg_dump") as told:
            attempt()
        assert "hidden" not in str(told.value)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.fixture
async def lost(target: Path) -> Storage:
    """The folder of a bot that is gone, and its backup."""
    async with staged() as stage:
        await stage.connect()
        await stage.stop()
        config = storage(stage).model_copy(update={"data_dir": target.parent / "data"})
        backup(storage(stage), target)
        return config


def packed(target: Path, change: str, content: bytes | None) -> None:
    """The same archive with one member changed, or without it."""
    with tarfile.open(target) as old:
        members = [(info, old.extractfile(info)) for info in old.getmembers()]
        contents = {info.name: file.read() for info, file in members if file is not None}
    contents = {name: one for name, one in {**contents, change: content}.items() if one is not None}
    with tarfile.open(target, "w:gz") as new:
        for name, one in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(one)
            new.addfile(info, io.BytesIO(one))


def refused(config: Storage, target: Path, words: str) -> None:
    before = sorted(config.data_dir.iterdir()) if config.data_dir.exists() else []
    with pytest.raises(StorageError, match=words):
        restore(config, target, lost_at=time.time())
    left = {one.name for one in config.data_dir.iterdir()} - {one.name for one in before}
    assert left <= {"lock"}


def test_what_is_damaged_is_refused_and_nothing_is_changed(lost: Storage, target: Path) -> None:
    whole = target.read_bytes()

    target.write_bytes(whole[: len(whole) // 2])
    refused(lost, target, "cannot be read as a backup")
    target.write_bytes(b"something else")
    refused(lost, target, "cannot be read as a backup")
    for name in (FILE, REGISTRY, KEY):
        target.write_bytes(whole)
        packed(target, name, b"other")
        refused(lost, target, f"is damaged: {name}")
        target.write_bytes(whole)
        packed(target, name, None)
        refused(lost, target, f"is incomplete: {name}")
    for manifest in (
        b"{}", b"[", b'{"format": 99, "bot": "9"}',
        json.dumps({"format": 1, "made_at": 1.0, "files": {FILE: {}, "../../evil": {}}}).encode(),
    ):  # fmt: skip
        target.write_bytes(whole)
        packed(target, MANIFEST, manifest)
        refused(lost, target, "is no backup of this bot|newer bot")

    target.write_bytes(whole)
    restore(lost, target, lost_at=time.time())


async def test_a_backup_without_the_key_needs_the_right_one(lost: Storage, target: Path, tmp_path: Path) -> None:
    restore(lost, target, lost_at=time.time())
    bare, key = tmp_path / "bare.tar.gz", tmp_path / "apart.key"
    backup(lost, bare, with_key=False)
    key.write_bytes(lost.key_file.read_bytes())
    key.chmod(0o600)
    elsewhere = Storage(data_dir=tmp_path / "new", secret_key_file=tmp_path / "keys" / "secret.key")

    refused(elsewhere, bare, "made without the key")

    elsewhere.key_file.parent.mkdir()
    shutil.copyfile(key, elsewhere.key_file)
    elsewhere.key_file.chmod(0o600)
    assert restore(elsewhere, bare, lost_at=time.time()).has_key is False

    other = Storage(data_dir=tmp_path / "other")
    async with staged() as stage:
        stranger = stage.settings.storage.key_file.read_bytes()
    other.data_dir.mkdir()
    other.key_file.write_bytes(stranger)
    other.key_file.chmod(0o600)
    refused(other, target, "is another key than the one in the backup")
    refused(other, bare, "is not the one that this backup was made with")


def test_a_backup_that_cannot_be_written_leaves_nothing(lost: Storage, target: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing to back up"):
        backup(lost, tmp_path / "none.tar.gz")
    restore(lost, target, lost_at=time.time())
    with pytest.raises(StorageError, match="cannot be written"):
        backup(lost, tmp_path / "no" / "such" / "folder")
    lost.key_file.unlink()
    with pytest.raises(StorageError, match=r"key file .* is missing"):
        backup(lost, tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists() and not list(tmp_path.glob(".backup-*"))


def test_two_restores_at_once_do_not_meet(lost: Storage, target: Path) -> None:
    lost.data_dir.mkdir()
    lock = FolderLock(lost.data_dir)
    lock.take()
    try:
        refused(lost, target, f"in use by process {os.getpid()}")
    finally:
        lock.free()


def test_what_an_interrupted_restore_left_is_no_obstacle(lost: Storage, target: Path) -> None:
    (lost.data_dir / ".restoring").mkdir(parents=True)
    (lost.data_dir / ".restoring" / FILE).write_bytes(b"half")

    restore(lost, target, lost_at=time.time())

    assert not (lost.data_dir / ".restoring").exists()
