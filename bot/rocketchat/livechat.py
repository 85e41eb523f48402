"""Rocket.Chat's REST API as the road needs it: `bot.ports.Workspace` over aiohttp, one call per method where possible.

Every call may be made twice without harm, so an answer that was lost is `Trouble` (again), never `Unsure`. Auth headers
go with every call, also to the public livechat routes: role `bot` is free of their limit of five calls a minute.
Sources: Rocket.Chat 8.3 `app/livechat/server/api/v1/{visitor,room,message,config}.ts`,
`app/livechat/imports/server/rest`, `app/api/server/v1/{chat,rooms,roles,groups,im,users}.ts`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from bot.errors import LoggedOut, NotAllowed, NotFound, Refused, RoomUnknown, Trouble
from bot.model import Department, FileRef, MessageId, Post, RoomId, UserId, Visitor, VisitorToken
from bot.ports import Json, Workspace
from bot.rocketchat import compose, files
from bot.rocketchat.credentials import Credentials
from bot.rocketchat.http import ask
from bot.rocketchat.parse import changed_at, clean, dicts, moment, named

_PAGE = 100  # API_Upper_Count_Limit: more is silently cut
_OVERLAP = 10
_MOST_PAGES = 1000

AskDdp = Callable[..., Awaitable[Any]]
"""`Realtime.call`: a DDP method by name."""


class Livechat:
    """The hot path. `ask_ddp` answers for servers that lack the REST route for roles."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
        *,
        ask_ddp: AskDdp | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._url = url.rstrip("/")
        self._api = f"{self._url}/api/v1"
        self._credentials, self._session = credentials, session
        self._ask_ddp, self._timeout = ask_ddp, timeout

    # --- the customer's side ------------------------------------------------------------------------------------

    async def register(self, token: VisitorToken, *, name: str = "", phone: str = "", department: str = "") -> Visitor:
        wished = {"token": token, "name": name, "phone": phone, "department": department}
        body = {"visitor": {key: value for key, value in wished.items() if value}}
        answer = await self._post("livechat/visitor", body)
        return Visitor(_need(answer, "visitor", "_id"), VisitorToken(_need(answer, "visitor", "token")))

    async def open_room(self, token: VisitorToken, agent: str = "") -> RoomId:
        query: dict[str, str | int] = {"token": token, **({"agentId": agent} if agent else {})}
        return RoomId(_need(await self._call("GET", "livechat/room", query=query), "room", "_id"))

    async def post(self, room: RoomId, token: VisitorToken, id: MessageId, text: str) -> RoomId:
        answer = await self._post("livechat/message", {"token": token, "rid": room, "msg": text, "_id": id})
        return RoomId(_need(answer, "message", "rid"))

    async def posted(self, room: RoomId, token: VisitorToken, id: MessageId) -> bool:
        try:
            answer = await self._get(f"livechat/message/{quote(id, safe='')}", token=token, rid=room)
        except (NotFound, RoomUnknown):
            return False
        return _need(answer, "message", "rid") == room

    async def upload(
        self, room: RoomId, token: VisitorToken, file: Path, *, name: str, mime_type: str, text: str
    ) -> MessageId:
        url = f"{self._api}/livechat/upload/{quote(room, safe='')}"
        login = await self._credentials.current()
        for last in (False, True):
            headers = {**login.headers, "x-visitor-token": token}
            try:
                return await files.upload(self._session, url, headers, file, name=name, mime_type=mime_type, text=text)
            except LoggedOut:
                if last or not self._credentials.renewable:
                    raise
            login = await self._credentials.renew(login)
        raise AssertionError("the second try returns or raises")

    def download(self, room: RoomId, token: VisitorToken, file: FileRef) -> AsyncGenerator[bytes, None]:
        return files.download(self._session, self._url, room, token, file)

    async def character_limit(self) -> int:
        answer = await self._get("livechat/config")
        limit = _dig(answer, "config", "settings", "limitTextLength")
        return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else 0

    # --- the bot's side -----------------------------------------------------------------------------------------

    async def say(self, room: RoomId, id: MessageId, post: Post) -> None:
        """A second try of a message that is there is refused with a TypeError of the server's (8.3), so we look."""
        message = {"_id": id, "rid": room, **compose.post(post)}
        try:
            await self._post("chat.sendMessage", {"message": message, "previewUrls": []})
        except Refused as error:
            if type(error) is not Refused or not await self._is_there(room, id):
                raise

    async def delete(self, room: RoomId, id: MessageId) -> None:
        try:
            await self._post("chat.delete", {"roomId": room, "msgId": id})
        except Refused as error:
            if not (isinstance(error, NotFound) or error.said.startswith("No message found")):
                raise

    async def message(self, id: MessageId) -> Json | None:
        try:
            found = _dig(await self._get("chat.getMessage", msgId=id), "message")
        except Refused:
            return None
        return found if isinstance(found, dict) else None

    async def react(self, id: MessageId, code: str, on: bool) -> None:
        """Without `shouldReact` the server would toggle."""
        await self._post("chat.react", {"messageId": id, "emoji": code, "shouldReact": on})

    # --- looking --------------------------------------------------------------------------------------------------

    async def token_of_room(self, room: RoomId) -> VisitorToken | None:
        try:
            answer = await self._get("rooms.info", roomId=room)
        except (NotFound, RoomUnknown, NotAllowed):
            return None
        token = clean(_dig(answer, "room", "v", "token"))
        return VisitorToken(token) if token and _dig(answer, "room", "t") == "l" else None

    async def rooms_since(self, moment: float) -> list[RoomId]:
        """The room that changed first comes first.

        Without `open`, which would leave out queued rooms and those on hold. Pages overlap: the list moves while it is
        read, and a room that leaves it would pull another one over the edge of a page.
        """
        found: dict[RoomId, None] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            order = json.dumps({"_updatedAt": -1})
            answer = await self._get("livechat/rooms", sort=order, count=_PAGE, offset=offset)
            page, before = list(dicts(answer.get("rooms"))), len(found)
            for room in page:
                changed = changed_at({"_updatedAt": room.get("_updatedAt")})
                if changed and changed < moment:
                    return list(reversed(found))
                if id := clean(room.get("_id")):
                    found[RoomId(id)] = None
            total = answer.get("total")
            at_end = offset + len(page) >= total if isinstance(total, int) else len(found) == before
            if not page or at_end:
                break
            offset += max(len(page) - _OVERLAP, 1)
        return list(reversed(found))

    async def direct_rooms_since(self, moment: float) -> list[RoomId]:
        """`rooms.get` lists whatever the bot is a member of (developer.rocket.chat: Get Rooms)."""
        answer = await self._get("rooms.get", updatedSince=_just_before(moment))
        found = [clean(room.get("_id")) for room in dicts(answer.get("update")) if room.get("t") == "d"]
        return [RoomId(id) for id in found if id]

    async def messages_since(self, room: RoomId, moment: float) -> list[Json]:
        """What was deleted stands here as the placeholder that other workspaces keep of it, `t: "rm"`: where none is
        kept, which is the default, this list is the only place that names it (8.3 server/publications/messages.ts)."""
        answer = await self._get("chat.syncMessages", roomId=room, lastUpdate=_just_before(moment))
        gone = [_placeholder(room, one) for one in dicts(_dig(answer, "result", "deleted"))]
        messages = [*gone, *dicts(_dig(answer, "result", "updated"))]
        messages.reverse()  # newest first on the wire; sorting keeps the order of equal moments
        messages.sort(key=_written_at)
        return [named(message) for message in messages]

    async def departments(self) -> list[Department]:
        try:
            return [_department(item) for item in await self._all("livechat/department", "departments")]
        except Refused:  # neither view-livechat-departments nor view-l-room: the public list has those with agents
            answer = await self._get("livechat/config")
            return [_department(item) for item in dicts(_dig(answer, "config", "departments"))]

    async def takes_conversations(self, department: str) -> bool:
        """`online` of the public configuration counts fallback departments, and is true where chats may wait."""
        answer = await self._get("livechat/config", department=department)
        return _dig(answer, "config", "online") is not False

    async def anybody_available(self, department: str) -> bool:
        """`online` of the public configuration is true wherever chats may wait, so the agents themselves are looked at.
        Idle ones count."""
        query = {"onlyAvailable": "true", "showIdleAgents": "true"}
        free = {clean(user.get("_id")) for user in await self._all("livechat/users/agent", "users", query)}
        if not (free and department):
            return bool(free)
        members = await self._all(f"livechat/department/{quote(department, safe='')}/agents", "agents")
        return any(clean(member.get("agentId")) in free for member in members)

    async def agent(self, username: str, *, available: bool = False) -> str | None:
        """The server's `text` finds parts of names too, so its answer is searched."""
        name = username.lstrip("@").casefold()
        query: dict[str, str | int] = {"text": name}
        if available:
            query |= {"onlyAvailable": "true", "showIdleAgents": "true"}
        for user in await self._all("livechat/users/agent", "users", query):
            if clean(user.get("username")).casefold() == name:
                return clean(user.get("_id")) or None
        return None

    # --- roles ------------------------------------------------------------------------------------------------------

    async def roles_of(self, user: UserId, room: RoomId | None = None) -> frozenset[str]:
        """Raises NotAllowed when no way to ask is open to the bot's account on this version of the server."""
        in_room = await self._room_roles(user, room) if room else frozenset()
        try:
            return in_room | await self._workspace_roles(user)
        except NotAllowed:
            if in_room:
                return in_room
            raise

    async def _workspace_roles(self, user: UserId) -> frozenset[str]:
        """Three ways, by version: the REST route (7.x, 8.x), the DDP method before it, and a privileged look."""
        for ask_people in (self._public_roles, self._public_roles_by_ddp):
            try:
                people = await ask_people()
            except Refused:
                continue
            return frozenset(role for person in people if person.get("_id") == user for role in _roles(person))
        try:
            answer = await self._get("users.info", userId=user)
        except Refused as error:
            raise NotAllowed(f"roles cannot be read: {error.said}") from None
        person = _dig(answer, "user")
        if not isinstance(person, dict) or not isinstance(person.get("roles"), list):
            raise NotAllowed("roles cannot be read: no route tells the bot's account")
        return _roles(person)

    async def _public_roles(self) -> list[Json]:
        answer = await self._get("roles.getUsersInPublicRoles", optional=True)
        if not isinstance(answer.get("users"), list):
            raise Trouble("the answer lists no users")
        return list(dicts(answer["users"]))

    async def _public_roles_by_ddp(self) -> list[Json]:
        if self._ask_ddp is None:
            raise NotFound("no DDP connection to ask")
        return list(dicts(await self._ask_ddp("getUserRoles")))

    async def _room_roles(self, user: UserId, room: RoomId) -> frozenset[str]:
        try:
            answer = await self._get("groups.roles", roomId=room, optional=True)
        except Refused:  # not a private channel, or not one of ours
            return frozenset()
        people = (item for item in dicts(answer.get("roles")) if _dig(item, "u", "_id") == user)
        return frozenset(role for person in people for role in _roles(person))

    # --- the wire ---------------------------------------------------------------------------------------------------

    async def _is_there(self, room: RoomId, id: MessageId) -> bool:
        return clean(_dig(await self.message(id), "rid")) == room

    async def _all(self, path: str, name: str, query: Mapping[str, str | int] | None = None) -> list[Json]:
        found: list[Json] = []
        for _ in range(_MOST_PAGES):
            asked = {**(query or {}), "count": _PAGE, "offset": len(found)}
            answer = await self._call("GET", path, query=asked, optional=True)
            page, total = list(dicts(answer.get(name))), answer.get("total")
            found += page
            if not page or not isinstance(total, int) or len(found) >= total:
                break
        return found

    async def _get(self, path: str, *, optional: bool = False, **query: str | int) -> dict[str, Any]:
        return await self._call("GET", path, query=query, optional=optional)

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._call("POST", path, body=body)

    async def _call(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        login = await self._credentials.current()
        url, timeout = f"{self._api}/{path}", self._timeout
        try:
            return await ask(self._session, method, url, headers=login.headers, timeout=timeout, **rest)
        except LoggedOut:
            if not self._credentials.renewable:
                raise
        login = await self._credentials.renew(login)
        return await ask(self._session, method, url, headers=login.headers, timeout=timeout, **rest)


def _just_before(moment: float) -> str:
    """The server compares strictly, so it is asked from one millisecond earlier."""
    since = datetime.fromtimestamp(max(moment - 0.001, 0.0), UTC).isoformat(timespec="milliseconds")
    return since.replace("+00:00", "Z")


def _dig(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _need(answer: object, *path: str) -> str:
    """A text that a success must hold."""
    found = clean(_dig(answer, *path))
    if not found:
        raise Trouble(f"the answer holds no {'.'.join(path)}")
    return found


def _roles(person: Mapping[str, Any]) -> frozenset[str]:
    roles = person.get("roles")
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()


def _department(item: Mapping[str, Any]) -> Department:
    return Department(clean(item.get("_id")), clean(item.get("name")), item.get("enabled") is not False)


def _placeholder(room: RoomId, gone: Json) -> Json:
    when = gone.get("_deletedAt")
    return {"_id": gone.get("_id"), "rid": room, "t": "rm", "ts": when, "_updatedAt": when}


def _written_at(message: Json) -> float:
    return moment(message.get("ts")) or 0.0


if TYPE_CHECKING:

    def _fits(livechat: Livechat) -> Workspace:
        return livechat
