"""Orders of templates: once each, few at a time, nobody waits for anybody's trouble, agents least of all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import NotOnWhatsApp, PairLimited, Unreachable, Unsure
from bot.model import NumberId
from bot.ports import Entry, Journal, Outcome
from bot.relay.places import PLACES
from bot.relay.targets import Target
from bot.relay.template_orders import AT_ONCE, FEW, ORDER_LANES, Order, Orders, is_few, order_of
from bot.relay.worker import Worker
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from tests.contract.journals import ManualClock
from tests.relay.at_work import at_work, nobody

NUMBER = NumberId("4915112345678")


def order(n: int, id: str = "o1", number: NumberId = NUMBER, room: str = "") -> Order:
    return Order(
        id, number, {"name": "hello", "language": {"code": "en"}}, tuple(f"49170{k:07}" for k in range(n)),
        room=room, target=Target("zoe", "d1"),
    )  # fmt: skip


class House:
    """Orders and a worker on a real journal; `send` does to a recipient what a test says."""

    def __init__(self, journal: Journal, clock: ManualClock) -> None:
        self.journal, self.clock = journal, clock
        self.orders = Orders(journal, clock)
        self.seen: dict[str, int] = {}
        self.error: dict[str, Exception] = {}
        self.away = False
        self.gate = asyncio.Event()
        """Only behind it anything comes to an end."""
        self.gate.set()
        self.full = asyncio.Event()
        """As many were tried as may be under way at once."""
        handlers = {"template.order": self.orders, "template.send": self.send}
        self.worker = Worker(journal, handlers, clock, nobody)  # type: ignore[arg-type]  # two kinds are all there is

    async def send(self, entry: Entry) -> Outcome:
        self.seen[entry.key] = self.seen.get(entry.key, 0) + 1
        if len(self.seen) >= AT_ONCE:
            self.full.set()
        await self.gate.wait()
        if self.away:
            raise Unreachable
        if entry.key in self.error:
            raise self.error[entry.key]
        return Outcome({"wamids": ["w"]})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = ManualClock()
    async with SqliteJournal(tmp_path, Vault(tmp_path / "key"), clock) as journal:
        yield House(journal, clock)


async def all_closed(house: House, *orders: Order) -> None:
    async with asyncio.timeout(10):
        for one in orders:
            for key in one.send_keys():
                await house.journal.closed(key, 3600.0)


def test_an_order_survives_being_written_down() -> None:
    assert Order.of(order(3).document()) == order(3)


def test_a_key_tells_its_order_and_how_many_belong_to_it() -> None:
    few, many = order(FEW).send_keys()[0], order(FEW + 1).send_keys()[0]

    assert is_few(few) and not is_few(many)
    assert order_of(few) == order_of(many) == "o1"


def test_bulk_leaves_room_for_conversations() -> None:
    assert ORDER_LANES * (AT_ONCE + 1) < 0.6 * PLACES
    lanes = {order(9, number=NumberId(str(n))).entries()[0].lane for n in range(1000)}
    assert len(lanes) == ORDER_LANES


async def test_every_recipient_gets_it_once_whatever_is_repeated(house: House) -> None:
    one = order(40)
    assert await house.orders.give(one)
    assert not await house.orders.give(one)
    async with at_work(house.worker):
        await all_closed(house, one)
        assert not await house.orders.give(one)

    assert house.seen == dict.fromkeys(one.send_keys(), 1)


async def test_few_of_a_persons_go_at_once_and_many_little_by_little(house: House) -> None:
    assert [entry.kind for entry in order(FEW, room="r").entries()] == ["template.send"] * FEW
    assert [entry.kind for entry in order(FEW + 1, room="r").entries()] == ["template.order"]
    assert [entry.kind for entry in order(1).entries()] == ["template.order"], "a program's requests may be thousands"


async def test_recipients_have_lanes_of_their_own(house: House) -> None:
    assert len({entry.lane for entry in order(250).sends()}) == 250


async def test_while_360dialog_is_away_only_a_few_are_tried(house: House) -> None:
    house.away = True
    one, other = order(100), order(100, id="o2")
    await house.orders.give(one)
    await house.orders.give(other)
    async with at_work(house.worker):
        await asyncio.wait_for(house.full.wait(), 10)
        for _ in range(12):
            await house.clock.asleep()
            house.clock.advance(5.0)
        tried = len(house.seen)
        house.away = False
        finished = asyncio.create_task(all_closed(house, one, other))
        while not finished.done():
            house.clock.advance(30.0)
            await asyncio.sleep(0.005)
        await finished

    assert tried <= AT_ONCE + 2, tried
    assert len(house.seen) == 200


async def test_one_persons_trouble_stops_nobody_else(house: House) -> None:
    one = order(60)
    house.error = {one.send_keys()[0]: PairLimited(), one.send_keys()[1]: NotOnWhatsApp("gone")}
    await house.orders.give(one)
    async with at_work(house.worker), asyncio.timeout(10):
        for key in one.send_keys()[1:]:
            await house.journal.closed(key, 3600.0)

    assert (await house.journal.counts())["done"] == 59  # 58 recipients, and the order itself


async def test_who_waits_longest_is_not_waited_for(house: House) -> None:
    one = order(60)
    house.error = {one.send_keys()[0]: PairLimited()}
    house.gate.clear()
    await house.orders.give(one)
    async with at_work(house.worker), asyncio.timeout(10):
        await house.full.wait()
        await house.clock.asleep()
        house.gate.set()
        for key in one.send_keys()[1:]:
            await house.journal.closed(key, 3600.0)


async def test_who_was_erased_meanwhile_takes_no_place(house: House) -> None:
    one = order(60)
    house.away = True
    await house.orders.give(one)
    async with at_work(house.worker), asyncio.timeout(10):
        await house.full.wait()
        for key, to in list(zip(one.send_keys(), one.recipients, strict=True))[:AT_ONCE]:
            stored = await house.journal.find(key)
            while stored is not None and not stored.entry.tries:
                stored = await house.journal.find(key)
            await house.journal.erase(to)
        house.away = False
        for key in one.send_keys()[AT_ONCE:]:
            while await house.journal.closed(key, 0.0) is None:
                house.clock.advance(1.0)
                await asyncio.sleep(0)


async def test_results_say_what_became_of_each(house: House) -> None:
    one = order(4, room="r")
    troubles = (NotOnWhatsApp("gone"), Unsure(), PairLimited())
    house.error = dict(zip(one.send_keys()[1:], troubles, strict=True))
    await house.orders.give(one)
    async with at_work(house.worker):
        await house.journal.closed(one.send_keys()[0], 60.0)
        await house.journal.closed(one.send_keys()[1], 60.0)
        asking = asyncio.create_task(house.orders.results(one, 8.0))
        while not asking.done():
            house.clock.advance(1.0)
            await asyncio.sleep(0.005)

    assert [result.state for result in asking.result()] == ["sent", "failed", "waiting", "waiting"]
    assert asking.result()[1].why.startswith("NotOnWhatsApp")


async def test_a_stop_does_not_wait_for_a_bulk(house: House) -> None:
    house.away = True
    await house.orders.give(order(100))
    running = asyncio.create_task(house.worker.run())
    async with asyncio.timeout(10):
        await house.full.wait()
        house.orders.stopping.set()
        await house.worker.stop(3600.0)
        await running
