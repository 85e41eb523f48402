"""Any history of calls and crashes leaves the journal where a model of thirty lines says it should be."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.ports import Entry, Outcome, Step
from tests.contract.journals import STORES, ManualClock, entry

KEYS = [f"k{n}" for n in range(12)]
LANES = ["A", "B", "C"]
New = tuple[str, str, int, int]
"""Key, lane, at_ms, rest."""
NEW = st.tuples(st.sampled_from(KEYS), st.sampled_from(LANES), st.integers(0, 3), st.sampled_from([0, 0, 2]))


def made(new: New) -> Entry:
    key, lane, at_ms, rest = new
    return entry(key, lane, at_ms, rest=rest)


@dataclass
class Waits:
    """What the model knows of one entry."""

    key: str
    lane: str
    order: tuple[int, int]
    state: str = "waiting"
    begun: bool = False
    due: float = 0.0
    tries: int = 0
    confirming: bool = False
    steps: dict[int, str] = field(default_factory=dict)
    taken_with: dict[int, str] = field(default_factory=dict)


class Machine(RuleBasedStateMachine):
    def __init__(self, store: str) -> None:
        super().__init__()
        self.store = store
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="journal-model-")
        self.clock = ManualClock()
        self.known: dict[str, Waits] = {}
        self.held: dict[str, Entry] = {}
        self.arrived = 0
        self.opened = AsyncExitStack()
        self.start()

    def start(self) -> None:
        store = STORES[self.store](Path(self.folder.name))
        self.journal = self.runner.run(self.opened.enter_async_context(store.open(self.clock)))

    def teardown(self) -> None:
        self.runner.run(self.opened.aclose())
        self.runner.close()
        self.folder.cleanup()

    # --- the model ---

    def head(self, lane: str) -> Waits | None:
        waiting = [one for one in self.known.values() if one.lane == lane and one.state == "waiting"]
        return min(waiting, key=lambda one: (not one.begun, one.order), default=None)

    def takeable(self) -> set[str]:
        heads = (self.head(lane) for lane in LANES if lane not in self.held)
        return {one.key for one in heads if one is not None and one.due <= self.clock.now()}

    def pick(self, number: int) -> tuple[Entry, Waits]:
        lane = sorted(self.held)[number % len(self.held)]
        taken = self.held[lane]
        return taken, self.known[taken.key]

    def let_go(self, taken: Entry) -> None:
        del self.held[taken.lane]

    # --- what happens ---

    @rule(what=st.lists(NEW, max_size=4))
    def append(self, what: list[New]) -> None:
        assert self.runner.run(self.journal.append(*map(made, what))) == self.entered(what)

    def entered(self, what: list[New]) -> int:
        expected = 0
        for key, lane, at_ms, rest in what:
            if key not in self.known:
                self.arrived += 1
                expected += 1
                due = self.clock.now() + rest if rest else 0.0
                self.known[key] = Waits(key, lane, (at_ms, self.arrived), due=due)
        return expected

    @rule(limit=st.integers(1, 4))
    def heads(self, limit: int) -> None:
        could = self.takeable()
        taken = self.runner.run(self.journal.heads(limit))

        assert len(taken) == min(limit, len(could))
        assert {one.key for one in taken} <= could
        for one in taken:
            known = self.known[one.key]
            assert (one.tries, one.confirming) == (known.tries, known.confirming)
            assert {part: step.state for part, step in one.steps.items()} == known.steps
            known.taken_with = dict(known.steps)
            self.held[one.lane] = one

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 2), part=st.integers(0, 1), state=st.sampled_from(["handed", "out"]))
    def progress(self, number: int, part: int, state: str) -> None:
        taken, known = self.pick(number)
        step = Step("handed") if state == "handed" else Step("out", "w")
        self.runner.run(self.journal.progress(taken, part, step))

        if known.steps.get(part) != "out":
            known.steps[part] = state
        known.begun = True

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 2), then=st.lists(NEW, max_size=2))
    def done(self, number: int, then: list[New]) -> None:
        taken, known = self.pick(number)
        self.runner.run(self.journal.done(taken, Outcome({"key": taken.key}, then=tuple(map(made, then)))))

        known.state = "done"
        self.let_go(taken)
        self.entered(then)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 2), after=st.integers(0, 3), confirm=st.booleans())
    def again(self, number: int, after: int, confirm: bool) -> None:
        taken, known = self.pick(number)
        self.runner.run(self.journal.again(taken, after, "why", confirm=confirm))

        if not confirm:
            self.forget_refused(known)
        self.put_back(known, after, confirm)
        self.let_go(taken)

    def forget_refused(self, known: Waits) -> None:
        known.steps = {n: s for n, s in known.steps.items() if s == "out" or n in known.taken_with}

    def put_back(self, known: Waits, after: float, confirm: bool) -> None:
        unsure = "handed" in known.steps.values()
        settled = confirm and bool(known.steps) and not unsure
        known.begun, known.tries = True, known.tries + 1
        known.due = 0.0 if settled else self.clock.now() + after
        known.confirming = (confirm and not settled) or (known.confirming and unsure)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 2), sure=st.booleans())
    def park(self, number: int, sure: bool) -> None:
        taken, known = self.pick(number)
        self.runner.run(self.journal.park(taken, "why", sure=sure))

        if any(was == "handed" and known.steps[part] == "out" for part, was in known.taken_with.items()):
            self.put_back(known, 0.0, True)
        else:
            known.state, known.begun = "dead", False
            if sure:
                self.forget_refused(known)
        self.let_go(taken)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 2))
    def release(self, number: int) -> None:
        taken, _ = self.pick(number)
        self.runner.run(self.journal.release(taken))
        self.let_go(taken)

    @rule(key=st.sampled_from(KEYS), part=st.integers(0, 1))
    def confirm(self, key: str, part: int) -> None:
        found = self.runner.run(self.journal.confirm(key, part, "w"))

        known = self.known.get(key)
        if known is None or known.state == "done" or part not in known.steps:
            assert not found
        elif known.steps[part] == "out":
            assert found == (known.state == "waiting")
        else:
            assert found
            known.steps[part], known.begun = "out", True
            if "handed" not in known.steps.values() and (known.confirming or known.state == "dead"):
                known.tries = 0 if known.state == "dead" else known.tries
                known.state, known.confirming, known.due = "waiting", False, 0.0

    @rule(key=st.sampled_from(KEYS))
    def retry(self, key: str) -> None:
        found = self.runner.run(self.journal.retry(key))

        known = self.known.get(key)
        assert found == (known is not None and known.state == "dead")
        if found and known is not None:
            known.steps = {part: state for part, state in known.steps.items() if state == "out"}
            lane = [one for one in self.known.values() if one.lane == known.lane and one.state == "waiting"]
            between = any(one.begun and one.steps and one.order > known.order for one in lane)
            known.begun = bool(known.steps) or not between
            known.state, known.tries, known.due = "waiting", 0, 0.0
            known.confirming = False

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def crash(self) -> None:
        """What is held is known to the process alone; that the file survives a kill is proved in tests/crash."""
        self.runner.run(self.opened.aclose())
        self.held.clear()
        self.start()

    @invariant()
    def everything_is_somewhere(self) -> None:
        counts = dict(self.runner.run(self.journal.counts()))
        states = [one.state for one in self.known.values()]

        assert counts == {"aside": 0} | {state: states.count(state) for state in ("waiting", "done", "dead")}


@pytest.mark.parametrize("store", STORES)
def test_any_history_leaves_the_journal_where_the_model_says(store: str) -> None:
    class OfStore(Machine):
        def __init__(self) -> None:
            super().__init__(store)

    examples = 12 if store == "postgres" else 40  # each opens several connections
    run_state_machine_as_test(OfStore, settings=settings(max_examples=examples, stateful_step_count=40))
