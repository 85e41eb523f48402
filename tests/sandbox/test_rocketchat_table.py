"""The index of a table finds what looking through everything would find, in the same order."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.rocketchat.table import Table
from bot.sandbox.rocketchat.wire import Doc

IDS, COLOURS = "abcd", "rgb"
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(IDS), st.sets(st.sampled_from(COLOURS))),
        st.tuples(st.just("change"), st.sampled_from(IDS), st.sets(st.sampled_from(COLOURS))),
        st.tuples(st.just("drop"), st.sampled_from(IDS), st.just(set[str]())),
        st.tuples(st.just("clear"), st.just(""), st.just(set[str]())),
    )
)


def _colours(document: Doc) -> Iterable[Hashable]:
    return [("colour", colour) for colour in sorted(document["colours"])]


@given(_steps)
def test_what_has_a_key_is_found_in_the_order_of_the_table(steps: list[tuple[str, str, set[str]]]) -> None:
    table: Table[str] = Table(_colours)
    for step, id, colours in steps:
        if step == "put":
            table[id] = {"_id": id, "colours": colours}
        elif step == "change" and id in table:
            table[id]["colours"] = colours
            table[id] = table[id]
        elif step == "drop":
            table.pop(id, None)
        elif step == "clear":
            table.clear()
        for colour in COLOURS:
            scanned = [document for document in table.values() if colour in document["colours"]]
            assert table.having("colour", colour) == scanned
            assert table.first("colour", colour) == (scanned[0] if scanned else None)
            assert table.count("colour", colour) == len(scanned)
