"""The ports to Rocket.Chat: what the middle of the house needs of the workspace. Known to all as part of `bot.ports`.

Unless a docstring says otherwise every method may raise any of `Busy`, `Unsure` and `Refused` (see `bot.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.model import Department, FileRef, MessageId, Post, RoomId, UserId, Visitor, VisitorToken

Json = Mapping[str, Any]


class Workspace(Protocol):
    """Rocket.Chat as the road needs it: the hot path, one REST call per method unless it says more."""

    async def register(self, token: VisitorToken, *, name: str = "", phone: str = "", department: str = "") -> Visitor:
        """Makes or updates the visitor. The token of the answer counts: it may not be the one that was sent."""

    async def open_room(self, token: VisitorToken, agent: str = "") -> RoomId:
        """The visitor's open room, or a new one; `agent` is the id of the person who gets the new one if available.

        Raises VisitorUnknown, NoAgentOnline, OmnichannelOff, ContactBlocked."""

    async def post(self, room: RoomId, token: VisitorToken, id: MessageId, text: str) -> RoomId:
        """Posts as the customer; the same id twice is one message. Returns the room that holds it, which
        differs when it was stored elsewhere. Raises RoomClosed, RoomUnknown, VisitorUnknown, TooLong."""

    async def posted(self, room: RoomId, token: VisitorToken, id: MessageId) -> bool:
        """Whether the customer's message is in that room, open or closed."""

    async def upload(
        self, room: RoomId, token: VisitorToken, file: Path, *, name: str, mime_type: str, text: str
    ) -> MessageId:
        """Posts a file as the customer, with `text` above it; the server chooses the id, so a second call is a second
        message. Raises FileRefused when the workspace does not take it, RoomClosed when the room takes nothing."""

    def download(self, room: RoomId, token: VisitorToken, file: FileRef) -> AsyncGenerator[bytes, None]:
        """Content of a file in the customer's room. Close it. Raises NotFound, NotAllowed, FileRefused."""

    async def character_limit(self) -> int:
        """Most characters that visitors may write at once; 0 when there is no limit."""

    async def say(self, room: RoomId, id: MessageId, post: Post) -> None:
        """Posts as the bot; the same id twice is one message (a second try looks whether it is there)."""

    async def delete(self, room: RoomId, id: MessageId) -> None: ...

    async def message(self, id: MessageId) -> Json | None:
        """The raw message as it now stands; None when it is gone or cannot be seen."""

    async def react(self, id: MessageId, code: str, on: bool) -> None:
        """Sets or takes back the bot's reaction; `code` is a short code with colons, `:thumbsup:`. Repeatable.
        Raises Refused for a code that the workspace does not know."""

    async def token_of_room(self, room: RoomId) -> VisitorToken | None:
        """Visitor token of a livechat room; None when it is no livechat room or cannot be seen."""

    async def rooms_since(self, moment: float) -> list[RoomId]:
        """Livechat rooms, open, queued, on hold or closed, that changed after `moment` (server clock)."""

    async def direct_rooms_since(self, moment: float) -> list[RoomId]:
        """Direct rooms with the bot that changed after `moment`."""

    async def messages_since(self, room: RoomId, moment: float) -> list[Json]:
        """Raw messages of a room that changed after `moment`, oldest first. Of one that was deleted there is `_id`, the
        moment, and `t: "rm"`."""

    async def roles_of(self, user: UserId, room: RoomId | None = None) -> frozenset[str]:
        """Workspace roles of a person, and their roles in `room` (owner, moderator) when one is given."""

    async def departments(self) -> list[Department]: ...

    async def takes_conversations(self, department: str) -> bool:
        """Whether a new conversation of this department, or of the one that stands in for it, finds somebody now."""

    async def anybody_available(self, department: str) -> bool:
        """Whether an agent takes conversations now: of this department, or at all when it is empty.

        Raises NotAllowed when the bot's account may not see agents."""

    async def agent(self, username: str, *, available: bool = False) -> str | None:
        """Id of the Omnichannel agent with this user name; with `available` only if they take conversations now.

        Raises NotAllowed when the bot's account may not see agents."""


class WorkspaceAdmin(Protocol):
    """Rocket.Chat's admin plane: used at start and by setup, never per message."""

    async def me(self) -> Json:
        """The bot's own account: `_id`, `username`, `roles`."""

    async def private_channel(self, id: RoomId) -> Json | None:
        """The channel if it still exists and the bot is in it: `_id`, `name`, `topic`, `description`."""

    async def private_channel_named(self, name: str) -> Json | None: ...

    async def create_private_channel(self, name: str) -> Json:
        """Raises AlreadyThere when the name is taken, also by a room that the bot cannot see."""

    async def members(self, room: RoomId) -> frozenset[str]:
        """User names."""

    async def invite(self, room: RoomId, username: str) -> None: ...

    async def set_topic(self, room: RoomId, topic: str) -> None: ...

    async def set_description(self, room: RoomId, description: str) -> None: ...

    async def version(self) -> str:
        """Of the server, as far as it tells; empty when it does not."""

    async def public_setting(self, id: str) -> Any | None: ...

    async def permissions(self) -> Mapping[str, frozenset[str]]:
        """Every permission of the workspace and the roles that hold it."""

    async def agents(self, *, available: bool = False) -> int:
        """How many people are Omnichannel agents; with `available` how many of them take conversations now."""

    async def change_setting(self, id: str, value: Any) -> None:
        """Raises NotAllowed when the account may not, or when a second factor is asked for."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Connected, logged in and subscribed: from now on events come in; what was missed must be caught up."""

    user: UserId


@dataclass(frozen=True, slots=True)
class Heard:
    """A raw message of a room that the bot can see; `room_type` is Rocket.Chat's letter (l, p, d, c)."""

    message: Json
    room_type: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; the stream reconnects by itself."""

    why: str


class Stream(Protocol):
    """Endless: reconnects for ever, with `Ready` after each successful login."""

    def events(self) -> AsyncGenerator[Ready | Heard | Lost, None]: ...
