"""The real program, killed with -9 in the middle of traffic: the short form of `make crash`.

`CRASH_SEED=…` repeats a run that failed."""

import os
import random

import pytest

from tests.crash.lives import TRANSITIONS, Death, deaths
from tests.crash.traffic import crash_run

SEED = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(10_000))


async def test_nothing_is_lost_doubled_or_out_of_order_however_often_the_bot_is_killed() -> None:
    found = await crash_run(SEED, kills=6, conversations=4, pause=0.4, pace=0.3, confirm_after=2)
    assert found.clean, f"CRASH_SEED={SEED}\n{found.table()}"
    assert found.written > 12, "next to no traffic"


async def test_two_bots_on_one_database_of_which_one_is_always_just_dying() -> None:
    found = await crash_run(SEED, kills=2, conversations=3, pause=0.5, pace=0.3, replicas=2, confirm_after=2)
    assert found.clean, f"CRASH_SEED={SEED}\n{found.table()}"
    assert found.written > 12, "next to no traffic"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_long_run_dies_at_every_transition_and_the_seed_repeats_the_schedule(when: str) -> None:
    long = deaths(random.Random(SEED), 1000)
    for method in TRANSITIONS:
        assert len([death for death in long if (death.method, death.when) == (method, when)]) > 20
    assert len([death for death in long if death == Death()]) > 400
    assert deaths(random.Random(SEED), 1000) == long
