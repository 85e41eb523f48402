"""Where the answer to a template goes, and under which id WhatsApp knows a typed number."""

from dataclasses import replace
from typing import cast

import pytest

from bot.errors import NotAllowed
from bot.model import ContactId, Conversation, Number, NumberId, VisitorToken
from bot.ports import Journal, Workspace
from bot.relay.targets import LIFE, Route, Target, Targets
from tests.contract.journals import ManualClock

NUMBER = Number(NumberId("4915112345678"), "+4915112345678", "key", "path", "secret", department="own")
WITH = Conversation(NUMBER.id, ContactId("554188887777"), VisitorToken("t"), phone="+554188887777")
TYPED = "5541988887777"


class Agents:
    def __init__(self) -> None:
        self.available = {"zoe": "idOfZoe"}
        self.allowed = True
        self.deserted: set[str] = set()

    async def agent(self, username: str, *, available: bool = False) -> str | None:
        assert available
        if not self.allowed:
            raise NotAllowed
        return self.available.get(username)

    async def takes_conversations(self, department: str) -> bool:
        return department not in self.deserted


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture
def targets(journal: Journal, clock: ManualClock, agents: Agents) -> Targets:
    return Targets(journal, cast(Workspace, agents), clock)


async def test_without_a_target_everything_is_as_usual(targets: Targets) -> None:
    assert await targets.route(WITH, NUMBER) == Route()


async def test_the_agent_gets_the_next_room_and_only_that_one(targets: Targets) -> None:
    await targets.remember(NUMBER.id, WITH.contact, Target(agent="zoe"))
    route = await targets.route(WITH, NUMBER)
    assert route == Route(agent="idOfZoe", target=True)
    assert await targets.route(WITH, NUMBER) == route, "as long as no room was opened"
    await targets.followed(WITH, route, NUMBER)

    assert await targets.route(WITH, NUMBER) == Route()


async def test_who_is_away_or_unknown_is_passed_over_for_the_department(targets: Targets, agents: Agents) -> None:
    await targets.remember(NUMBER.id, WITH.contact, Target(agent="zoe", department="d1"))
    agents.available = {}
    assert await targets.route(WITH, NUMBER) == Route(department="d1", target=True)
    agents.allowed = False
    assert await targets.route(WITH, NUMBER) == Route(department="d1", target=True)


async def test_after_another_department_the_numbers_own_comes_back(targets: Targets) -> None:
    """The department is a property of the visitor and would stay."""
    await targets.remember(NUMBER.id, WITH.contact, Target(department="d1"))
    await targets.followed(WITH, await targets.route(WITH, NUMBER), NUMBER)
    back = await targets.route(WITH, NUMBER)
    assert back == Route(department="own")
    await targets.followed(WITH, back, NUMBER)

    assert await targets.route(WITH, NUMBER) == Route()


async def test_a_deserted_department_is_passed_over(targets: Targets, agents: Agents) -> None:
    await targets.remember(NUMBER.id, WITH.contact, Target(department="d1"))
    agents.deserted = {"d1"}

    assert await targets.route(WITH, NUMBER) == Route(target=True)


def test_every_refusal_leads_on_and_ends_at_the_numbers_own_department() -> None:
    wished = Route(agent="a", department="d1", target=True)

    assert list(wished.with_fallbacks("own")) == [
        wished, Route(department="d1", target=True), Route(department="own", target=True)
    ]  # fmt: skip
    assert list(Route().with_fallbacks("own")) == [Route()]


async def test_a_target_does_not_live_for_ever(targets: Targets, clock: ManualClock) -> None:
    await targets.remember(NUMBER.id, WITH.contact, Target(agent="zoe"))
    clock.advance(LIFE + 1)

    assert await targets.route(WITH, NUMBER) == Route()


async def test_the_id_that_came_back_is_the_person(targets: Targets, journal: Journal) -> None:
    await targets.remember(NUMBER.id, TYPED, Target(agent="zoe"))
    assert await targets.whom(NUMBER.id, TYPED) is None
    await targets.heard(NUMBER.id, TYPED, WITH.contact)
    await journal.remember(WITH)

    found = await targets.whom(NUMBER.id, TYPED)
    assert found is not None and found.contact == WITH.contact
    assert (await targets.route(WITH, NUMBER)).agent == "idOfZoe", "what was meant for the typed number is theirs"


async def test_another_number_of_ours_knows_nothing_of_it(targets: Targets, journal: Journal) -> None:
    await targets.heard(NUMBER.id, TYPED, WITH.contact)
    await journal.remember(replace(WITH, number=NumberId("49999")))

    assert await targets.whom(NUMBER.id, TYPED) is None


async def test_nothing_is_guessed(targets: Targets, journal: Journal) -> None:
    """Brazil: with and without the ninth digit may be two people."""
    await journal.remember(WITH)
    assert await targets.whom(NUMBER.id, TYPED) is None
    await targets.heard(NUMBER.id, TYPED, "")
    await targets.heard(NUMBER.id, TYPED, TYPED)

    assert await targets.whom(NUMBER.id, TYPED) is None
