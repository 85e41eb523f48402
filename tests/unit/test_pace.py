"""Turns of a number: below WhatsApp's limit whatever comes, and no reply of an agent waits for bulk."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.dialog360.limits import Limits
from bot.whatsapp.pace import BULK, RECOVERY, Hold, Pace, Turns

AT_ONCE = 32
"""Recipients of orders that are under way together."""


def sent(pace: Pace, replies: Iterable[float], bulk: int) -> Iterator[tuple[float, float, bool]]:
    """When each message was wished, when it left, and whether it was bulk; in the order in which they leave.

    Each of bulk's places takes its next recipient as soon as its last one has left.
    """
    order, left = count(), bulk
    events: list[tuple[float, int, str, float]] = [(at, next(order), "reply", at) for at in replies]
    events += [(0.0, next(order), "bulk", 0.0) for _ in range(min(bulk, AT_ONCE))]
    heapq.heapify(events)
    while events:
        now, _, what, wished = heapq.heappop(events)
        match what:
            case "bulk":
                heapq.heappush(events, (now + pace.bulk(now), next(order), "bulk's turn", wished))
            case "reply" | "bulk's turn":
                leaves = "reply left" if what == "reply" else "bulk left"
                heapq.heappush(events, (now + pace.turn(now), next(order), leaves, wished))
            case _:
                yield wished, now, what == "bulk left"
                if what == "bulk left":
                    left -= 1
                    if left >= AT_ONCE:
                        heapq.heappush(events, (now, next(order), "bulk", now))


@given(
    limit=st.integers(1, 1000),
    replies=st.lists(st.floats(0, 5), max_size=300),
    bulk=st.integers(0, 200),
)
def test_whatever_is_wished_whatsapp_never_refuses(limit: int, replies: list[float], bulk: int) -> None:
    judge = Limits()
    judge.mps = limit
    leaving = list(sent(Pace(limit), replies, bulk))

    for number, (_, at, _) in enumerate(leaving):
        judge.send("number", f"customer {number}", at)  # raises when it is too much

    assert len(leaving) == len(replies) + bulk


@given(
    limit=st.integers(20, 1000),
    lives=st.lists(st.tuples(st.floats(0, 4), st.floats(0.1, 4)), min_size=1, max_size=4),
    bulk=st.booleans(),
)
def test_bots_that_share_a_number_come_and_go_and_whatsapp_never_refuses_all_of_them_together(
    limit: int, lives: list[tuple[float, float]], bulk: bool
) -> None:
    """Each sends as fast as it may, for as long as it lives, and counts the dead for a moment as it does in earnest."""
    spans = [(born, born + life) for born, life in lives]
    paces = [Pace(limit) for _ in spans]
    judge = Limits()
    judge.mps = limit
    customers = count()
    events = [(born, number, False) for number, (born, _) in enumerate(spans)]
    heapq.heapify(events)
    while events:
        now, number, leaves = heapq.heappop(events)
        if leaves:
            judge.send("number", f"customer {next(customers)}", now)  # raises when it is too much
        if now < spans[number][1]:
            bots = sum(born <= now < dead + 3 for born, dead in spans)
            wait = paces[number].bulk(now, bots) if bulk else 0.0
            heapq.heappush(events, (now + wait + paces[number].turn(now + wait, bots), number, True))


@pytest.mark.parametrize("bots", [1, 2, 4, 16])
def test_bots_that_share_a_number_use_all_of_its_pace_together(bots: int) -> None:
    pace, now, left = Pace(80), 0.0, 0
    while now < 60:
        now += pace.turn(now, bots)
        left += 1

    assert 0.98 * 64 * 60 < left * bots < 1.02 * 64 * 60 + 16


def test_a_count_of_bots_that_cannot_be_right_brings_nobody_to_a_standstill() -> None:
    pace = Pace(80)
    waits = [pace.turn(0.0, bots) for bots in (0, -3, 10**9, 10**9, 10**9)]

    assert all(0 <= wait < 1 for wait in waits)


def test_who_is_told_how_long_to_wait_waits_so_long_and_believes_no_more_than_an_hour() -> None:
    hold = Hold()
    assert hold.left(100.0) == 0

    hold.ask(100.0, 30.0)
    hold.ask(100.5, 5.0)  # what was under way together: the longest counts
    assert hold.left(101.0) == 29.0
    assert hold.left(130.0) == 0

    for wrong in (float("nan"), -5.0, 0.0):
        hold.ask(200.0, wrong)
        assert hold.left(200.0) == 0
    hold.ask(300.0, 10.0**9)
    assert hold.left(300.0) == 3600.0


def test_a_clock_that_was_put_back_lengthens_no_hold() -> None:
    hold = Hold()
    hold.ask(10_000.0, 30.0)

    assert hold.left(9_000.0) == 0


def test_uploads_have_turns_of_their_own_which_bots_share_too() -> None:
    paces, judge = [Pace(80), Pace(80)], Limits()
    events = [(0.0, number, False) for number in range(2)]
    while min(events)[0] < 5:
        now, number, leaves = heapq.heappop(events)
        if leaves:
            judge.upload("number", now)
        heapq.heappush(events, (now + paces[number].upload(now, 2), number, True))


def test_ten_thousand_templates_never_delay_a_reply_by_a_second() -> None:
    """Thirty replies a second: what bulk leaves free of the pace of 64 a second."""
    replies = [10 + n / 30 for n in range(3000)]
    leaving = list(sent(Pace(80), replies, 10_000))

    late = [left - wished for wished, left, bulk in leaving if not bulk]
    assert len(late) == 3000
    assert max(late) < 0.1
    assert max(left for _, left, bulk in leaving if bulk) < 10_000 / (80 * 0.8 * BULK) + 1, "and bulk is not starved"


def test_replies_that_come_all_at_once_share_only_with_half() -> None:
    leaving = list(sent(Pace(80), [10.0] * 60, 10_000))

    assert max(left - wished for wished, left, bulk in leaving if not bulk) < 1.0


def test_a_refusal_halves_the_pace_once_for_all_that_were_under_way_and_it_grows_back() -> None:
    def gap(pace: Pace, now: float) -> float:
        first, second = pace.turn(now), pace.turn(now)
        return second - first

    pace = Pace(8)  # no burst: one in 0.15 s
    whole = gap(pace, 1000.0)
    for n in range(20):
        pace.refused(2000.0 + n / 100)
    assert 1.9 * whole < gap(pace, 2000.5) < 2.1 * whole
    assert gap(pace, 2000.0 + RECOVERY) == pytest.approx(whole)


def test_it_never_stands_still_however_often_it_is_refused() -> None:
    pace = Pace(80)
    for n in range(1000):
        pace.refused(float(n * 2))

    assert pace.bulk(2000.0) + pace.turn(2000.0) < 2.0


def test_after_a_pause_a_few_go_at_once() -> None:
    turns = Turns(20.0, burst=5.0)
    assert 0 < turns.take(0.0) < turns.take(0.0) < 0.2, "of bots that start together none has a burst at once"

    assert [turns.take(100.0) for _ in range(5)] == [0.0] * 5
    assert turns.take(100.0) > 0
