"""Everything the workspace holds, in memory: users, tokens, rooms, subscriptions, messages, visitors, departments.

No rules live here beyond what the database itself does (`_updatedAt`, unique ids). Whoever changes something calls
`emit`, and streams, waiting tests and the demo page hear of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.sandbox.rocketchat.permissions import DEFAULTS
from bot.sandbox.rocketchat.settings import Settings
from bot.sandbox.rocketchat.table import Table
from bot.sandbox.rocketchat.wire import Doc, PlainError, copied, moment, new_id

DAY = 86400.0


@dataclass(eq=False, slots=True)
class User:
    id: str
    username: str
    name: str
    roles: tuple[str, ...]
    password: str | None = field(default=None, repr=False)
    email: str = ""
    available: bool = True
    """statusLivechat is `available`."""
    status: str = "online"
    active: bool = True

    def short(self) -> Doc:
        """The `u` of messages."""
        return {"_id": self.id, "username": self.username, "name": self.name}


@dataclass(eq=False, slots=True)
class Token:
    """A login token or personal access token; the latter never expires."""

    value: str = field(repr=False)
    user_id: str
    expires: float | None
    name: str = ""
    bypass_two_factor: bool = False
    second_factor_until: dict[tuple[str, str], float] = field(default_factory=dict)
    """(user agent, ip): a second factor was shown and is remembered."""


@dataclass(eq=False, slots=True)
class Department:
    id: str
    name: str
    agents: list[str] = field(default_factory=list)
    enabled: bool = True
    show_on_registration: bool = True
    fallback: str | None = None

    def doc(self) -> Doc:
        extra = {"fallbackForwardDepartment": self.fallback} if self.fallback else {}
        return {
            "_id": self.id,
            "name": self.name,
            "enabled": self.enabled,
            "description": "",
            "numAgents": len(self.agents),
            "showOnRegistration": self.show_on_registration,
            "showOnOfflineForm": False,
            "requestTagBeforeClosingChat": False,
            "email": "",
            "chatClosingTags": [],
            "offlineMessageChannelName": "",
            "abandonedRoomsCloseCustomMessage": "",
            "waitingQueueMessage": "",
            "departmentsAllowedToForward": [],
            **extra,
        }


def _room_index(room: Doc) -> Iterable[Hashable]:
    kind = room["t"]
    if kind == "d":
        yield "between", *sorted(room["usernames"])
    elif kind == "l":
        if room.get("open"):
            yield "open of token", room["v"]["token"]
            yield "open of guest", room["v"]["_id"]
            if served := room.get("servedBy"):
                yield "open served by", served["_id"]
    else:
        yield "name", room.get("name")


def _subscription_index(subscription: Doc) -> Iterable[Hashable]:
    return ("room", subscription["rid"]), ("user", subscription["u"]["_id"])


def _visitor_index(visitor: Doc) -> Iterable[Hashable]:
    yield "token", visitor["token"]
    yield from {("phone", each.get("phoneNumber")): None for each in visitor.get("phone", ())}
    yield from {("email", each.get("address")): None for each in visitor.get("visitorEmails", ())}


class World:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.settings = Settings(lambda id, value: self.emit("setting", {"_id": id, "value": value}))
        self.permissions: dict[str, set[str]] = {name: set(roles) for name, roles in DEFAULTS.items()}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.rooms: Table[str] = Table(_room_index)
        self.subscriptions: Table[tuple[str, str]] = Table(_subscription_index)
        self.messages: dict[str, Doc] = {}
        self.trash: dict[str, Doc] = {}
        self.visitors: Table[str] = Table(_visitor_index)
        self.inquiries: dict[str, Doc] = {}
        self.departments: dict[str, Department] = {}
        self.guests = 0
        self.latency = 0.0
        """Seconds between looking and storing where the real server is not atomic: raise it to make calls race."""
        self._of_room: dict[str, list[str]] = {}
        self._listeners: list[Callable[[str, Doc], None]] = []

    # --- time and announcements ---------------------------------------------------------------------------------

    def now(self) -> datetime:
        return moment(self.clock())

    async def gap(self) -> None:
        await asyncio.sleep(self.latency)

    def listen(self, listener: Callable[[str, Doc], None]) -> None:
        """`listener(kind, document)` after each change; the document is a copy."""
        self._listeners.append(listener)

    def emit(self, kind: str, document: Doc) -> None:
        if not self._listeners:
            return
        frozen = copied(document)
        for listener in self._listeners:
            listener(kind, frozen)

    # --- people -------------------------------------------------------------------------------------------------

    def user_named(self, username: str) -> User | None:
        return next((user for user in self.users.values() if user.username == username), None)

    def token(self, value: str) -> Token | None:
        """The token if it is known and has not run out."""
        token = self.tokens.get(value)
        if token is None or (token.expires is not None and token.expires <= self.clock()):
            return None
        return token

    def allows(self, user_id: str | None, permission: str, rid: str | None = None) -> bool:
        """hasPermission: roles of the user, and those held in the room when one is given."""
        user = self.users.get(user_id or "")
        if user is None:
            return False
        held = set(user.roles)
        if rid is not None:
            held.update(self.subscriptions.get((rid, user.id), {}).get("roles", ()))
        return not held.isdisjoint(self.permissions.get(permission, ()))

    # --- rooms --------------------------------------------------------------------------------------------------

    def put_room(self, room: Doc) -> Doc:
        room["_updatedAt"] = self.now()
        self.rooms[room["_id"]] = room
        self.emit("room-inserted", room)
        return room

    def touch_room(self, rid: str, **changes: Any) -> None:
        """$set on the room; a value of None removes the field."""
        room = self.rooms[rid]
        for name, value in changes.items():
            if value is None:
                room.pop(name, None)
            else:
                room[name] = value
        room["_updatedAt"] = self.now()
        self.rooms[rid] = room
        self.emit("room", room)

    def room_named(self, name: str) -> Doc | None:
        """A group or channel."""
        return self.rooms.first("name", name)

    def members(self, rid: str) -> list[User]:
        return [self.users[each["u"]["_id"]] for each in self.subscriptions.having("room", rid)]

    def joined(self, user_id: str) -> list[Doc]:
        """Rooms that the user is a member of."""
        return [self.rooms[each["rid"]] for each in self.subscriptions.having("user", user_id)]

    def subscribe(self, room: Doc, user: User, roles: Iterable[str] = (), **extra: Any) -> Doc:
        now = self.now()
        subscription: Doc = {
            "_id": new_id(),
            "rid": room["_id"],
            "t": room["t"],
            "name": room.get("name") or room.get("fname") or "",
            "fname": room.get("fname", ""),
            "u": user.short(),
            "open": True,
            "alert": False,
            "unread": 0,
            "userMentions": 0,
            "groupMentions": 0,
            "ts": now,
            "_updatedAt": now,
            **extra,
        }
        if held := list(roles):
            subscription["roles"] = held
        self.subscriptions[room["_id"], user.id] = subscription
        self.emit("subscription-inserted", subscription)
        return subscription

    def unsubscribe(self, rid: str, user_id: str) -> bool:
        subscription = self.subscriptions.pop((rid, user_id), None)
        if subscription is None:
            return False
        self.emit("subscription-removed", subscription)
        return True

    # --- messages -----------------------------------------------------------------------------------------------

    def put_message(self, message: Doc) -> Doc:
        """Inserts; the database's own refusal of a second `_id`."""
        if message["_id"] in self.messages:
            raise PlainError(
                "E11000 duplicate key error collection: rocketchat.rocketchat_message index: _id_ dup key: "
                f'{{ _id: "{message["_id"]}" }}'
            )
        message["_updatedAt"] = self.now()
        self.messages[message["_id"]] = message
        self._of_room.setdefault(message["rid"], []).append(message["_id"])
        return message

    def drop_message(self, id: str) -> Doc:
        message = self.messages.pop(id)
        self._of_room[message["rid"]].remove(id)
        return message

    def of_room(self, rid: str) -> list[Doc]:
        """Messages of a room, oldest first by `ts`."""
        found = [self.messages[id] for id in self._of_room.get(rid, ())]
        return sorted(found, key=lambda message: message["ts"])
