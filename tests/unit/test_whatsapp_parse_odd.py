"""Shapes that Meta's documents allow and that hardly ever come: read as far as they can be, and nothing raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.model import ContactCard, Contacts, FlowAnswer, Location, NumberChange, Part, Unknown
from bot.whatsapp import parse


def part(kind: str, content: object, **item: Any) -> Part:
    [found] = parse.message({"item": {"id": "w", "from": "491701234567", "type": kind, kind: content, **item}}).parts
    return found


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"latitude": 90, "longitude": -180}, Location(90.0, -180.0)),
        ({"latitude": 90.1, "longitude": 0, "name": "North"}, Location(None, None, "North")),
        ({"latitude": 52.5, "name": "Berlin"}, Location(None, None, "Berlin")),
        ({"longitude": 13.4, "url": "https://x.example"}, Location(None, None, url="https://x.example")),
    ],
)
def test_half_a_place_is_what_it_is_called(place: dict[str, Any], expected: Location) -> None:
    assert part("location", place) == expected


def test_half_a_place_without_a_name_is_shown_as_it_came() -> None:
    assert isinstance(part("location", {"latitude": 52.5}), Unknown)


def test_a_name_in_pieces_is_put_together() -> None:
    pieces = {"first_name": "Ana", "middle_name": "Maria", "last_name": "Silva", "prefix": "Dr.", "suffix": "Jr."}
    assert part("contacts", [{"name": pieces}]) == Contacts((ContactCard("Dr. Ana Maria Silva Jr."),))


def test_somebody_whose_new_number_is_not_told_is_known_by_the_user_id() -> None:
    system = {"type": "user_changed_number", "user_id": "DE.2", "body": "changed"}
    assert part("system", system) == NumberChange("+491701234567", "DE.2", "changed")
    system = {"type": "user_changed_number", "wa_id": "491709999999", "user_id": "DE.2", "previous_user_id": "DE.1"}
    assert part("system", system) == NumberChange("+491701234567", "+491709999999", "", "DE.2")


def test_answers_within_answers_are_unfolded_as_deep_as_people_read_and_no_deeper() -> None:
    deep: object = "end"
    for level in reversed(range(50)):
        deep = {f"l{level}": deep}
    found = part("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": json.dumps(deep)}})

    assert isinstance(found, FlowAnswer)
    [(name, value)] = found.fields
    assert name == "l4"
    assert json.loads(value).keys() == {"l5"}
