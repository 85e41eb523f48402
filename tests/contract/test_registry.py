"""What every registry promises: numbers, form sessions and facts are kept, and found again by whoever opens it next."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model import NumberId
from bot.ports import Registry
from tests.contract.registries import OTHER, SESSION, SHOP, STORES, Store


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def registry(store: Store) -> AsyncIterator[Registry]:
    async with store.open() as opened:
        yield opened


async def seen(registry: Registry, store: Store) -> AsyncIterator[Registry]:
    """The registry, and another one that was opened just now."""
    yield registry
    async with store.open() as another:
        yield another


async def test_an_empty_registry_knows_nothing(registry: Registry) -> None:
    assert await registry.numbers() == []
    assert await registry.number(SHOP.id) is None
    assert await registry.number_of_hook("") is None
    assert await registry.sessions() == []
    assert await registry.fact("x") is None


async def test_numbers_are_kept_replaced_and_removed(registry: Registry, store: Store) -> None:
    await registry.put_number(SHOP)
    await registry.put_number(OTHER)
    renewed = replace(SHOP, api_key="a-new-key", department="")
    await registry.put_number(renewed)

    async for one in seen(registry, store):
        assert await one.numbers() == [renewed, OTHER]
        assert await one.number(SHOP.id) == renewed

    await registry.remove_number(SHOP.id)
    await registry.remove_number(NumberId("unheard of"))

    async for one in seen(registry, store):
        assert await one.numbers() == [OTHER]


async def test_of_a_disconnected_number_only_the_address_is_still_known(registry: Registry, store: Store) -> None:
    gone = replace(SHOP, api_key="", connected_at=0.0, disconnected_at=5.0)
    await registry.put_number(OTHER)
    await registry.put_number(gone)

    async for one in seen(registry, store):
        assert await one.numbers() == [OTHER]
        assert await one.number(SHOP.id) is None
        assert await one.former(SHOP.id) == await one.number_of_hook(SHOP.hook_path) == gone
        assert await one.former(OTHER.id) is None

    await registry.put_number(SHOP)
    async for one in seen(registry, store):
        assert (await one.former(SHOP.id), await one.number(SHOP.id)) == (None, SHOP)


async def test_a_number_is_found_by_its_whole_hook_path(registry: Registry) -> None:
    await registry.put_number(SHOP)
    await registry.put_number(OTHER)

    assert await registry.number_of_hook(SHOP.hook_path) == SHOP
    assert await registry.number_of_hook(OTHER.hook_path) == OTHER
    for wrong in ("", SHOP.hook_path[:-1], SHOP.hook_path + "x", "ä\ud83d"):
        assert await registry.number_of_hook(wrong) is None


async def test_sessions_are_kept_whole_and_replaced_whole(registry: Registry, store: Store) -> None:
    await registry.put_session(SESSION)
    assert await registry.sessions() == [SESSION]

    shorter = {"id": "s1", "form": "connect", "secrets": {}}
    await registry.put_session(shorter)
    await registry.put_session({**SESSION, "id": "s2"})

    async for one in seen(registry, store):
        assert await one.sessions() == [shorter, {**SESSION, "id": "s2"}]
        assert await one.sessions(lambda stored: stored.get("expires") == 17.5) == [{**SESSION, "id": "s2"}]
        assert await one.sessions(lambda stored: stored["id"] == "s3") == []

    await registry.remove_session("s1")
    assert [session["id"] for session in await registry.sessions()] == ["s2"]


async def test_facts_are_kept(registry: Registry, store: Store) -> None:
    await registry.set_fact("setup_room", "r1")
    await registry.set_fact("api_token", "t1")
    await registry.set_fact("setup_room", "r2")

    async for one in seen(registry, store):
        assert (await one.fact("setup_room"), await one.fact("api_token")) == ("r2", "t1")


async def test_changes_at_the_same_time_are_all_kept(registry: Registry, store: Store) -> None:
    await asyncio.gather(*(registry.set_fact(f"f{n}", str(n)) for n in range(12)))

    async for one in seen(registry, store):
        assert [await one.fact(f"f{n}") for n in range(12)] == [str(n) for n in range(12)]


async def test_a_change_that_was_begun_is_made_though_nobody_waits_for_it_any_more(
    registry: Registry, store: Store
) -> None:
    await registry.put_number(SHOP)
    change = asyncio.create_task(registry.put_number(OTHER))
    await asyncio.sleep(0)
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change

    async for one in seen(registry, store):
        assert await one.numbers() == [SHOP, OTHER]


async def test_sessions_are_found_by_room_and_by_id(registry: Registry) -> None:
    for id, room in (("a", "r1"), ("b", "r2"), ("c", "r1"), ("d", "r\x001")):
        await registry.put_session({**SESSION, "id": id, "room": room})
    await registry.put_session({**SESSION, "id": "nowhere"})
    await registry.put_session({**SESSION, "id": "b", "room": "r2", "expires": 18.0})

    async def found(*, id: str | None = None, room: str | None = None) -> list[str]:
        return [session["id"] for session in await registry.sessions(id=id, room=room)]

    assert await found(room="r1") == ["a", "c"]
    assert await found(room="r\x001") == ["d"]
    assert await found(room="r3") == []
    assert await registry.sessions(id="b") == [{**SESSION, "id": "b", "room": "r2", "expires": 18.0}]
    assert await found(id="b", room="r1") == []
    assert await found(id="e") == []
    assert await registry.sessions(lambda stored: stored["id"] == "c", room="r1") == [
        {**SESSION, "id": "c", "room": "r1"}
    ]
    assert await registry.sessions(lambda stored: stored["id"] == "b", room="r1") == []
