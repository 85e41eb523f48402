"""Who a customer is in Rocket.Chat: the visitor and the room that stand for one contact on one number.

A visitor's token is a credential, so it is an HMAC over a secret of ours and never the phone number. Rocket.Chat
matches a visitor by exact phone string and then keeps *its* token (packages/omni-core/src/visitor/create.ts), and one
token has one open room. Hence: the token of the answer counts, and a customer who writes to two of our numbers gets a
second visitor, registered without the phone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.errors import (
    BotError,
    DepartmentUnknown,
    NoAgentOnline,
    Refused,
    RoomClosed,
    RoomUnknown,
    TooLong,
    Trouble,
    VisitorUnknown,
)
from bot.model import ContactId, Conversation, MessageId, Number, NumberId, RoomId, Sender, VisitorToken
from bot.ports import Alone, Journal, Registry, Workspace
from bot.relay.auto_messages import opened
from bot.relay.notices import department_gone
from bot.relay.targets import Targets
from bot.relay.unseen import Unseen
from bot.whatsapp.split import length, split

TokenMaker = Callable[[NumberId, ContactId], VisitorToken]

_ROOM_REPAIRS = 3
"""How often one message may find its room closed under it before the server is given a rest."""
_FOREIGN_REMEMBERED = 10_000


class Delivery(Protocol):
    """Something of the customer's on its way into their room."""

    async def put(self, room: RoomId, token: VisitorToken) -> RoomId:
        """The room that holds it now. Raises RoomClosed, RoomUnknown or VisitorUnknown when it must go elsewhere."""

    async def there(self, room: RoomId, token: VisitorToken) -> bool:
        """Whether the room, which takes nothing any more, holds it since an earlier try."""


@dataclass(frozen=True, slots=True)
class _Words:
    workspace: Workspace
    id: MessageId
    text: str

    async def put(self, room: RoomId, token: VisitorToken) -> RoomId:
        return await self.workspace.post(room, token, self.id, self.text)

    async def there(self, room: RoomId, token: VisitorToken) -> bool:
        try:
            return await self.workspace.posted(room, token, self.id)
        except VisitorUnknown:
            return False


class Conversations:
    """Finds, opens and repairs; remembers rooms that are surely somebody else's."""

    def __init__(
        self,
        journal: Journal,
        workspace: Workspace,
        registry: Registry,
        token: TokenMaker,
        *,
        targets: Targets,
        unseen: Unseen,
        alone: Alone,
    ) -> None:
        self._journal = journal
        self._workspace = workspace
        self._registry = registry
        self._token = token
        self._targets = targets
        self._unseen = unseen
        self._alone = alone
        self._foreign: OrderedDict[RoomId, None] = OrderedDict()

    async def post(
        self, number: Number, sender: Sender, name: str, text: str, message_id: Callable[[int], MessageId]
    ) -> tuple[Conversation, RoomId]:
        """Puts the customer's text into their open room, as one message or as many as the workspace's limit asks for.

        Known open room: one call. Repeatable: `message_id(part)` gives each message its fixed id. Returns the
        conversation as it now stands and the room that holds (the last of) the text.
        """
        conversation = await self.known(number, sender) or await self._meet(number, sender, name)
        try:
            return await self._put(conversation, number, name, text, message_id(0))
        except TooLong:
            limit = await self._workspace.character_limit()
            if not limit or limit >= length(text):
                raise
        conversation = await self.known(number, sender) or conversation
        for part, piece in enumerate(split(text, limit)):
            conversation, room = await self._put(conversation, number, name, piece, message_id(part))
        return conversation, room

    async def ready(self, number: Number, sender: Sender, name: str) -> Conversation:
        """The conversation with a room that was open when last heard of; no call when it is known."""
        conversation = await self.known(number, sender) or await self._meet(number, sender, name)
        return conversation if conversation.room is not None else await self._open(conversation, number, name)

    async def of_room(self, room: RoomId) -> Conversation | None:
        """The conversation of a livechat room; None when the room belongs to another channel.

        A room that we do not know may still be ours, opened for our visitor behind our back: its token tells.
        """
        known = await self._journal.conversation_of_room(room)
        if known is not None:
            return known
        token = await self._workspace.token_of_room(room)
        ours = await self._journal.conversation_of_token(token) if token else None
        if ours is None:
            self._foreign[room] = None
            if len(self._foreign) > _FOREIGN_REMEMBERED:
                self._foreign.popitem(last=False)
            return None
        ours = replace(ours, room=room)
        await self._journal.remember(ours)
        return ours

    async def surely_foreign(self, room: RoomId) -> bool:
        """Unless another bot has found since that its visitor is a customer of ours too."""
        if room in self._foreign and await self._journal.conversation_of_room(room) is not None:
            self._foreign.pop(room, None)
        return room in self._foreign

    async def closed(self, conversation: Conversation, room: RoomId) -> None:
        """The room is over: the customer's next message asks for a new one at once, unless they have one already."""
        now = await self._journal.conversation(conversation.number, conversation.contact)
        if now is not None and now.room == room:
            await self._journal.remember(replace(now, room=None))

    async def known(self, number: Number, sender: Sender) -> Conversation | None:
        """Under the contact's id, phone or user id; a customer who changed their number is found under both."""
        for name in (sender.contact, sender.phone.lstrip("+"), sender.user_id):
            found = await self._journal.conversation(number.id, ContactId(name)) if name else None
            if found is not None:
                return found
        return None

    async def _meet(self, number: Number, sender: Sender, name: str) -> Conversation:
        """Registration is not atomic on the server: two first messages at once would make two visitors."""
        async with self._alone(f"visitor:{sender.contact}"):
            conversation = Conversation(
                number=number.id,
                contact=sender.contact,
                token=self._token(number.id, sender.contact),
                phone=sender.phone,
                user_id=sender.user_id,
                name=name,
            )
            return await self._register(conversation, number, name)

    async def _register(
        self, conversation: Conversation, number: Number, name: str, department: str | None = None
    ) -> Conversation:
        """Makes the visitor. The phone goes with it unless another of our numbers already has it. The department is the
        number's own unless another one is named. The token is stored before any room is opened with it: a chatbot
        answers in a new room before we hear which it is."""
        department = number.department if department is None else department
        token = self._token(conversation.number, conversation.contact)
        taken = [
            other
            for other in await self._registry.numbers()
            if other.id != number.id and await self._journal.conversation(other.id, conversation.contact)
        ]
        phone = "" if taken else conversation.phone
        try:
            visitor = await self._workspace.register(token, name=name, phone=phone, department=department)
        except DepartmentUnknown:
            department = ""
            visitor = await self._workspace.register(token, name=name, phone=phone)
            await self._journal.append(department_gone(number))
        if visitor.token != token:
            owner = await self._journal.conversation_of_token(visitor.token)
            if owner is not None and (owner.number, owner.contact) != (conversation.number, conversation.contact):
                visitor = await self._workspace.register(token, name=name, department=department)
        conversation = replace(conversation, token=visitor.token)
        await self._journal.remember(conversation)
        return conversation

    async def _put(
        self, conversation: Conversation, number: Number, name: str, text: str, id: MessageId
    ) -> tuple[Conversation, RoomId]:
        return await self.deliver(conversation, number, name, _Words(self._workspace, id, text))

    async def deliver(
        self, conversation: Conversation, number: Number, name: str, delivery: Delivery
    ) -> tuple[Conversation, RoomId]:
        """Puts it into the open room, and opens a new one when the room was closed; the room that holds it."""
        for _ in range(_ROOM_REPAIRS):
            if conversation.room is None:
                conversation = await self._open(conversation, number, name)
            assert conversation.room is not None
            try:
                room = await delivery.put(conversation.room, conversation.token)
            except (RoomClosed, RoomUnknown):
                closed = conversation.room
                conversation = replace(conversation, room=None)
                if await delivery.there(closed, conversation.token):
                    return conversation, closed  # stored before the room was closed
                await self._journal.remember(conversation)  # the next try begins with a new room
            except VisitorUnknown:
                conversation = await self._register(replace(conversation, room=None), number, name)
            else:
                return await self._after(conversation, number, room), room
        raise Trouble("the room was closed again and again while the message was on its way")

    async def _after(self, conversation: Conversation, number: Number, room: RoomId) -> Conversation:
        """The server may answer with another room: a new one that it opened because ours was closing, or an older one
        that has held this very message since an earlier try."""
        if room == conversation.room:
            return conversation
        if await self._journal.conversation_of_room(room) is not None:
            return conversation
        await self._begin(number, conversation, room, number.department)
        return replace(conversation, room=room)

    async def _open(self, conversation: Conversation, number: Number, name: str) -> Conversation:
        conversation, room, department = await self._ask_room(conversation, number, name)
        conversation = replace(conversation, room=room)
        await self._begin(number, conversation, room, department)  # first, so that a crash in between loses none
        await self._journal.remember(conversation)  # before the agent can answer in it
        self._foreign.pop(room, None)
        return conversation

    async def _begin(self, number: Number, conversation: Conversation, room: RoomId, department: str) -> None:
        await self._unseen.show(conversation, room)
        await opened(self._journal, self._workspace, number, conversation, room=room, department=department)

    async def _ask_room(
        self, conversation: Conversation, number: Number, name: str
    ) -> tuple[Conversation, RoomId, str]:
        """With the agent or department that a template named for the answer, as far as Rocket.Chat takes them: without
        that agent when they take nobody now, then without that department. As usual when there is none. Also tells the
        department, empty for none."""
        wished = await self._targets.route(conversation, number)
        for route in wished.with_fallbacks(number.department):
            department = route.department or number.department
            try:
                if route.department:
                    conversation = await self._register(conversation, number, name, department)
                try:
                    room = await self._workspace.open_room(conversation.token, route.agent)
                except VisitorUnknown:
                    conversation = await self._register(conversation, number, name, department)
                    room = await self._workspace.open_room(conversation.token, route.agent)
            except (Refused, NoAgentOnline) as error:
                refused: BotError = error
                continue
            await self._targets.followed(conversation, route, number)
            return conversation, room, department
        raise refused
