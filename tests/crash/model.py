"""What each side wrote against what the other saw.

A message that an agent, an admin or a program sent counts as told when the bot said that its outcome is unknown or that
it was refused: that may happen to a message in the air when the plug is pulled, and it must never happen silently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bot.model import Wamid
from bot.ports import Journal
from bot.stage import Stage
from tests.crash.people import Talk

LABEL = re.compile(r"\b[CAT]\d\d-\d{4}\b")
_NOT_SENT = re.compile("not delivered to the customer|was not sent to|perhaps not sent|not sent|failed", re.I)


@dataclass
class Tally:
    """What the model found; `details` says which."""

    written: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    told: int = 0
    """Unknown or refused, and said so."""
    statuses: int = 0
    """Messages that the customer has read, which the bot does not know."""
    stuck: int = 0
    """Forms that did not go on."""
    details: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.statuses or self.stuck)

    def table(self) -> str:
        rows = [
            ("messages written", self.written),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("out of order", self.disordered),
            ("read, but not known to be", self.statuses),
            ("forms that did not go on", self.stuck),
            ("unknown or refused, and told", self.told),
        ]
        return "\n".join([f"{name:<30} {number:>8}" for name, number in rows] + self.details[:40])


def seen_by_agent(stage: Stage, talk: Talk) -> list[str]:
    """Labels of what the customer said, in the order of the room."""
    found = []
    for message in stage.rc.core.world.of_room(talk.room):
        if message.get("token") and not message.get("t"):
            file = message.get("file") or {}
            found += LABEL.findall(f"{message['msg']} {file.get('name', '')}")[:1]
    return found


def seen_by_customer(talk: Talk, *, templates: bool) -> list[str]:
    shown = [one for one in talk.customer.received if (one.body["type"] == "template") is templates]
    return [label for one in shown for label in LABEL.findall(one.text)[:1]]


def told_in(stage: Stage, rooms: Iterable[str]) -> list[str]:
    """What the bot said of messages that were not, or perhaps not, delivered."""
    me = stage.bot_user.id
    said = [str(m["msg"]) for room in rooms for m in stage.rc.core.world.of_room(room) if m["u"]["_id"] == me]
    return [text for text in said if _NOT_SENT.search(text)]


def told_answers(stage: Stage, talk: Talk) -> set[str]:
    return {label for text in told_in(stage, [talk.room]) for label in LABEL.findall(text)}


def told_templates(stage: Stage, talk: Talk, rooms: Sequence[str]) -> int:
    """How many template messages to this customer were said to be unsure or refused; the labels are not repeated."""
    phone = talk.customer.phone.lstrip("+")
    texts = [*told_in(stage, rooms), *(text for text in talk.told if _NOT_SENT.search(text))]
    return sum(phone in text for text in texts)


def missing(stage: Stage, talk: Talk, rooms: Sequence[str]) -> list[str]:
    """Labels that nobody has seen, and of which nobody was told."""
    seen, told = set(seen_by_agent(stage, talk)), told_answers(stage, talk)
    found = [label for label in talk.wrote if label not in seen]
    received = set(seen_by_customer(talk, templates=False)) | told
    found += [label for label in talk.answered if label not in received]
    templates = set(seen_by_customer(talk, templates=True))
    absent = [label for label in talk.templates if label not in templates]
    return found + absent[told_templates(stage, talk, rooms) :]


async def tally(stage: Stage, talks: Sequence[Talk], rooms: Sequence[str], stuck: Sequence[str], j: Journal) -> Tally:
    """`rooms`: where template messages are talked about. `j`: the journal after the run."""
    found = Tally(stuck=len(stuck), details=list(stuck))
    for talk in talks:
        found.written += len(talk.wrote) + len(talk.answered) + len(talk.templates)
        lost = missing(stage, talk, rooms)
        found.lost += len(lost)
        found.details += [f"lost: {label} ({talk.customer.phone}, room {talk.room})" for label in lost]
        found.told += len(told_answers(stage, talk)) + told_templates(stage, talk, rooms)
        for wrote, saw, ordered in (
            (talk.wrote, seen_by_agent(stage, talk), True),
            (talk.answered, seen_by_customer(talk, templates=False), True),
            (talk.templates, seen_by_customer(talk, templates=True), False),
        ):
            twice = [label for label, times in Counter(saw).items() if times > 1]
            found.doubled += len(twice)
            found.details += [f"doubled: {label}" for label in twice]
            first = list(dict.fromkeys(saw))
            wanted = [label for label in wrote if label in set(first)]
            if ordered and first != wanted:
                late = next(label for label, other in zip(first, wanted, strict=True) if label != other)
                found.disordered += 1
                found.details.append(f"out of order from {late} on (room {talk.room})")
        again = sorted(set(talk.refused) & set(seen_by_customer(talk, templates=True)))
        found.doubled += len(again)
        found.details += [f"received, though a program was told that nobody got it: {label}" for label in again]
        for one in talk.customer.received:
            pair = await j.pair(Wamid(one.wamid))
            label = " ".join(LABEL.findall(one.text)[:1])
            if label and one.status == "read" and (pair is None or pair.state != "read"):
                found.statuses += 1
                known = pair.state if pair else "nothing"
                found.details.append(f"read, and the bot knows {known!r}: {label} {one.wamid}")
    return found
