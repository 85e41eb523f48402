"""Places of each server: as many as there are, none of another's, and no lane that nobody may take for ever."""

from hypothesis import given
from hypothesis import strategies as st

from bot.relay.places import Places

LANES = st.sampled_from(["in:1:a", "say:r", "out:r", "tpl:1:b", "callback:3", "st:1:w", "other:1", "a lane", ""])


@given(st.lists(st.tuples(LANES, st.booleans()), max_size=80), st.integers(1, 5))
def test_no_server_has_more_than_its_places(steps: list[tuple[str, bool]], each: int) -> None:
    """The worker takes what it is offered: never a lane that is shut, never more than there are left."""
    places, taken = Places(each), list[str]()
    for lane, wants in steps:
        most, shut = places.left()
        if wants and most and lane.partition(":")[0] not in shut:
            places.take(lane)
            taken.append(lane)
        elif not wants and taken:
            places.free(taken.pop())
        for server in (("in", "say"), ("out", "tpl"), ("callback",), ("st", "other"), ("a lane", "")):
            assert sum(one.partition(":")[0] in server for one in taken) <= each


def test_only_the_full_one_is_shut_and_it_is_told_when_it_has_a_place_again() -> None:
    places = Places(2)
    places.take("in:1:a")
    assert places.left() == (1, [])
    places.take("say:r")
    assert places.left() == (2, ["in", "media", "say", "cmd"])
    assert places.free("in:1:a")
    assert not places.free("say:r")
    assert places.left() == (2, [])


def test_when_lanes_without_a_server_fill_theirs_nothing_is_taken() -> None:
    places = Places(1)
    places.take("a lane")

    assert places.left() == (0, ())
