"""What the business wrote on its own phone: shown to the agents in the customer's room, and sent to nobody.

A number that is also used in the WhatsApp Business app reports what is written there (Meta: webhook field
`smb_message_echoes`, coexistence). The bot says it, because neither the customer nor an agent wrote it here. Where no
conversation is open it is only recorded: nobody has to answer what the business itself said, so no agent is called for
it. It is paired like any message, so what the customer quotes or reacts to is found.
"""

from __future__ import annotations

from bot.errors import Refused, TooLong
from bot.model import MessageId, Pair, Post, RoomId
from bot.ports import Entry, Journal, Outcome, Registry, Workspace
from bot.relay.connected import connected_number
from bot.relay.conversations import Conversations
from bot.relay.quotes import Quotes
from bot.rocketchat.compose import as_lines, notice_id
from bot.translations import Translate
from bot.whatsapp import parse
from bot.whatsapp.split import split

_PIECES = (4000, 800, 200)
"""Characters. Rocket.Chat takes 5000 unless the workspace says otherwise (Message_MaxAllowedSize), then shorter pieces
are tried; WhatsApp takes at most 4096 a message."""


class Echoes:
    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal,
        workspace: Workspace,
        conversations: Conversations,
        quotes: Quotes,
        t: Translate,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._workspace = workspace
        self._conversations = conversations
        self._quotes = quotes
        self._t = t

    async def shown(self, entry: Entry) -> Outcome:
        """Of a `wa.other` entry that is an echo. Repeatable."""
        number = await connected_number(self._registry, entry)
        message = parse.echo(entry.body)
        if await self._journal.pair(message.id) is not None:
            return Outcome({"what": "echo", "ignored": "already_shown"})
        conversation = await self._conversations.known(number, message.sender)
        if conversation is None or conversation.room is None:
            return Outcome({"what": "echo", "ignored": "no_conversation"})
        quote = await self._quotes.before(message, conversation)
        words = as_lines(message, self._t, received_at=entry.first_at)
        refused = ""
        for longest in _PIECES:
            try:
                first = await self._say(entry, conversation.room, quote, words, longest)
                break
            except TooLong as error:
                refused = str(error)
            except Refused as error:
                return Outcome({"what": "echo", "refused": str(error)})
        else:
            return Outcome({"what": "echo", "refused": refused})
        pair = Pair(
            wamid=message.id,
            message=first,
            room=conversation.room,
            number=number.id,
            contact=conversation.contact,
            outbound=True,
            entry=entry.key,
        )
        return Outcome({"what": "echo", "room": pair.room, "message": pair.message}, pairs=(pair,))

    async def _say(self, entry: Entry, room: RoomId, quote: str, words: str, longest: int) -> MessageId:
        """The first of the messages in which it was said."""
        pieces = split(f"{self._t('room.from_phone')}\n{words}", longest)
        ids = [notice_id(f"{entry.key}#{part}") for part in range(len(pieces))]
        for part, (id, piece) in enumerate(zip(ids, pieces, strict=True)):
            await self._workspace.say(room, id, Post(piece if part else quote + piece))
        return ids[0]
