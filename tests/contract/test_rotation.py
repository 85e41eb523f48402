"""A new secret key: in a folder, in a shared database, interrupted anywhere, and from the command line."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.__main__ import main
from bot.config import Storage
from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.storage import rotation
from bot.storage.files import StorageError
from bot.storage.opening import Stores, open_stores
from bot.storage.rotation import NotEverywhere, behind, count, in_front, prune, rotate
from bot.storage.secrets import Vault, new_key
from tests.contract.bots import bot_on
from tests.contract.journals import ManualClock
from tests.contract.registries import SESSION, SHOP
from tests.kept_logging import logging_kept
from tests.postgres import server

TOKENS = [VisitorToken(f"token-of-{number}") for number in range(7)]
SEALED = 10
"""Stored secrets: seven tokens, a number, a session, a fact."""


def talk(number: int) -> Conversation:
    return Conversation(
        NumberId(SHOP.id), ContactId(f"49170000{number}"), TOKENS[number], RoomId(f"r{number}"), "", "", "Ann", 1.0
    )


@asynccontextmanager
async def stores(config: Storage) -> AsyncIterator[Stores]:
    async with AsyncExitStack() as stack:
        yield await open_stores(stack, config, Vault(config.key_file), ManualClock())


@pytest.fixture(params=["folder", "database"])
async def config(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Of a bot that has stored something and is stopped."""
    url = await server().database_of(tmp_path) if request.param == "database" else ""
    made = Storage(data_dir=tmp_path / "data", database_url=SecretStr(url))
    async with stores(made) as opened:
        await fill(opened)
    return made


async def fill(opened: Stores) -> None:
    await opened.registry.put_number(SHOP)
    await opened.registry.put_session(SESSION)
    await opened.registry.set_fact("rocketchat login", "login-token")
    for number in range(len(TOKENS)):
        await opened.journal.remember(talk(number))


async def is_whole(config: Storage) -> bool:
    """A bot that starts with the key file as it is finds everything."""
    async with stores(config) as opened:
        found = [await opened.journal.conversation_of_token(token) for token in TOKENS]
        return (
            await opened.registry.numbers() == [SHOP]
            and [dict(one) for one in await opened.registry.sessions()] == [SESSION]
            and await opened.registry.fact("rocketchat login") == "login-token"
            and found == [talk(number) for number in range(len(TOKENS))]
        )


async def test_everything_is_sealed_with_the_new_key_and_stays_what_it_is(config: Storage) -> None:
    vault = Vault(config.key_file)
    [root] = vault.keys
    async with rotation.opened(config, vault) as store:
        assert await rotate(vault, store) == [SEALED, 0]

    assert vault.keys[1:] == (root,)
    assert await is_whole(config)


async def test_old_keys_can_be_removed_but_never_the_root(config: Storage) -> None:
    vault = Vault(config.key_file)
    root = vault.keys[-1]
    async with rotation.opened(config, vault) as store:
        for _ in range(3):
            await rotate(vault, store)
        assert len(vault.keys) == 4

        assert await prune(vault, store) == 2
        assert await prune(vault, store) == 0

    assert Vault(config.key_file).keys == vault.keys
    assert vault.keys[-1] == root
    assert await is_whole(config)


async def test_a_key_that_something_needs_is_not_removed(config: Storage) -> None:
    vault = Vault(config.key_file)
    async with rotation.opened(config, vault) as store:
        await rotate(vault, store)
        vault.replace(in_front(vault.keys, new_key()))

        assert await prune(vault, store) == 0
        assert await count(vault, store) == [0, SEALED, 0]

    assert await is_whole(config)


@pytest.mark.parametrize("steps", range(SEALED))
async def test_it_may_be_interrupted_anywhere(config: Storage, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(config.key_file)
    seal, left = Vault.seal, [steps]

    def seal_or_die(self: Vault, text: str) -> str:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return seal(self, text)

    async with rotation.opened(config, vault) as store:
        with monkeypatch.context() as patched:
            patched.setattr(Vault, "seal", seal_or_die)
            with pytest.raises(KeyboardInterrupt):
                await rotate(vault, store)
    assert await is_whole(config)

    again = Vault(config.key_file)
    async with rotation.opened(config, again) as store:
        assert (await rotate(again, store))[0] == SEALED
        await prune(again, store)
    assert len(Vault(config.key_file).keys) == 2
    assert await is_whole(config)


async def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    config = Storage(data_dir=tmp_path / "data")
    async with stores(config):
        before = config.key_file.read_bytes()
        with pytest.raises(StorageError, match="in use by process"):
            async with rotation.opened(config, Vault(config.key_file)):
                pass

    assert config.key_file.read_bytes() == before


async def test_what_does_not_open_stops_it_before_anything_changes(config: Storage) -> None:
    vault = Vault(config.key_file)
    async with rotation.opened(config, vault) as store:
        await rotate(vault, store)
        front, root = vault.keys
        config.key_file.write_text(f"{new_key()}\n{root}\n")
        vault.reload()
        before = config.key_file.read_bytes()

        with pytest.raises(StorageError, match="does not open with any key"):
            await rotate(vault, store)

    assert config.key_file.read_bytes() == before
    config.key_file.write_text(f"{front}\n{root}\n")
    assert await is_whole(config)


async def test_nothing_of_the_old_seals_is_left_in_the_files(tmp_path: Path) -> None:
    config = Storage(data_dir=tmp_path / "data")
    async with stores(config) as opened:
        await fill(opened)
    with closing(sqlite3.connect(config.data_dir / "journal.sqlite3")) as db, db:
        old = [row[0].encode() for row in db.execute("SELECT token FROM conversations")]
    db.close()

    vault = Vault(config.key_file)
    async with rotation.opened(config, vault) as store:
        await rotate(vault, store)

    files = b"".join(path.read_bytes() for path in config.data_dir.rglob("*") if path.is_file())
    assert len(old) == len(TOKENS)
    assert [token for token in old if token in files] == []


# --- the file -------------------------------------------------------------------------------------------------------


def test_where_a_new_key_goes() -> None:
    assert in_front(("root",), "new") == ["new", "root"]
    assert in_front(("a", "root"), "new") == ["new", "a", "root"]
    assert behind(("root",), "new") == ["root", "new", "root"], "the root stays last, and goes on sealing"
    assert in_front(("root", "new", "root"), "new") == ["new", "root"]
    assert behind(("a", "root"), "new") == ["a", "new", "root"]
    assert in_front(("a", "new", "root"), "new") == ["new", "a", "root"]


def test_a_running_bot_reads_the_new_file_by_itself(tmp_path: Path) -> None:
    running, tool = Vault(tmp_path / "secret.key"), Vault(tmp_path / "secret.key")
    old, derived = running.seal("old"), running.derive("x")
    tool.replace(in_front(tool.keys, new_key()))

    assert running.open(tool.seal("new")) == "new"
    assert tool.place(running.seal("later")) == 0, "what it seals from now on, it seals with the new key"
    assert running.open(old) == "old"
    assert running.derive("x") == derived


def test_a_file_that_cannot_be_used_does_not_stop_a_running_bot(tmp_path: Path) -> None:
    running = Vault(tmp_path / "secret.key")
    sealed = running.seal("x")
    for content in ("", "nonsense\n", f"{new_key()}\n"):
        running.path.write_text(content)
        assert running.open(running.seal("y")) == "y"
        assert running.open(sealed) == "x"
    running.path.unlink()
    assert running.open(running.seal("y")) == "y"


def test_the_file_keeps_its_mode(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secret.key")
    vault.path.chmod(0o400)
    vault.replace(in_front(vault.keys, new_key()))

    assert vault.path.stat().st_mode & 0o777 == 0o400
    assert [one.name for one in tmp_path.iterdir()] == ["secret.key"]


# --- bots that run meanwhile ----------------------------------------------------------------------------------------


async def test_bots_that_share_the_key_file_go_on_meanwhile(tmp_path: Path) -> None:
    url, key = await server().database_of(tmp_path), tmp_path / "secret.key"
    config = Storage(data_dir=tmp_path / "tool", database_url=SecretStr(url), secret_key_file=key)
    async with bot_on(url, key) as one, bot_on(url, key) as two:
        await one.registry.put_number(SHOP)
        await one.journal.remember(talk(0))
        vault = Vault(key)
        async with rotation.opened(config, vault) as store:
            rotated = asyncio.create_task(rotate(vault, store))
            while not rotated.done():
                await two.journal.remember(talk(1))
                await one.registry.set_fact("f", "v")
            assert len(await rotated) == 2
            await rotate(vault, store)
            assert await prune(vault, store) == 1

        assert await two.registry.numbers() == [SHOP]
        assert await two.journal.conversation_of_token(TOKENS[0]) == talk(0)
        assert await one.journal.conversation_of_token(TOKENS[1]) == talk(1)
        await two.journal.remember(talk(2))
        assert await one.journal.conversation_of_token(TOKENS[2]) == talk(2)


async def test_a_bot_with_a_copy_of_its_own_has_to_get_the_new_key_first(tmp_path: Path) -> None:
    url, key, copy = await server().database_of(tmp_path), tmp_path / "secret.key", tmp_path / "copy.key"
    Vault(key)
    copy.write_bytes(key.read_bytes())
    copy.chmod(0o600)
    config = Storage(data_dir=tmp_path / "tool", database_url=SecretStr(url), secret_key_file=key)
    async with bot_on(url, copy) as running:
        await running.registry.put_number(SHOP)
        vault = Vault(key)
        async with rotation.opened(config, vault) as store:
            with pytest.raises(NotEverywhere):
                await rotate(vault, store)
            assert await count(vault, store) == [1, 0, 0], "nothing is sealed with it yet"

            copy.write_bytes(key.read_bytes())
            assert await rotate(vault, store) == [1, 0]
            assert await running.registry.numbers() == [SHOP]

            await running.registry.set_fact("f", "v")
            assert (await count(vault, store))[0] == 1, "a copy that is not up to date seals with the old key"
            with pytest.raises(NotEverywhere):
                await prune(vault, store)
            copy.write_bytes(key.read_bytes())
            assert (await rotate_again(vault, store))[0] == 2
    old = tmp_path / "old.key"
    old.write_text(f"{vault.keys[-1]}\n")
    old.chmod(0o600)
    with pytest.raises(StorageError, match="keys rotate"):
        async with bot_on(url, old):
            pass


async def rotate_again(vault: Vault, store: rotation.Sealed) -> list[int]:
    """The copies get the file as soon as the new key is in it."""
    try:
        return await rotate(vault, store)
    except NotEverywhere:
        copy = vault.path.with_name("copy.key")
        copy.write_bytes(vault.path.read_bytes())
        return await rotate(vault, store)


# --- the command line -----------------------------------------------------------------------------------------------


async def test_the_command_shows_rotates_and_prunes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = Storage(data_dir=tmp_path / "data")
    async with stores(storage) as opened:
        await fill(opened)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[rocketchat]\nurl = "http://127.0.0.1:1"\nuser_id = "bot"\nauth_token = "secret"\n'
        f'[server]\npublic_url = "https://bot.example"\n[storage]\ndata_dir = "{storage.data_dir}"\n'
    )

    async def tool(*words: str) -> str:
        with logging_kept():
            assert await asyncio.to_thread(main, [*words, "--config", str(config)]) == 0
        return capsys.readouterr().out

    async def run(what: str) -> str:
        return await tool("keys", what)

    assert f"{SEALED} stored secret(s)  seals, root, has to stay" in await run("show")
    assert f"{SEALED} stored secret(s)  seals\n" in await run("rotate")
    await run("rotate")
    assert "1 key(s) removed" in await run("prune")
    shown = await run("show")
    assert [key for key in Vault(storage.key_file).keys if key in shown] == []
    assert re.findall(r"operator  (\S+)", await tool("audit")) == ["keys-prune", "keys-rotate", "keys-rotate"]
    assert "is whole" in await tool("audit", "--verify")
    assert await is_whole(storage)
