"""What the registry in a file promises besides: the file is private, never half written, and never written over."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bot.storage.files import StorageError
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from tests.contract.registries import OTHER, SESSION, SHOP


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


async def test_nothing_is_written_before_there_is_something_to_keep(registry: TinyRegistry, path: Path) -> None:
    assert await registry.numbers() == []
    assert not is_there(path)


async def test_no_secret_is_in_the_file(registry: TinyRegistry, path: Path) -> None:
    await registry.put_number(SHOP)
    await registry.put_session(SESSION)
    await registry.set_fact("api_token", "the-api-token")

    content = read(path)

    for secret in (SHOP.api_key, SHOP.hook_path, SHOP.hook_secret, "typed-api-key", "the-api-token"):
        assert secret not in content
    assert SHOP.phone in content
    assert mode(path) == 0o600


async def test_what_is_in_memory_is_what_the_next_start_reads(path: Path, vault: Vault) -> None:
    registry = TinyRegistry(path, vault)
    for name in ("a", "b", "c"):
        await registry.put_session({**SESSION, "id": name, "answers": ("a tuple", 1)})
        await registry.set_fact(name, "before")
        await registry.set_fact(name, "after")
    await registry.remove_session("b")
    await registry.put_session({**SESSION, "id": "a", "secrets": {}})
    await registry.put_number(SHOP)
    await registry.put_number(OTHER)
    await registry.put_number(replace(SHOP, name="Another name"))
    await registry.remove_number(OTHER.id)

    anew = TinyRegistry(path, vault)
    assert anew.all() == registry.all() == ((replace(SHOP, name="Another name"),), dict.fromkeys("abc", "after"))
    assert await anew.sessions() == await registry.sessions()
    assert [one["id"] for one in await anew.sessions()] == ["a", "c"]


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
