"""What a number says by itself: welcome, conversation finished, nobody here. Each is optional and said exactly once.

The entry's key says for what: `welcome:<room>`, `finished:<room>`, `offline:<entry that waits>`. The first message that
finds no agent waits at the head of its customer's lane until there is one, so its key names the whole time of waiting.
Where Rocket.Chat opens rooms without agents, nothing waits, and it is `offline:<room>`: said of a room that was opened
while nobody took conversations.
A conversation that begins with waiting is welcomed at once (`welcome:<entry that waits>`), before it is told that
nobody is here, and not once more when the room opens hours later: a mark remembers it until then. The words are those
of the number at the moment of sending. The agent sees in the room what the customer was told there or while waiting
for it: they may answer it, and a promise made for the agent has to be known to them. Nobody is there to read about the
end.
"""

from __future__ import annotations

import logging

from bot.errors import BotError, Refused, WindowClosed
from bot.model import ContactId, Conversation, MessageId, Number, NumberId, Pair, RoomId
from bot.ports import Entry, Journal, Json, Outcome, Registry, Step, WhatsApp, Workspace
from bot.relay.handover import Make, hand_over, opaque_name
from bot.relay.notices import notice
from bot.relay.status_endpoint import StatusEndpoint
from bot.rocketchat.compose import notice_id
from bot.whatsapp import compose
from bot.whatsapp.markup import from_rocketchat, inert
from bot.whatsapp.split import split

log = logging.getLogger(__name__)

_WAITING = "waiting "
"""Begins the mark of a welcome for which there is no room yet; after that it is the room."""
_OFFLINE = "offline:"
"""Begins the mark that names what a customer was told who waits for a room; after that the room stands before it."""


def welcome(number: Number, conversation: Conversation, room: RoomId) -> tuple[Entry, ...]:
    return _entries("welcome", number, conversation, room, room) if number.welcome_message else ()


def finished(number: Number, conversation: Conversation, room: RoomId) -> tuple[Entry, ...]:
    """In the lane of what agents write, so that it comes after their last words."""
    return _entries("finished", number, conversation, room, room) if number.conversation_finished_message else ()


async def greet(journal: Journal, number: Number, conversation: Conversation, room: RoomId) -> bool:
    """The welcome of a room that has just been opened. Whether the customer was welcomed before it. Repeatable."""
    name = _welcomed(conversation)
    said = await _said_before(journal, name)
    if said.startswith(_WAITING):
        await journal.append(_welcome_shown(said.removeprefix(_WAITING), room, number.welcome_message))
        await journal.set_mark(name, room)
        return True
    if said != room:
        await journal.append(*welcome(number, conversation, room))
    return said == room


async def opened(
    journal: Journal, workspace: Workspace, number: Number, conversation: Conversation, *, room: RoomId, department: str
) -> None:
    """What is said when a room has just been opened in this department (empty: in none). Repeatable."""
    waited = await greet(journal, number, conversation, room)
    waited |= await _show_what_was_said(journal, number, conversation, room)
    if waited or not number.offline_message:
        return
    try:
        if await workspace.anybody_available(department):
            return
    except BotError as error:
        log.warning("it cannot be seen whether an agent is available: %s", error)
        return
    await journal.append(*_entries("offline", number, conversation, room, room))


async def nobody_here(journal: Journal, number: Number, conversation: Conversation, waiting: Entry) -> None:
    """The customer's message waits for an agent. Repeatable."""
    name = _welcomed(conversation)
    said = (
        *(_entries("welcome", number, conversation, waiting.key, "") if number.welcome_message else ()),
        *(_entries("offline", number, conversation, waiting.key, "") if number.offline_message else ()),
    )
    if number.welcome_message and not await journal.find(f"welcome:{waiting.key}"):
        # first, so that a crash in between greets once at most
        await journal.set_mark(name, f"{_WAITING}welcome:{waiting.key}")
    if number.offline_message and not await journal.find(f"{_OFFLINE}{waiting.key}"):
        await journal.set_mark(_put_off(conversation), f"{_OFFLINE}{waiting.key}")
    await journal.append(*said)


async def _said_before(journal: Journal, name: str) -> str:
    """The mark's value. It counts only as long as the message that waited still waits. When that message was given up,
    the mark is forgotten: the next conversation, perhaps months later, begins anew."""
    said = await journal.mark(name) or ""
    for beginning in (f"{_WAITING}welcome:", _OFFLINE):
        if said.startswith(beginning):
            waiting = await journal.find(said.removeprefix(beginning))
            if waiting is None or waiting.state != "waiting":
                await journal.set_mark(name, "")
                return ""
    return said


async def _show_what_was_said(journal: Journal, number: Number, conversation: Conversation, room: RoomId) -> bool:
    """If the customer waited for this room, shows in it that they were told that nobody is here. Returns whether they
    waited.

    The text may still be on its way to them. Then whoever sends it shows it afterwards (`AutoMessages`). So that one of
    the two does, whatever comes first: here the mark is given the room before we look whether the text is out; there
    the text is noted as out before the mark is read."""
    name = _put_off(conversation)
    said = await _said_before(journal, name)
    if said.startswith(_OFFLINE):
        said = f"{room} {said}"
        await journal.set_mark(name, said)
    shown_in, _, key = said.partition(" ")
    if shown_in != room:
        return False
    sent = await journal.find(key)
    if sent is not None and ("wamids" in sent.result or any(one.state == "out" for one in sent.entry.steps.values())):
        await journal.append(_offline_shown(key, room, number.offline_message))
    return True


async def _room_of(journal: Journal, conversation: Conversation, key: str) -> str:
    """The room in which agents have to see that the waiting customer was told this (`key`); empty: none is open yet."""
    room, _, its = (await journal.mark(_put_off(conversation)) or "").partition(" ")
    if its == key:
        return room
    now = await journal.conversation(conversation.number, conversation.contact)
    return (now.room if now is not None else None) or ""


def _put_off(conversation: Conversation) -> str:
    return f"put off:{conversation.number}:{conversation.contact}"


def _offline_shown(key: str, room: str, words: str) -> Entry:
    return notice(key, room, "notice.offline_sent", text=_quote(words))


def _welcomed(conversation: Conversation) -> str:
    return f"welcomed:{conversation.number}:{conversation.contact}"


def _welcome_shown(key: str, room: str, words: str) -> Entry:
    return notice(key, room, "notice.welcome_sent", text=_quote(words))


def _entries(which: str, number: Number, conversation: Conversation, occasion: str, room: str) -> tuple[Entry, ...]:
    """Of a room in the lane of what agents write there, else in one of the customer's own."""
    lane = f"out:{room}" if room else f"auto:{number.id}:{conversation.contact}"
    body = {"which": which, "contact": conversation.contact, "room": room}
    return (Entry(key=f"{which}:{occasion}", lane=lane, kind="auto.message", body=body, source=number.id),)


class AutoMessages:
    """Handler of `auto.message` entries."""

    def __init__(self, registry: Registry, journal: Journal, whatsapp: WhatsApp, endpoint: StatusEndpoint) -> None:
        self._registry = registry
        self._journal = journal
        self._whatsapp = whatsapp
        self._endpoint = endpoint

    async def __call__(self, entry: Entry) -> Outcome:
        which, room = str(entry.body["which"]), RoomId(entry.body["room"])
        number = await self._registry.number(NumberId(entry.source))
        contact = ContactId(entry.body["contact"])
        conversation = await self._journal.conversation(NumberId(entry.source), contact)
        if number is None or conversation is None:
            return Outcome({"ignored": "number_gone"})
        words = _words(number, which)
        parts = _parts(entry, compose.address(conversation), words)
        if not parts:
            return Outcome({"ignored": "text_removed"})
        try:
            wamids = await hand_over(self._journal, self._whatsapp, entry, number.api_key, parts)
        except Refused as error:
            await self._endpoint.refused(entry.key, number.id, compose.address(conversation), words, error)
            if isinstance(error, WindowClosed) and which != "welcome":
                return Outcome({"refused": str(error)})  # the customer left long ago: nobody misses it
            raise
        shown = MessageId("") if which == "finished" else notice_id(f"notice:{entry.key}")
        pairs = tuple(
            Pair(
                wamid=wamid,
                message=shown,
                room=room,
                number=number.id,
                contact=conversation.contact,
                outbound=True,
                entry=entry.key,
            )
            for wamid in wamids
        )
        await self._endpoint.accepted(pairs, compose.address(conversation), from_rocketchat(words))
        if which == "welcome" and room:
            await self._journal.append(_welcome_shown(entry.key, room, words))
        if which == "offline":
            await self._journal.progress(entry, len(parts) - 1, Step("out", wamids[-1]))
            # an agent may have come meanwhile
            if open_room := room or await _room_of(self._journal, conversation, entry.key):
                await self._journal.append(_offline_shown(entry.key, open_room, words))
        return Outcome({"wamids": list(wamids)}, pairs)


def _words(number: Number, which: str) -> str:
    return {
        "welcome": number.welcome_message,
        "finished": number.conversation_finished_message,
        "offline": number.offline_message,
    }[which]


def _parts(entry: Entry, to: str, words: str) -> list[Make]:
    def make(part: int, piece: str) -> Make:
        async def body() -> Json:
            return compose.text(to, piece, opaque_name(entry.key, part))

        return body

    return [make(part, piece) for part, piece in enumerate(split(from_rocketchat(words)))]


def _quote(words: str) -> str:
    return "\n".join(f"> {line}" for line in inert(words).splitlines() if line.strip())
