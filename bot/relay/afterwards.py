"""What agents do to messages that are there already: react to them, edit or delete them, and close the room.

Rocket.Chat shows each of them by sending the whole message once more (stream-room-messages; 8.3
app/reactions/server/setReaction.ts, app/lib/server/functions/{updateMessage,deleteMessage}.ts). What changed, it does
not say. Where deleted messages leave no placeholder, which is the default, the stream is silent about a deletion, and
it is found when the rooms that changed are read over REST, some minutes later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bot.errors import Refused, Trouble, Unsure
from bot.model import MessageId, RoomId, UserId
from bot.ports import Entry, Journal, Json, Outcome, Registry, WhatsApp
from bot.relay.auto_messages import finished
from bot.relay.conversations import Conversations
from bot.relay.notices import about, notice, reaction_not_sent
from bot.relay.numbered_lists import forget
from bot.rocketchat.parse import changed_at, chat_message, clean, edited_at, was_edited
from bot.whatsapp import compose
from bot.whatsapp.markup import inert_line
from bot.whatsapp.short_codes import to_unicode

REACTION = "reaction:"
"""Begins the keys of reactions."""
NOWHERE = MessageId("")
"""A reaction is no message of a room: its own statuses are found, and nothing else leads to it."""
_REMEMBERED = 5000
_SEEN = "reacted:"
"""Begins the marks of agents' reactions, one for each message that has one: unix seconds and short code."""
_KEPT = 30 * 86400.0
"""Seconds. WhatsApp delivers no reaction on a message that is older (Meta: reaction messages)."""
_A_WHILE = 5.0
_TAKEN_BACK = 86400.0
"""Seconds. Whoever deletes a message later than that does not think of taking it back: a retention policy cleans up."""


class Afterwards:
    """Makes the entries. It remembers which reactions it has seen, because their removal is seen by their absence."""

    def __init__(self, bot_username: Callable[[], str]) -> None:
        self._bot_username = bot_username
        self._seen: OrderedDict[MessageId, str] = OrderedDict()

    async def learn(self, journal: Journal) -> None:
        """What was seen before this start. Whatever is far older than the latest is forgotten."""
        found: list[tuple[float, str, str]] = []
        last = ""
        while some := await journal.marks(_SEEN, after=last):
            for last, value in some.items():
                at, _, code = value.partition(" ")
                found.append((float(at), last, code))
        found.sort()
        for seen_at, name, code in found:
            if seen_at < found[-1][0] - _KEPT:
                await journal.set_mark(name, "")
            else:
                self._remember(MessageId(name.removeprefix(_SEEN)), code)

    async def note(self, journal: Journal, entries: Iterable[Entry]) -> None:
        """To be called once these are stored."""
        for one in entries:
            if one.kind == "rc.reaction":
                code, at = one.body["code"], int(one.key.rpartition(":")[2]) / 1000
                await journal.set_mark(f"{_SEEN}{one.body['message']}", f"{at} {code}" if code else "")

    def entries(self, message: Json, bot: UserId) -> list[Entry]:
        """Of a message in a customer's room: what was done to it since it was last seen, often nothing."""
        id, room = MessageId(clean(message.get("_id"))), RoomId(clean(message.get("rid")))
        if not id or not room:
            return []
        if message.get("t") == "livechat-close":
            body: dict[str, Any] = {"room": room, "by_customer": bool(message.get("token"))}
            return [Entry(f"closed:{id}", f"out:{room}", "rc.closed", body, _at_ms(message))]
        found = (self._reaction(message, id, room), self._change(message, id, room, bot))
        return [entry for entry in found if entry is not None]

    def _change(self, message: Json, id: MessageId, room: RoomId, bot: UserId) -> Entry | None:
        deleted = message.get("t") == "rm"
        if not (deleted or was_edited(message)):
            return None
        written = chat_message(message)
        if message.get("token") or (written.user == bot if written is not None else not deleted):
            return None
        when = edited_at(message)
        body = {"message": id, "room": room, "deleted": deleted, "at": when}
        return Entry(f"edited:{id}:{int(when * 1000)}", f"edit:{room}", "rc.edited", body)

    def _reaction(self, message: Json, id: MessageId, room: RoomId) -> Entry | None:
        code = self._code(message.get("reactions"))
        if message.get("t") or code == self._seen.get(id, ""):
            return None
        self._remember(id, code)
        key = f"{REACTION}{id}:{int(changed_at(message) * 1000)}"
        lane = f"reaction:{room}" if message.get("token") else f"out:{room}"  # what an agent wrote may not be sent yet
        return Entry(key, lane, "rc.reaction", {"message": id, "code": code})

    def _remember(self, id: MessageId, code: str) -> None:
        self._seen[id] = code
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _code(self, reactions: object) -> str:
        """The newest reaction of an agent: WhatsApp shows one of each side."""
        if not isinstance(reactions, Mapping):
            return ""
        me = self._bot_username()
        theirs = [
            clean(code) for code, who in reactions.items()
            if isinstance(who, Mapping) and any(name != me for name in who.get("usernames") or ())
        ]  # fmt: skip
        return theirs[-1] if theirs else ""


class AgentReactions:
    """Handler of `rc.reaction` entries, on messages of either side. To set the same reaction twice changes nothing, so
    it may be tried again. What the customer cannot see (an emoji of this workspace alone, a refusal) is told once a
    message; a message that never went to WhatsApp, such as a note of the bot's, concerns agents alone."""

    def __init__(self, registry: Registry, journal: Journal, whatsapp: WhatsApp) -> None:
        self._registry = registry
        self._journal = journal
        self._whatsapp = whatsapp

    async def __call__(self, entry: Entry) -> Outcome:
        pairs = await self._journal.pairs_of_message(entry.body["message"])
        if not pairs:
            return Outcome({"ignored": "not a WhatsApp message"})
        pair, code = pairs[-1], str(entry.body["code"])
        emoji = to_unicode(code)
        if emoji == code != "":
            sentence, shown = "notice.reaction_unknown", inert_line(code, 80)
            told = notice(f"reaction:{pair.message}:{sentence}", pair.room, sentence, emoji=shown)
            await self._journal.append(about(pair.message, told))
            return Outcome({"ignored": "an emoji of this workspace alone"})
        number = await self._registry.number(pair.number)
        conversation = await self._journal.conversation(pair.number, pair.contact)
        if number is None or conversation is None:
            return Outcome({"ignored": "the number is not connected any more"})
        try:
            to = compose.address(conversation)
            await self._whatsapp.turn(number.api_key)
            sent = await self._whatsapp.send(number.api_key, compose.reaction(to, pair.wamid, emoji))
        except Refused as error:
            await self._journal.append(reaction_not_sent(pair.message, pair.room, error, error.sentence))
            return Outcome({"refused": str(error)})
        except Unsure as unsure:
            raise Trouble(unsure.said) from None
        own = replace(pair, wamid=sent.wamid, message=NOWHERE, outbound=True, entry=entry.key, state="", state_at=0.0)
        return Outcome({"reaction": emoji, "to": pair.message}, pairs=(own,))


class AgentEdits:
    """Handler of `rc.edited` entries: WhatsApp cannot take a message back, so the agent is told, once a message. One
    that still waits is waited for: it may go out as it stands by then, or not at all (`as_it_stands`)."""

    def __init__(self, journal: Journal, conversations: Conversations) -> None:
        self._journal = journal
        self._conversations = conversations

    async def __call__(self, entry: Entry) -> Outcome:
        id, room = str(entry.body["message"]), RoomId(entry.body["room"])
        if await self._conversations.surely_foreign(room) or await self._conversations.of_room(room) is None:
            return Outcome({"ignored": "not a WhatsApp room"})
        sent = await self._journal.find(f"rc:{id}")
        if sent is None or sent.state == "dead" or entry.body["at"] <= sent.entry.first_at:
            return Outcome({"ignored": "it was changed before it was sent, or never came to the customer"})
        if sent.state == "waiting":
            raise Trouble("its message waits to go out", after=_A_WHILE)
        if sent.result.get("ignored") == "deleted_in_time":
            return Outcome({"ignored": "it was not sent, and that is told"})
        if not entry.body["deleted"] and entry.body["at"] <= sent.result.get("as_of", 0.0):
            return Outcome({"ignored": "it was sent as it stands"})
        if entry.body["deleted"] and entry.body["at"] > sent.entry.first_at + _TAKEN_BACK:
            return Outcome({"ignored": "old messages are cleaned up"})
        sentence = "notice.deleted_here_only" if entry.body["deleted"] else "notice.edited_here_only"
        told = notice(f"edited:{id}", room, sentence)
        await self._journal.append(told if entry.body["deleted"] else about(id, told))
        return Outcome({"told": id})


class Closings:
    """Handler of `rc.closed` entries: the room is over, so the customer's next message opens a new one at once. When
    somebody of ours closed it, the customer is told. The closing comment is for the file and stays here."""

    def __init__(self, registry: Registry, journal: Journal, conversations: Conversations) -> None:
        self._registry = registry
        self._journal = journal
        self._conversations = conversations

    async def __call__(self, entry: Entry) -> Outcome:
        room = RoomId(entry.body["room"])
        conversation = await self._conversations.of_room(room)
        if conversation is None:
            return Outcome({"ignored": "not a WhatsApp room"})
        number = await self._registry.number(conversation.number)
        if number is not None and not entry.body["by_customer"]:
            await self._journal.append(*finished(number, conversation, room))
        await self._conversations.closed(conversation, room)
        await forget(self._journal, conversation, room)
        return Outcome({"closed": room})


def _at_ms(message: Json) -> int:
    return int(changed_at({"ts": message.get("ts")}) * 1000)
