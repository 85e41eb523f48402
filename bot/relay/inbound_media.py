"""A customer's file goes into the agent's room: fetched through 360Dialog, checked, posted as the customer's own.

A file that does not get there becomes a line that says what it was and why. What waiting may heal is tried again: for
some seconds in its place, so that the order is kept, and then in a lane of its own (`wa.media`), so that what the
customer writes next does not wait; a line says that the file follows.

`livechat/upload` takes no id, so a second try could show a file twice. Before one, the room is searched for the file by
its name, among what no other WhatsApp message has made; a file without a name of its own is given one that holds a mark
of its message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.config import App
from bot.errors import (
    Busy,
    FileRefused,
    FileWaits,
    KeyInvalid,
    NoAgentOnline,
    NotFound,
    NumberBlocked,
    OmnichannelOff,
    Refused,
    RoomClosed,
    Trouble,
    Unpaid,
)
from bot.model import Conversation, Media, Message, MessageId, Number, Pair, RoomId, VisitorToken
from bot.ports import Clock, Entry, Journal, Json, Outcome, Registry, Step, WhatsApp, Workspace
from bot.relay.connected import connected_number
from bot.relay.conversations import Conversations
from bot.relay.media_source import FetchFailed, MediaSource
from bot.relay.spool import Spool
from bot.rocketchat.compose import as_lines, beside_file, message_id, visitor_name
from bot.rocketchat.parse import chat_message, clean
from bot.translations import Translate
from bot.whatsapp import media as rules
from bot.whatsapp import parse
from bot.whatsapp.markup import inert_line

PATIENCE = 3
"""Tries in the file's place, a few seconds; then it follows later."""
_LONGEST_WAIT = 10.0
_SEARCH_BACK = 600.0
"""Seconds before the message came in: the clocks of two servers differ."""
_AT_LAST = 1000
"""Part number of what is said later, beyond the pieces of what was said at first."""
_MAY_HEAL = (Busy, KeyInvalid, NumberBlocked, Unpaid)
"""What waiting, or an administrator, may heal."""
_STILL = 10.0
"""Seconds that Rocket.Chat may still be at work on a file when the bot comes back from a crash in the middle of it: it
goes on with what it has, whether or not anybody waits (8.3 MultipartUploadHandler.ts keeps it in a file of its own)."""
_HELP = 600.0
"""Seconds between two looks while an administrator has to help: each costs one of the errors that 360Dialog allows."""
_KEPT = 7 * 86400.0
"""Seconds that WhatsApp keeps a file of a customer's (Meta: whatsapp/business-phone-numbers/media)."""
_NOT_YET = MessageId("")


@dataclass(frozen=True, slots=True)
class Shown:
    """Where the message is now: as a file, or as a line."""

    conversation: Conversation
    room: RoomId
    message: MessageId


@dataclass(slots=True)
class _Upload:
    """A file on its way into the room (a `Delivery`)."""

    workspace: Workspace
    journal: Journal
    entry: Entry
    path: Path
    name: str
    mime_type: str
    text: str
    message: MessageId = _NOT_YET
    _closed: set[RoomId] = field(default_factory=set)

    async def put(self, room: RoomId, token: VisitorToken) -> RoomId:
        if room in self._closed:  # the server calls the room open, so it is the file that it does not want
            raise FileRefused("file.refused_in_rocketchat", name=self.name)
        await self.journal.progress(self.entry, 0, Step("handed", room))
        try:
            self.message = await self.workspace.upload(
                room, token, self.path, name=self.name, mime_type=self.mime_type, text=self.text
            )
        except RoomClosed:
            self._closed.add(room)
            raise
        return room

    async def there(self, room: RoomId, token: VisitorToken) -> bool:
        """It was searched for before, and this try was refused."""
        return False


class InboundMedia:
    """Posts the file of a `wa.message`; handler of `wa.media`, the files that follow later."""

    def __init__(
        self,
        *,
        journal: Journal,
        registry: Registry,
        workspace: Workspace,
        whatsapp: WhatsApp,
        conversations: Conversations,
        spool: Spool,
        clock: Clock,
        app: Callable[[], App],
        bots: Callable[[], int],
        t: Translate,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._workspace = workspace
        self._conversations = conversations
        self._source = MediaSource(whatsapp, spool, clock, app, bots)
        self._clock = clock
        self._app = app
        self._t = t
        self._followed: set[str] = set()
        """Keys of entries whose upload was begun here, or was given the time to end."""

    async def show(self, entry: Entry, number: Number, message: Message, media: Media, quoted: str = "") -> Shown:
        """In the message's place: the file, or a line instead of it. `quoted` stands in front of either."""
        words = quoted + self._words(entry, message)
        if media.problem:
            return await self._line(entry, number, message, words)
        if not media.media_id:  # nothing to ask WhatsApp for
            return await self._line(entry, number, message, words, self._missing(NotFound("no media id")))
        try:
            beside = quoted + beside_file(message, self._t, entry.first_at, self._clock.now())
            return await self._file(entry, number, message, media, beside)
        except FileRefused as refused:
            return await self._line(entry, number, message, words, self._missing(refused))
        except FetchFailed as failed:
            error = failed.error
        if not isinstance(error, _MAY_HEAL):
            return await self._line(entry, number, message, words, self._missing(error))
        soon = isinstance(error, Busy) and (error.after or 0) <= _LONGEST_WAIT
        if soon and entry.tries < PATIENCE:
            raise error
        reason = self._t("room.file_later", reason=self._reason(error))
        shown = await self._line(entry, number, message, words, reason)
        await self._journal.append(_later(entry, number, message))
        return shown

    async def __call__(self, entry: Entry) -> Outcome:
        number = await connected_number(self._registry, entry)
        message = parse.message(entry.body)
        media = carried(message)
        if media is None:
            return Outcome({"ignored": "no_content"})
        try:
            shown = await self._file(entry, number, message, media, self._t("room.file_at_last"))
        except (FetchFailed, FileRefused) as failed:
            error = failed.error if isinstance(failed, FetchFailed) else failed
            if isinstance(error, _MAY_HEAL) and self._clock.now() - entry.first_at < _KEPT:
                raise _waits(error) from None
            words = self._words(entry, message)
            shown = await self._line(entry, number, message, words, self._missing(error), part=_AT_LAST)
        except (NoAgentOnline, OmnichannelOff):
            raise
        except Busy as busy:  # it may have waited for days by now
            raise _waits(busy) from None
        pair = pair_of(entry, number, message, shown)
        return Outcome({"room": shown.room, "message": shown.message}, pairs=(pair,))

    # --- the file -----------------------------------------------------------------------------------------------------

    async def _file(self, entry: Entry, number: Number, message: Message, media: Media, text: str) -> Shown:
        shown = media.file_name or self._t(f"room.media.{media.kind}").strip("*_")
        rules.check(self._app(), shown, media.mime_type)
        name = visitor_name(message.sender, self._t)
        conversation = await self._conversations.ready(number, message.sender, name)
        mark = rules.mark_of(message.id)
        if entry.steps and entry.key not in self._followed:
            self._followed.add(entry.key)
            raise Trouble("an upload that was under way may still end", after=_STILL)
        if entry.tries or entry.steps:
            found = await self._searched(entry, conversation, media, mark)
            if found is not None:
                self._followed.discard(entry.key)
                return Shown(conversation, *found)
        self._followed.add(entry.key)
        async with self._source.file(number, media, shown) as (path, mime_type):
            upload = _Upload(
                self._workspace, self._journal, entry, path,
                name=rules.file_name(media.file_name, media.kind, mime_type, mark), mime_type=mime_type, text=text,
            )  # fmt: skip
            conversation, room = await self._conversations.deliver(conversation, number, name, upload)
            self._followed.discard(entry.key)
            return Shown(conversation, room, upload.message)

    async def _searched(
        self, entry: Entry, conversation: Conversation, media: Media, mark: str
    ) -> tuple[RoomId, MessageId] | None:
        """What an earlier try has posted, though we never heard of it. A room that cannot be read holds nothing back:
        a file that is there twice is better than none."""
        began = min(entry.first_at, entry.at_ms / 1000 or entry.first_at)  # our clock may be a day ahead
        rooms = [RoomId(step.ref) for step in entry.steps.values() if step.ref]
        for room in dict.fromkeys([*rooms, *([conversation.room] if conversation.room else [])]):
            try:
                messages = await self._workspace.messages_since(room, began - _SEARCH_BACK)
            except Refused:
                continue
            for raw in messages:
                id = MessageId(clean(raw.get("_id")))
                if _is_it(raw, media, mark) and not await self._journal.pairs_of_message(id):
                    return room, id
        return None

    def _words(self, entry: Entry, message: Message) -> str:
        return as_lines(message, self._t, received_at=entry.first_at, shown_at=self._clock.now())

    # --- the line instead of it ---------------------------------------------------------------------------------------

    def _missing(self, error: Busy | Refused) -> str:
        return self._t("room.file_missing", reason=self._reason(error))

    def _reason(self, error: Busy | Refused) -> str:
        sentence = "file.gone" if isinstance(error, NotFound) else error.sentence
        values = {"said": error.said, **error.values}
        plain = {name: inert_line(value, 200) if isinstance(value, str) else value for name, value in values.items()}
        return self._t(sentence, **plain)

    async def _line(
        self, entry: Entry, number: Number, message: Message, words: str, reason: str = "", *, part: int = 0
    ) -> Shown:
        conversation, room = await self._conversations.post(
            number,
            message.sender,
            visitor_name(message.sender, self._t),
            "\n".join(filter(None, (words, reason))),
            lambda piece: message_id(number.id, message.id, part + piece),
        )
        self._followed.discard(entry.key)
        return Shown(conversation, room, message_id(number.id, message.id, part))


def carried(message: Message) -> Media | None:
    """The file of a message; WhatsApp sends one in each."""
    return next((part for part in message.parts if isinstance(part, Media)), None)


def pair_of(entry: Entry, number: Number, message: Message, shown: Shown) -> Pair:
    return Pair(
        wamid=message.id,
        message=shown.message,
        room=shown.room,
        number=number.id,
        contact=shown.conversation.contact,
        outbound=False,
        entry=entry.key,
    )


def _waits(error: Busy | Refused) -> FileWaits:
    waits = FileWaits(error.said, error.after if isinstance(error, Busy) else _HELP)
    waits.values = error.values
    waits.sentence = error.sentence  # what is the matter is what people have to know
    waits.args = (str(error),)
    return waits


def _later(entry: Entry, number: Number, message: Message) -> Entry:
    return Entry(
        key=f"media:{entry.key}", lane=f"media:{number.id}:{message.sender.contact}", kind="wa.media",
        body=entry.body, at_ms=entry.at_ms, source=entry.source,
    )  # fmt: skip


def _is_it(raw: Json, media: Media, mark: str) -> bool:
    message = chat_message(raw) if raw.get("token") else None
    return message is not None and any(
        clean(file.name) == rules.file_name(media.file_name, media.kind, file.mime_type, mark) for file in message.files
    )
