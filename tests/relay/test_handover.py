"""Handing parts to WhatsApp: in order, each noted before it leaves, none twice unless it surely was not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from bot.errors import BotError, Doubtful, RateLimited, Refused, Trouble, Unsure
from bot.model import Sent, Wamid
from bot.ports import Entry, Journal, Json, Step, WhatsApp
from bot.relay.handover import Make, hand_over, read_opaque
from tests.contract.journals import entry, take

DOUBTFUL = Step("handed", "doubtful")


class Dialog:
    """360Dialog, which does with each message in turn what `answers` say: an error is raised, None is success."""

    def __init__(self, journal: Journal, *answers: BotError | None, busy: BotError | None = None) -> None:
        self.answers = list(answers)
        self.busy = busy
        self.sent: list[str] = []
        self.turns: list[bool] = []
        self.noted: list[Mapping[int, Step]] = []
        """What stood in the journal in the moment in which each message left."""
        self._journal = journal

    async def turn(self, api_key: str, *, bulk: bool = False) -> None:
        if self.busy is not None:
            raise self.busy
        self.turns.append(bulk)

    async def send(self, api_key: str, body: Json) -> Sent:
        stored = await self._journal.find("a")
        assert stored is not None
        self.noted.append(stored.entry.steps)
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        self.sent.append(body["text"])
        return Sent(Wamid(f"w{body['text']}"), "491701234567")

    @property
    def as_whatsapp(self) -> WhatsApp:
        return cast(WhatsApp, self)


def make(number: int) -> Make:
    async def body() -> Json:
        return {"text": str(number)}

    return body


PARTS = [make(number) for number in range(3)]


async def taken(journal: Journal) -> Entry:
    return await take(journal, "a")


async def steps(journal: Journal) -> Mapping[int, Step]:
    stored = await journal.find("a")
    assert stored is not None
    return stored.entry.steps


async def begun(journal: Journal, at: Step, *before: Step) -> Entry:
    """Taken again after an earlier look got as far as this."""
    await journal.append(entry("a"))
    one = await taken(journal)
    for part, step in enumerate((*before, at)):
        await journal.progress(one, part, step)
    await journal.release(one)
    return await taken(journal)


async def test_each_part_is_noted_before_it_leaves_and_known_once_it_is_out(journal: Journal) -> None:
    await journal.append(entry("a"))
    dialog, heard = Dialog(journal), list[Sent]()

    async def hear(sent: Sent) -> None:
        heard.append(sent)

    one = await taken(journal)
    wamids = await hand_over(journal, dialog.as_whatsapp, one, "key", PARTS, heard=hear, bulk=True)

    assert wamids == ["w0", "w1", "w2"]
    assert dialog.sent == ["0", "1", "2"]
    assert dialog.noted == [
        {0: Step("handed")},
        {0: Step("out", "w0"), 1: Step("handed")},
        {0: Step("out", "w0"), 1: Step("out", "w1"), 2: Step("handed")},
    ]
    assert [one.wamid for one in heard] == wamids
    assert dialog.turns == [True, True, True]


async def test_what_is_out_is_not_sent_again_and_the_rest_goes_on(journal: Journal) -> None:
    one = await begun(journal, Step("out", "w1"), Step("out", "w0"))
    dialog = Dialog(journal)

    assert await hand_over(journal, dialog.as_whatsapp, one, "key", PARTS) == ["w0", "w1", "w2"]
    assert dialog.sent == ["2"]
    assert dialog.turns == [False]


async def test_a_part_that_was_handed_over_without_an_answer_holds_everything_back(journal: Journal) -> None:
    one = await begun(journal, Step("handed"), Step("out", "w0"))
    dialog = Dialog(journal)

    with pytest.raises(Unsure):
        await hand_over(journal, dialog.as_whatsapp, one, "key", PARTS)

    assert (dialog.sent, dialog.turns) == ([], [])


async def test_a_number_whose_turn_does_not_come_has_handed_nothing_over(journal: Journal) -> None:
    await journal.append(entry("a"))
    dialog = Dialog(journal, busy=RateLimited("wait"))

    with pytest.raises(RateLimited):
        await hand_over(journal, dialog.as_whatsapp, await taken(journal), "key", PARTS)

    assert await steps(journal) == {}


@pytest.mark.parametrize("error", [Trouble("sure"), Refused("no"), Unsure("lost")])
async def test_what_an_error_means_is_left_to_whoever_asked(journal: Journal, error: BotError) -> None:
    await journal.append(entry("a"))
    dialog = Dialog(journal, None, error)

    with pytest.raises(type(error)):
        await hand_over(journal, dialog.as_whatsapp, await taken(journal), "key", PARTS)

    assert await steps(journal) == {0: Step("out", "w0"), 1: Step("handed")}


async def test_a_part_in_doubt_is_sent_again_when_no_status_has_told_of_it(journal: Journal) -> None:
    await journal.append(entry("a"))
    dialog = Dialog(journal, Doubtful("500"))
    with pytest.raises(Doubtful):
        await hand_over(journal, dialog.as_whatsapp, await taken(journal), "key", PARTS)
    assert await steps(journal) == {0: DOUBTFUL}

    again = await begun_again(journal)
    assert await hand_over(journal, dialog.as_whatsapp, again, "key", PARTS) == ["w0", "w1", "w2"]
    assert dialog.noted[1] == {0: Step("handed")}, "if the bot dies now, the second send is unsure"


async def test_a_part_in_doubt_stays_so_though_the_second_send_was_surely_not_taken(journal: Journal) -> None:
    """The first one may have been."""
    one = await begun(journal, DOUBTFUL)
    dialog = Dialog(journal, RateLimited("429"))

    with pytest.raises(RateLimited):
        await hand_over(journal, dialog.as_whatsapp, one, "key", PARTS)

    assert await steps(journal) == {0: DOUBTFUL}


async def begun_again(journal: Journal) -> Entry:
    stored = await journal.find("a")
    assert stored is not None
    await journal.release(stored.entry)
    return await taken(journal)


@pytest.mark.parametrize(
    ("opaque", "read"),
    [("rc:x#0", ("rc:x", 0)), ("a#b#12", ("a#b", 12)), ("#1", None), ("a#", None), ("a#x", None), ("", None)],
)
def test_an_opaque_name_is_read_back_or_is_of_somebody_else(opaque: str, read: tuple[str, int] | None) -> None:
    assert read_opaque(opaque) == read
