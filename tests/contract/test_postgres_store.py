"""What the stores in PostgreSQL promise besides: opened safely, nothing in clear, no body left, and quick."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from bot.model import ContactId, Conversation, NumberId, RoomId, VisitorToken
from bot.ports import Outcome
from bot.storage.files import StorageError
from bot.storage.postgres import Database
from bot.storage.postgres_schema import MIGRATIONS
from bot.storage.secrets import Vault
from tests.contract.bots import OneBot, bot_on
from tests.contract.journals import entry, take
from tests.contract.registries import SHOP
from tests.postgres import server

DONE = Outcome()


# --- opening --------------------------------------------------------------------------------------------------------


async def test_bots_that_start_together_make_the_tables_once(tmp_path: Path) -> None:
    url = await server().database(f"fresh_{tmp_path.name.replace('-', '_')}")
    key = tmp_path / "secret.key"
    Vault(key)
    async with AsyncExitStack() as stack:
        opening = [stack.enter_async_context(bot_on(url, key)) for _ in range(4)]
        started = await asyncio.gather(*opening)

        assert len({bot.database.presence.number for bot in started}) == 4
        assert await started[3].journal.append(entry("a")) == 1


async def test_tables_of_a_newer_version_are_refused_and_left_as_they_are(
    url: str, tmp_path: Path, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("UPDATE about SET value = $1 WHERE name = 'version'", str(len(MIGRATIONS) + 1))

    with pytest.raises(StorageError, match="newer version"):
        await Database(url, Vault(tmp_path / "secret.key")).__aenter__()


async def test_another_secret_key_is_noticed_at_the_start(url: str, tmp_path: Path) -> None:
    async with bot_on(url, tmp_path / "secret.key"):
        pass

    with pytest.raises(StorageError, match=r"another secret key than .*other\.key.* copy it"):
        await Database(url, Vault(tmp_path / "other.key")).__aenter__()


@pytest.mark.parametrize("wrong", ["mysql://x@y/z", "/var/lib/x.sqlite", "postgresql://u:hush@[half/x", "host=x hush"])
def test_an_address_that_is_none_is_said_without_repeating_it(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="database_url must look like") as raised:
        Database(wrong, Vault(tmp_path / "secret.key"))

    assert "hush" not in str(raised.value)


async def test_after_closing_it_says_so(url: str, tmp_path: Path) -> None:
    async with bot_on(url, tmp_path / "secret.key") as bot:
        pass

    with pytest.raises(StorageError, match="closed"):
        await bot.journal.append(entry("a"))
    with pytest.raises(StorageError, match="closed"):
        await bot.journal.find("a")


async def test_what_was_asked_for_before_closing_is_stored(url: str, tmp_path: Path) -> None:
    async with bot_on(url, tmp_path / "secret.key") as bot:
        appending = [asyncio.create_task(bot.journal.append(entry(f"k{n}", f"lane {n}"))) for n in range(50)]
        await asyncio.sleep(0)

    assert [await one for one in appending] == [1] * 50


# --- what is in it --------------------------------------------------------------------------------------------------


async def test_secrets_are_not_in_the_tables_in_clear(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    talk = Conversation(NumberId("49"), ContactId("491"), VisitorToken("the-visitors-token"), RoomId("r"))
    await bots[0].journal.remember(talk)
    await bots[0].registry.put_number(SHOP)
    await bots[0].registry.set_fact("api_token", "the-api-token")

    content = ""
    for table in ("conversations", "documents", "about", "marks"):
        content += str([tuple(row) for row in await admin.fetch(f"SELECT * FROM {table}")])

    assert SHOP.phone in content
    for secret in (talk.token, SHOP.api_key, SHOP.hook_path, SHOP.hook_secret, "the-api-token"):
        assert secret not in content


async def test_names_with_a_character_that_postgresql_does_not_know_are_kept_readable(bots: list[OneBot]) -> None:
    talk = Conversation(
        NumberId("49"), ContactId("49\x001"), VisitorToken("t"), RoomId("r"), phone="+491", name="Ma\x00ria"
    )
    await bots[0].journal.remember(talk)

    found = await bots[1].journal.conversation(talk.number, talk.contact)

    assert found == replace(talk, contact=ContactId("49\\x001"), name="Ma\\x00ria")


async def test_what_is_delivered_leaves_no_body(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    journal = bots[0].journal
    await journal.append(entry("a", text="words of the customer"))
    await journal.done(await take(journal, "a"), DONE)

    assert [tuple(row) for row in await admin.fetch("SELECT body, lane FROM entries")] == [(None, "")]
    assert await admin.fetch("SELECT * FROM lanes") == []


async def test_several_appends_share_a_statement(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await asyncio.gather(*(bots[0].journal.append(entry(f"k{n}", f"lane {n}")) for n in range(200)))

    assert await admin.fetchval("SELECT count(*) FROM entries") == 200
    assert await admin.fetchval("SELECT count(DISTINCT xmin::text) FROM entries") < 20  # transactions


async def test_of_all_the_forms_only_those_of_the_room_are_read(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    registry = bots[0].registry
    for id, room in (("mine", "r1"), ("other", "r2")):
        await registry.put_session({"id": id, "room": room})
    await admin.execute("UPDATE documents SET document = 'unreadable' WHERE id = 'other'")

    assert await registry.sessions(room="r1") == [{"id": "mine", "room": "r1"}]
    assert await registry.sessions(id="mine") == [{"id": "mine", "room": "r1"}]
    with pytest.raises(StorageError, match="cannot be read"):
        await registry.sessions()


async def test_forms_that_a_bot_of_the_version_before_stores_are_found_by_their_room_too(
    bots: list[OneBot], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """It names no room beside the document, while the bots are updated one after the other."""
    here, there = bots
    await here.registry.put_session({"id": "a", "room": "r1", "step": 1})
    await here.registry.put_session({"id": "b", "room": "r2"})
    await admin.execute("UPDATE documents SET room = NULL")

    assert await there.registry.sessions(room="r1") == [{"id": "a", "room": "r1", "step": 1}]
    await there.registry.put_session({"id": "a", "room": "r1", "step": 2})
    assert await there.registry.sessions(room="r1") == [{"id": "a", "room": "r1", "step": 2}]
    assert await admin.fetchval("SELECT room FROM documents WHERE id = 'a'") == "r1"
