"""The address that quotes begin with: asked of the workspace, and asked again when it could not tell."""

from typing import Any

import pytest

from bot.config import App
from bot.errors import NotAllowed, Trouble
from bot.ports import Journal
from bot.relay.quotes import Quotes
from bot.translations import translator
from tests.contract.journals import ManualClock

NOT_YET = ""


class Setting:
    """Answers one after the other; an error is raised."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    async def __call__(self, name: str) -> Any:
        assert name == "Site_Url"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def quotes(journal: Journal, clock: ManualClock, *answers: object) -> tuple[Quotes, Setting]:
    setting = Setting(*answers)
    return Quotes(journal, setting, clock, App, translator("en"), url="http://rocketchat:3000/"), setting


@pytest.mark.parametrize(
    ("told", "site"),
    [
        ("https://chat.example/", "https://chat.example"),
        ("chat.example", "http://rocketchat:3000"),
        (None, "http://rocketchat:3000"),
        (NotAllowed("no"), "http://rocketchat:3000"),
    ],
)
async def test_a_quote_begins_with_the_address_that_the_workspace_gives_itself(
    journal: Journal, clock: ManualClock, told: object, site: str
) -> None:
    made, setting = quotes(journal, clock, told)

    assert await made.link("room 1", "m/1") == f"[ ]({site}/live/room%201?msg=m%2F1) "
    assert await made.link("room 1", "m/1") != NOT_YET
    assert await made.link("", "m") == await made.link("r", "") == ""
    assert setting.answers == [], "it was asked once"


@pytest.mark.parametrize("seconds", [301, -86400])
async def test_a_workspace_that_could_not_tell_is_asked_again_later_whatever_the_clock_does(
    journal: Journal, clock: ManualClock, seconds: float
) -> None:
    made, setting = quotes(journal, clock, Trouble("away"), "https://chat.example")

    assert await made.link("r", "m") == NOT_YET
    clock.advance(299)
    assert await made.link("r", "m") == NOT_YET
    assert setting.answers == ["https://chat.example"], "not with every message"
    clock.advance(seconds)
    assert await made.link("r", "m") == "[ ](https://chat.example/live/r?msg=m) "
