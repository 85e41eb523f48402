"""What is done about each error: the table of `bot.relay.retry`, and what holds for every line of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from bot.errors import BotError, Busy, Doubtful, Invalid, NoAgentOnline, OmnichannelOff, PairLimited, Refused, Unsure
from bot.relay.retry import (
    BUG_PAUSES,
    CONFIRM_AFTER,
    DAY,
    DOUBT,
    LONGEST_BELIEVED,
    TRIES_AT_LEAST,
    Again,
    Confirm,
    Decision,
    Park,
    decide,
)

FAMILIES = (BotError, Refused, Busy, Unsure, Invalid)
LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BotError) and kind not in FAMILIES
]


def first(error: Exception, *, tries: int = 0, age: float = 0.0, confirming: bool = False) -> Decision:
    return decide(error, tries=tries, age=age, confirming=confirming)


@pytest.mark.parametrize("kind", [kind for kind in LEAVES if issubclass(kind, Refused)])
def test_a_refusal_is_never_tried_again_as_it_is(kind: type[Refused]) -> None:
    assert first(kind("the server's words")) == Park(f"{kind.__name__}: the server's words")


def test_a_mistyped_form_that_came_this_far_is_parked() -> None:
    assert isinstance(first(Invalid("form.bad_phone", "phone")), Park)


@pytest.mark.parametrize("kind", [kind for kind in LEAVES if issubclass(kind, Busy) and kind is not Doubtful])
def test_whatever_is_busy_is_tried_again_after_a_second(kind: type[Busy]) -> None:
    assert first(kind("slow down")) == Again(1.0, f"{kind.__name__}: slow down")


def test_a_status_has_time_to_tell_that_the_message_was_taken_after_all() -> None:
    assert first(Doubtful("HTTP 502")) == Confirm(DOUBT, "Doubtful: HTTP 502")
    assert first(Doubtful("HTTP 503", after=40)) == Confirm(40, "Doubtful: HTTP 503")
    assert first(Doubtful(), tries=9, confirming=True) == Confirm(60, "Doubtful")
    assert first(Doubtful("HTTP 502"), tries=TRIES_AT_LEAST, age=DAY + 1) == Park("Doubtful: HTTP 502")


def pauses(error: Busy, tries: int) -> list[float]:
    found = []
    for number in range(tries):
        decision = first(error, tries=number)
        assert isinstance(decision, Again)
        found.append(decision.after)
    return found


def test_pauses_grow_to_a_minute() -> None:
    assert pauses(Busy(), 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("kind", [NoAgentOnline, OmnichannelOff])
def test_a_closed_office_is_looked_at_every_twenty_seconds_for_a_week(kind: type[Busy]) -> None:
    assert pauses(kind(), 7) == [1, 2, 4, 8, 16, 20, 20]
    assert first(kind(), tries=30_000, age=7 * DAY) == Again(20.0, kind.__name__)
    assert first(kind(), tries=30_000, age=7 * DAY + 1) == Park(kind.__name__)


def test_one_customer_with_too_many_messages_waits_four_times_longer_each_time() -> None:
    assert pauses(PairLimited(), 7) == [1, 4, 16, 64, 256, 600, 600]


def test_a_server_that_says_how_long_is_believed() -> None:
    assert pauses(Busy(after=42.5), 5) == [42.5] * 5
    assert pauses(Busy(after=0.5), 2) == [0.5] * 2


def test_a_server_that_never_means_what_it_says_is_asked_less_often() -> None:
    assert first(Busy(after=0.5), tries=TRIES_AT_LEAST) == Again(60.0, "Busy")


@pytest.mark.parametrize(
    ("said", "after"), [(1e12, LONGEST_BELIEVED), (math.inf, LONGEST_BELIEVED), (-3.0, 1.0), (math.nan, 1.0)]
)
def test_a_server_that_says_something_absurd_is_not_believed(said: float, after: float) -> None:
    assert first(Busy(after=said)) == Again(after, "Busy")


def test_after_a_day_it_is_given_up() -> None:
    assert isinstance(first(Busy(), tries=1500, age=DAY), Again)
    assert first(Busy("still"), tries=1500, age=DAY + 1) == Park("Busy: still")


def test_an_entry_that_waited_long_for_its_turn_still_gets_its_tries() -> None:
    assert isinstance(first(Busy(), tries=0, age=30 * DAY), Again)
    assert isinstance(first(Busy(), tries=TRIES_AT_LEAST - 1, age=30 * DAY), Again)
    assert isinstance(first(Busy(), tries=TRIES_AT_LEAST, age=30 * DAY), Park)


def test_what_is_unsure_is_confirmed_once_and_then_left_to_a_person() -> None:
    assert first(Unsure("no answer")) == Confirm(CONFIRM_AFTER, "Unsure: no answer")
    assert first(Unsure("no answer"), tries=1, confirming=True) == Park("Unsure: no answer")


def test_a_bug_is_looked_at_a_few_times_and_says_nothing_of_what_it_saw() -> None:
    bug = KeyError("+491701234567 wrote: my secret")
    seen = [first(bug, tries=tries) for tries in range(len(BUG_PAUSES) + 1)]

    assert seen == [*(Confirm(after, "bug: KeyError") for after in (10, 20, 40, 60, 60)), Park("bug: KeyError")]


ERRORS = st.one_of(
    st.sampled_from(LEAVES).map(lambda kind: kind("said")),
    st.floats(allow_nan=True).map(lambda after: Busy("said", after=after)),
    st.sampled_from([ValueError("x"), RuntimeError(), ExceptionGroup("g", [ValueError()])]),
)


@given(ERRORS, st.integers(0, 10**6), st.floats(0, 1e9), st.booleans())
def test_every_pause_is_a_sane_number_and_every_decision_has_a_reason(
    error: Exception, tries: int, age: float, confirming: bool
) -> None:
    decision = decide(error, tries=tries, age=age, confirming=confirming)

    assert decision.why
    if not isinstance(decision, Park):
        assert 0 <= decision.after <= LONGEST_BELIEVED


@given(ERRORS, st.booleans())
def test_nothing_is_tried_for_ever(error: Exception, confirming: bool) -> None:
    assert isinstance(decide(error, tries=100_000, age=8 * DAY, confirming=True), Park)


@given(ERRORS, st.integers(0, 100), st.floats(0, 1e9), st.booleans())
def test_only_what_says_that_nothing_was_accepted_is_sent_again(
    error: Exception, tries: int, age: float, confirming: bool
) -> None:
    if isinstance(decide(error, tries=tries, age=age, confirming=confirming), Again):
        assert isinstance(error, Busy)


@given(st.sampled_from([kind for kind in LEAVES if issubclass(kind, Busy)]), st.integers(0, 40))
def test_pauses_never_shrink(kind: type[Busy], tries: int) -> None:
    before, after = first(kind(), tries=tries), first(kind(), tries=tries + 1)

    assert isinstance(before, Again | Confirm)
    assert isinstance(after, Again | Confirm)
    assert before.after <= after.after
