"""What every registry promises: numbers, form sessions and facts are kept, their secrets sealed."""

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model import Number, NumberId
from bot.storage.files import StorageError
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault

SHOP = Number(
    id=NumberId("4915112345678"),
    phone="+4915112345678",
    api_key="the-api-key-of-the-shop",
    hook_path="hook-path-of-the-shop",
    hook_secret="the-hook-secret-of-the-shop",
    name="Shop 😄",
    department="d1",
    welcome_message="Hello\nthere",
    connected_at=1000.5,
)
OTHER = replace(SHOP, id=NumberId("4915199999999"), phone="+4915199999999", hook_path="hook-path-of-the-other")
SESSION = {
    "id": "s1",
    "form": "connect",
    "about": {},
    "answers": {"department": "d1"},
    "secrets": {"api_key": "typed-api-key"},
    "said": None,
    "expires": 17.5,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "registry.json"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secret.key")


@pytest.fixture
def registry(path: Path, vault: Vault) -> TinyRegistry:
    return TinyRegistry(path, vault)


def is_there(path: Path) -> bool:
    return path.exists()


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_an_empty_registry_knows_nothing(registry: TinyRegistry, path: Path) -> None:
    assert await registry.numbers() == []
    assert await registry.number(SHOP.id) is None
    assert await registry.number_of_hook("") is None
    assert await registry.sessions() == []
    assert await registry.fact("x") is None
    assert not is_there(path)


async def test_numbers_are_kept_replaced_and_removed(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.put_number(SHOP)
    await registry.put_number(OTHER)
    renewed = replace(SHOP, api_key="a-new-key", department="")
    await registry.put_number(renewed)

    for one in (registry, TinyRegistry(path, vault)):
        assert await one.numbers() == [renewed, OTHER]
        assert await one.number(SHOP.id) == renewed

    await registry.remove_number(SHOP.id)
    await registry.remove_number(NumberId("unheard of"))

    for one in (registry, TinyRegistry(path, vault)):
        assert await one.numbers() == [OTHER]


async def test_a_number_is_found_by_its_whole_hook_path(registry: TinyRegistry) -> None:
    await registry.put_number(SHOP)
    await registry.put_number(OTHER)

    assert await registry.number_of_hook(SHOP.hook_path) == SHOP
    assert await registry.number_of_hook(OTHER.hook_path) == OTHER
    for wrong in ("", SHOP.hook_path[:-1], SHOP.hook_path + "x", "ä\ud83d"):
        assert await registry.number_of_hook(wrong) is None


async def test_sessions_are_kept_whole_and_replaced_whole(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.put_session(SESSION)
    assert await registry.sessions() == [SESSION]

    shorter = {"id": "s1", "form": "connect", "secrets": {}}
    await registry.put_session(shorter)
    await registry.put_session({**SESSION, "id": "s2"})

    for one in (registry, TinyRegistry(path, vault)):
        assert await one.sessions() == [shorter, {**SESSION, "id": "s2"}]

    await registry.remove_session("s1")
    assert [session["id"] for session in await registry.sessions()] == ["s2"]


async def test_facts_are_kept(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.set_fact("setup_room", "r1")
    await registry.set_fact("api_token", "t1")
    await registry.set_fact("setup_room", "r2")

    for one in (registry, TinyRegistry(path, vault)):
        assert (await one.fact("setup_room"), await one.fact("api_token")) == ("r2", "t1")


async def test_no_secret_is_in_the_file(registry: TinyRegistry, path: Path) -> None:
    await registry.put_number(SHOP)
    await registry.put_session(SESSION)
    await registry.set_fact("api_token", "the-api-token")

    content = read(path)

    for secret in (SHOP.api_key, SHOP.hook_path, SHOP.hook_secret, "typed-api-key", "the-api-token"):
        assert secret not in content
    assert SHOP.phone in content
    assert mode(path) == 0o600


async def test_changes_at_the_same_time_are_all_kept(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await asyncio.gather(*(registry.set_fact(f"f{n}", str(n)) for n in range(12)))

    again = TinyRegistry(path, vault)
    assert [await again.fact(f"f{n}") for n in range(12)] == [str(n) for n in range(12)]


async def test_a_change_that_was_begun_is_made_though_nobody_waits_for_it_any_more(
    registry: TinyRegistry, path: Path, vault: Vault
) -> None:
    await registry.put_number(SHOP)
    change = asyncio.create_task(registry.put_number(OTHER))
    await asyncio.sleep(0)
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change

    for one in (registry, TinyRegistry(path, vault)):
        assert await one.numbers() == [SHOP, OTHER]


async def test_a_failed_write_changes_nothing(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.put_number(SHOP)
    before = read(path)
    (path.parent / "registry.json.new").mkdir()  # the name under which the next version would be written

    with pytest.raises(StorageError, match=str(path)):
        await registry.put_number(OTHER)

    assert read(path) == before
    assert await registry.numbers() == [SHOP]
    (path.parent / "registry.json.new").rmdir()
    await registry.put_number(OTHER)
    assert await registry.numbers() == [SHOP, OTHER]


async def test_a_version_that_was_left_half_written_is_ignored(
    registry: TinyRegistry, path: Path, vault: Vault
) -> None:
    await registry.put_number(SHOP)
    write(path.with_name("registry.json.new"), '{"numbers": {"1": {"id": "49')

    again = TinyRegistry(path, vault)
    await again.put_number(OTHER)

    assert await again.numbers() == [SHOP, OTHER]


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"numbers": {"1": {"id": "49',
        "[]",
        '{"numbers": []}',
        '{"numbers": {"1": []}}',
        '{"numbers": {"1": {"id": "49"}}}',
        '{"facts": {"1": {"name": "x", "sealed": 5}}}',
        '{"about": {"1": {"version": "new"}}}',
        '{"numbers": {"x": {"id": "49"}}}',
        "[" * 100_000,
    ],
)
async def test_a_damaged_file_is_named_and_left_as_it_is(path: Path, vault: Vault, content: str) -> None:
    write(path, content)

    with pytest.raises(StorageError, match=str(path)):
        TinyRegistry(path, vault)

    assert read(path) == content


async def test_a_file_that_was_damaged_meanwhile_is_not_written_over(registry: TinyRegistry, path: Path) -> None:
    await registry.put_number(SHOP)
    write(path, "torn")

    with pytest.raises(StorageError, match=str(path)):
        await registry.put_number(OTHER)

    assert read(path) == "torn"


async def test_a_file_of_another_key_is_refused(registry: TinyRegistry, path: Path, tmp_path: Path) -> None:
    await registry.put_number(SHOP)

    with pytest.raises(StorageError, match="key"):
        TinyRegistry(path, Vault(tmp_path / "other.key"))


async def test_a_file_of_a_newer_version_is_refused(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.put_number(SHOP)
    data = json.loads(read(path))
    data["about"]["1"]["version"] += 1
    write(path, json.dumps(data))

    with pytest.raises(StorageError, match="newer"):
        TinyRegistry(path, vault)


async def test_fields_that_a_later_version_added_are_left_out(registry: TinyRegistry, path: Path, vault: Vault) -> None:
    await registry.put_number(SHOP)
    data = json.loads(read(path))
    data["numbers"]["1"]["colour"] = "green"
    del data["numbers"]["1"]["welcome_message"]
    write(path, json.dumps(data))

    assert await TinyRegistry(path, vault).numbers() == [replace(SHOP, welcome_message="")]
