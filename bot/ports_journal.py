"""The port to the journal: everything that enters, what becomes of it, and what belongs together. Known to all as part
of `bot.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports_rocketchat import Json

Kind = Literal[
    "wa.message", "wa.media", "wa.status", "wa.other",
    "rc.message", "rc.closed", "rc.edited", "rc.reaction",
    "chat.message", "form.submit", "notice", "auto.message", "status.callback", "tick", "late",
    "template.order", "template.send", "template.report", "audit",
]  # fmt: skip
ASIDE: tuple[Kind, ...] = "tick", "late"
"""Nobody waits for these: decoration, and watches over other entries. Their lanes begin with the same word."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far one part of an entry has come. `handed`: the request left us, no answer yet. `out`: done as `ref`."""

    state: Literal["handed", "out"]
    ref: str = ""


class Entry(NamedTuple):
    """One thing that entered, stored raw before anybody understood it.

    `key` is its identity: a second append of the same key is ignored, for ever. `lane` is its queue: entries of one
    lane are worked on one at a time, ordered by (`at_ms`, arrival). `source` names the connected number it belongs to,
    or is empty. The last six fields are the journal's own and are ignored on append.

    A tuple, because a frozen dataclass with so many fields takes several times as long to make.
    """

    key: str
    lane: str
    kind: Kind
    body: Json
    at_ms: int = 0
    source: str = ""
    rest: float = 0.0
    """Seconds before it may be worked on at first, at most an hour; what comes behind it in its lane waits with it."""
    seq: int = 0
    tries: int = 0
    """How often it was put back (`again`) so far."""
    confirming: bool = False
    """It was put back because its effect is unsure; the next look decides."""
    first_at: float = 0.0
    steps: Mapping[int, Step] = MappingProxyType({})
    given_up_at: float = 0.0
    """Unix seconds at which it became a dead letter, of one that waits again since; 0: never."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler made of an entry; stored together with "done" in one transaction.

    `result` is a short JSON value kept for ever in place of the body (never a message text).
    """

    result: Json = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    conversation: Conversation | None = None
    then: tuple[Entry, ...] = ()
    """What follows from it, appended as `append` does."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an entry stands. `body` is empty once it is done."""

    entry: Entry
    state: Literal["waiting", "done", "dead"]
    why: str = ""
    result: Json = field(default_factory=dict)
    closed_at: float = 0.0
    due: float = 0.0
    """Not before (unix seconds), while it waits; 0: as soon as its turn comes."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of one kind. `oldest`: unix seconds at which the first of it entered."""

    waiting: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Belongings:
    """Everything that the journal holds of one customer, whatever they are called in it."""

    names: tuple[str, ...]
    """Contact ids, phone digits, user ids."""
    conversations: tuple[Json, ...]
    rooms: tuple[str, ...]
    pairs: tuple[Pair, ...]
    marks: Mapping[str, str]
    entries: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many of each. `busy`: entries that are being worked on in this moment, or that name others too; they are
    done soon, and erasing once more finds what is left of them."""

    conversations: int = 0
    rooms: int = 0
    pairs: int = 0
    marks: int = 0
    entries: int = 0
    busy: int = 0


class Journal(Protocol):
    """Durable memory of everything that entered. Every method that changes something returns after the disk has it."""

    async def append(self, *entries: Entry) -> int:
        """Stores the entries whose key is new, all in one commit; how many were new."""

    async def heads(self, limit: int, shut: Sequence[str] = ()) -> list[Entry]:
        """First waiting entry of each lane that is free and due, oldest first; their lanes are now held by the caller.

        Lanes whose name begins with one of `shut`, up to the first colon, are passed by.
        A held lane is freed by `done`, `again` or `park` of its entry, by `release`, or by the death of the process.
        """

    async def wait(self, timeout: float) -> None:
        """Returns when something may have become due, at the latest after `timeout` seconds."""

    async def progress(self, entry: Entry, part: int, step: Step) -> None:
        """Notes how far a part has come; a later `heads` shows it in `entry.steps`."""

    async def done(self, entry: Entry, outcome: Outcome) -> None:
        """Closes the entry: keeps key and result, loses the body, records pairs (upsert by wamid) and conversation."""

    async def again(self, entry: Entry, after: float, why: str, *, confirm: bool = False) -> None:
        """Puts it back at the head of its lane, due in `after` seconds. The lane waits with it.

        Without `confirm` the error said that nothing was accepted, so steps that were only `handed` since `entry` was
        taken are forgotten; those that it was already taken with stay unsure. With `confirm`, when a status has
        settled all of its steps in the meantime, it is due at once.
        """

    async def park(self, entry: Entry, why: str, *notices: Entry, sure: bool = False) -> None:
        """A dead letter: out of its lane, body kept. The notices are appended in the same transaction.

        `sure`: what was handed over since `entry` was taken was not accepted, and is forgotten as in `again`. When a
        status has settled in the meantime what was unsure, it waits again instead, without the notices."""

    async def release(self, entry: Entry) -> None:
        """Gives a held entry back untouched (graceful stop)."""

    async def confirm(self, key: str, part: int, wamid: str) -> bool:
        """A status proved that this part was handed over: sets its step to `out`, makes a confirming or dead entry due
        at once (a dead one waits again). False when there is no such entry, when it is done, when that part was never
        handed over, or was known to be out and the entry is dead for another reason."""

    async def find(self, key: str) -> Stored | None: ...

    async def head(self, lane: str) -> Entry | None:
        """What is next in that lane, or being worked on."""

    async def closed(self, key: str, timeout: float) -> Stored | None:
        """Waits until the entry is done or dead, at most `timeout` seconds; None when it still waits or is unknown."""

    async def audit(self, limit: int, before: int = 0, *, done: bool = False) -> list[Stored]:
        """Entries of the kind `audit`, the latest arrival first; only those that came before the one with that `seq`,
        unless it is 0. With `done` those alone that have been worked on."""

    async def dead(self, limit: int = 100, *, latest: bool = False, after: Stored | None = None) -> list[Stored]:
        """Those that were given up first, behind `after`; or with `latest` those given up last, the last first."""

    async def latest(self, person: str, limit: int) -> list[Stored]:
        """What concerns a customer (phone digits or user id) on any number, the latest arrival first: messages that
        were shown or sent, and whatever waits or is dead in their lanes. Takes an index, however much is stored."""

    async def retry(self, key: str) -> bool:
        """Lets a dead letter wait again, with its tries forgotten, and what was handed over without an answer: a person
        has decided that it may be sent again. False when there is none."""

    async def expire(self, before: float, since: float = 0.0) -> int:
        """Forgets the content of dead letters that were given up before that moment, some hundred at a time; how many.
        Their keys stay known, and their results say `expired`: the class of the error.

        Those that seem older than `since`, to which all were forgotten before, were given up by a clock that stood
        wrong: they count as given up now."""

    async def belongings(self, person: str) -> Belongings:
        """Of a customer, by phone digits or user id. Walks through everything that is stored."""

    async def erase(self, person: str) -> Erased:
        """Forgets a customer: conversations, rooms, message pairs, marks, and the body, result and telling key of every
        entry; what waits is not delivered any more. That an entry was there stays, without whom it was about; keys
        that name only a message in Rocket.Chat stay, so that catching up sends nothing twice, and what 360Dialog
        delivers again is known by a keyed hash of its key, which names nobody."""

    async def obstacle(self) -> str:
        """What would have to be there before anything can be stored, in a few words for people; empty: nothing lacks.
        Found out by storing something, and not waited for as by everything else."""

    async def counts(self) -> Mapping[str, int]:
        """`waiting`, of those `aside` (kinds `ASIDE`), `done`, `dead`."""

    async def backlog(self) -> Mapping[Kind, Backlog]:
        """What waits, by kind; looks at everything that waits, so it is asked now and then, not with every message."""

    async def conversation(self, number: NumberId, contact: ContactId) -> Conversation | None:
        """By contact id, or by the phone or user id that a conversation of this number is also known under."""

    async def conversation_of_room(self, room: RoomId) -> Conversation | None:
        """Of any room that ever belonged to it, open or closed."""

    async def conversation_of_token(self, token: VisitorToken) -> Conversation | None: ...

    async def remember(self, conversation: Conversation) -> None:
        """Stores the conversation outside of a `done`: before an effect that must find it again."""

    async def pair(self, wamid: Wamid) -> Pair | None: ...

    async def pairs_of_message(self, message: MessageId) -> list[Pair]: ...

    async def mark(self, name: str) -> str | None:
        """A named position, such as how far catch-up has read."""

    async def marks(self, prefix: str, after: str = "", limit: int = 1000) -> Mapping[str, str]:
        """Those whose names begin so and go on, by name, in its order; only names behind `after`."""

    async def set_mark(self, name: str, value: str, *, forward: bool = False) -> None:
        """An empty value forgets it. `forward`: the value is a number, and one that is not larger than what stands
        there is ignored."""
