"""What an agent or a bot wrote in Rocket.Chat goes to the customer's WhatsApp: in order, once (see `handover`).

A message becomes parts: its text in pieces that fit, quick replies as buttons, a list, or numbers in the text, and its
files (see `outbound_media`). A quote becomes WhatsApp's own, on the first part. Bots are named like agents when
`agents_display_info` says so; an integration's posts are not.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.config import App
from bot.errors import NumberGone, Refused
from bot.model import ChatMessage, Conversation, MessageId, Pair, RoomId, Wamid
from bot.ports import Entry, Journal, Json, Outcome, Registry, WhatsApp
from bot.relay.as_it_stands import AsItStands
from bot.relay.conversations import Conversations
from bot.relay.handover import Make, hand_over, opaque_name
from bot.relay.notices import about, notice
from bot.relay.numbered_lists import NumberedLists
from bot.relay.outbound_media import OutboundMedia
from bot.relay.status_endpoint import StatusEndpoint
from bot.rocketchat.compose import is_notice_id
from bot.rocketchat.parse import chat_message, edited_at, quoted_here, was_edited
from bot.translations import Translate
from bot.whatsapp import compose
from bot.whatsapp.choices import cut, offer
from bot.whatsapp.markup import from_rocketchat
from bot.whatsapp.media import CAPTION, is_sound
from bot.whatsapp.signature import signature, signed
from bot.whatsapp.split import length

_QUOTED = 300


class Outbound:
    """Handler of `rc.message` entries."""

    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal,
        conversations: Conversations,
        whatsapp: WhatsApp,
        as_it_stands: AsItStands,
        files: OutboundMedia,
        numbered_lists: NumberedLists,
        endpoint: StatusEndpoint,
        app: Callable[[], App],
        t: Translate,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._conversations = conversations
        self._whatsapp = whatsapp
        self._as_it_stands = as_it_stands
        self._files = files
        self._numbered_lists = numbered_lists
        self._endpoint = endpoint
        self._app = app
        self._t = t

    async def __call__(self, entry: Entry) -> Outcome:
        message = chat_message(entry.body["message"])
        if message is None:
            return Outcome({"ignored": "not_whatsapp"})
        conversation = await self._conversations.of_room(message.room)
        if conversation is None:
            return Outcome({"ignored": "not_whatsapp"})
        number = await self._registry.number(conversation.number)
        if number is None:
            raise NumberGone(conversation.number)
        raw = await self._as_it_stands(entry)
        if raw is None:
            told = notice(f"edited:{message.id}", message.room, "notice.deleted_in_time")
            return Outcome({"ignored": "deleted_in_time"}, then=(told,))
        message = chat_message(raw) or message

        try:
            parts, numbered = await self._parts(entry, raw, message, conversation, number.api_key)
            wamids = await hand_over(self._journal, self._whatsapp, entry, number.api_key, parts)
        except Refused as error:
            error.values["number"] = number.phone
            await self._endpoint.refused(entry.key, number.id, compose.address(conversation), message.text, error)
            raise
        if numbered:
            await self._numbered_lists.asked(entry, RoomId(message.room), conversation, numbered)
        pairs = tuple(
            Pair(
                wamid=wamid,
                message=MessageId(message.id),
                room=RoomId(message.room),
                number=number.id,
                contact=conversation.contact,
                outbound=True,
                entry=entry.key,
            )
            for wamid in wamids
        )
        said = from_rocketchat(message.text) or ", ".join(file.name for file in message.files)
        await self._endpoint.accepted(pairs, compose.address(conversation), said)
        if not pairs and message.quotes:
            told = notice(f"quote:{message.id}", message.room, "notice.quote_alone")
            return Outcome({"ignored": "no_content"}, then=(about(message.id, told),))
        result = {"wamids": list(wamids)} if pairs else {"ignored": "no_content"}
        return Outcome({**result, "as_of": edited_at(raw)} if was_edited(raw) else result, pairs)

    async def _parts(
        self, entry: Entry, raw: Json, message: ChatMessage, conversation: Conversation, api_key: str
    ) -> tuple[list[Make], tuple[str, ...]]:
        """The words, then the files; words that fit go with the first file as its caption. And what the numbers in the
        words stand for."""
        reply_to, quoted = await self._quoted(raw, message, conversation)
        if not message.files:
            return self._words(entry, message, conversation, reply_to, quoted)
        self._files.check(message.files)
        name, first = signature(message, self._app().agents_display_info), message.files[0]
        text = "\n".join(part for part in (quoted, from_rocketchat(message.text)) if part.strip())
        caption = signed(text, name)
        alone = message.buttons or is_sound(first.mime_type, first.name) or length(caption) > CAPTION
        words, numbered = self._words(entry, message, conversation, reply_to, quoted) if alone else ([], ())
        files = await self._files.parts(
            entry,
            message,
            conversation,
            api_key=api_key,
            start=len(words),
            caption="" if alone else caption,
            reply_to=None if words else reply_to,
        )
        return [*words, *files], numbered

    def _words(
        self, entry: Entry, message: ChatMessage, conversation: Conversation, reply_to: Wamid | None, quoted: str
    ) -> tuple[list[Make], tuple[str, ...]]:
        """The text and the quick replies, and what the numbers in the text stand for. Before files that carry no words:
        the author's name alone, when it is shown; else nothing."""
        app, to = self._app(), compose.address(conversation)
        text, prompt = from_rocketchat(message.text), self._t("quick.prompt")
        name = signature(message, app.agents_display_info)
        if not text.strip() and not message.buttons:
            return [self._text(entry, to, 0, name, reply_to)] if name and message.files else [], ()
        offered = offer(
            signed("\n".join(part for part in (quoted, text or prompt) if part), name),
            message.buttons,
            lists=app.allow_list_options,
            label=app.list_button_label,
            prompt=prompt,
            lead=len(signed(" ", name)) - 1,
        )
        makes = [self._text(entry, to, part, piece, reply_to) for part, piece in enumerate(offered.texts)]
        if offered.interactive is not None:
            last, content = len(makes), offered.interactive

            async def interactive() -> Json:
                return compose.interactive(to, content, opaque_name(entry.key, last), None if last else reply_to)

            makes.append(interactive)
        return makes, offered.numbered

    @staticmethod
    def _text(entry: Entry, to: str, part: int, piece: str, reply_to: Wamid | None) -> Make:
        async def body() -> Json:
            return compose.text(to, piece, opaque_name(entry.key, part), None if part else reply_to)

        return body

    async def _quoted(self, raw: Json, message: ChatMessage, conversation: Conversation) -> tuple[Wamid | None, str]:
        """The WhatsApp message that is quoted; else what it says, as a `> ` line. What the bot told agents is neither,
        nor is anything of another customer's conversation."""
        for id in message.quotes:
            for pair in await self._journal.pairs_of_message(id):
                if (pair.number, pair.contact) == (conversation.number, conversation.contact):
                    return pair.wamid, ""
        for id in message.quotes:
            said = from_rocketchat(quoted_here(raw, id))
            if said and not is_notice_id(id):
                return None, "\n".join(f"> {line}" for line in cut(said, _QUOTED).splitlines() if line.strip())
        return None, ""
