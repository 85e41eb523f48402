"""Which mark an agent's message bears."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.relay.statuses import later
from bot.relay.ticks import MARKS, TICKS, of_parts
from bot.whatsapp.short_codes import codes, to_unicode

ORDER = ["", "sent", "delivered", "read"]
STATES = st.sampled_from(["", "sent", "delivered", "read", "played", "failed", "in_orbit"])


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([], ""),
        ([""], ""),
        (["sent"], "sent"),
        (["played"], "read"),
        (["read", "delivered"], "delivered"),
        (["read", ""], ""),
        (["failed", ""], "failed"),
        (["read", "failed"], "failed"),
    ],
)
def test_the_least_part_counts_and_any_failure(states: list[str], shown: str) -> None:
    assert of_parts(states) == shown


@given(st.lists(st.tuples(st.integers(0, 2), STATES), max_size=20))
def test_without_a_failure_it_never_goes_back(news: list[tuple[int, str]]) -> None:
    parts, seen = ["", "", ""], [""]
    for part, state in news:
        if state != "failed":
            parts[part] = later(parts[part], state)
            seen.append(of_parts(parts))
    assert seen == sorted(seen, key=ORDER.index)


@given(st.permutations(["sent", "delivered", "read"]), st.permutations(["sent", "delivered"]))
def test_the_order_in_which_statuses_come_changes_nothing(one: list[str], other: list[str]) -> None:
    parts = [list(itertools.accumulate(states, later, initial=""))[-1] for states in (one, other)]
    assert of_parts(parts) == "delivered"


def test_the_first_name_that_is_tried_is_in_both_lists_of_rocketchat() -> None:
    """emojione (8.3) and emojibase (later) have each of these."""
    assert [codes(mark)[0] for mark in MARKS.values()] == [":outbox_tray:", ":inbox_tray:", ":eyes:", ":x:"]


def test_each_state_has_a_mark_of_its_own_that_reads_back() -> None:
    assert [to_unicode(codes(mark)[0]) for mark in MARKS.values()] == list(MARKS.values())
    assert sum(len(codes(mark)) for mark in MARKS.values()) == len(TICKS)
