"""A notice that the setup channel does not take waits for another channel, but not at the cost of all behind it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import cast

import pytest

from bot.config import App
from bot.errors import Refused, Trouble
from bot.model import RoomId
from bot.ports import Journal, Workspace
from bot.relay.notices import SETUP, Notices, notice
from bot.relay.own_reactions import OwnReactions
from bot.relay.quotes import Quotes
from bot.relay.ticks import Ticks
from bot.translations import translator
from tests.contract.journals import ManualClock


class Closed:
    """A workspace in which nothing may be said."""

    async def say(self, *_: object) -> None:
        raise Refused("prevented by an app")


async def setup_room() -> RoomId:
    return RoomId("setup")


async def no_setting(_: str) -> None:
    return None


@pytest.mark.parametrize(("tries", "error"), [(0, Trouble), (30, Trouble), (60, Refused)])
async def test_what_no_channel_takes_is_given_up_within_the_hour(
    journal: Journal, clock: ManualClock, tries: int, error: type[Exception]
) -> None:
    """Each try waits for a minute at most; an app of the workspace may refuse just these words, for ever."""
    workspace, t, lost = cast(Workspace, Closed()), translator(), list[bool]()
    notices = Notices(
        journal=journal, workspace=workspace, setup_room=setup_room, setup_lost=lambda: lost.append(True), t=t,
        quotes=Quotes(journal, no_setting, clock, App, t, url="https://chat.example"),
        ticks=Ticks(journal, OwnReactions(workspace, lambda: "bot", nullcontext), clock, wanted=True),
    )  # fmt: skip
    told = notice("x", SETUP, "notice.callback_failed", reason="error.busy", said="")

    with pytest.raises(error):
        await notices(told._replace(tries=tries))

    assert bool(lost) is (error is Trouble)
