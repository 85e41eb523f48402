"""Rocket.Chat's admin plane: `bot.ports.WorkspaceAdmin` over the synchronous package `rocketchat_API`, in a thread.

Used at start and by setup, one call at a time. The package joins GET parameters into the address as they are, so they
are quoted here; it follows redirects and reads answers of any length, so its session is told not to.
Sources: Rocket.Chat 8.3 `app/api/server/v1/{groups,settings,misc}.ts`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests
from rocketchat_API.APIExceptions.RocketExceptions import RocketApiException, RocketBadStatusCodeException
from rocketchat_API.rocketchat import RocketChat

from bot.errors import BotError, LoggedOut, NotAllowed, NotFound, RoomUnknown, Trouble, Unreachable
from bot.model import RoomId
from bot.ports import Json, WorkspaceAdmin
from bot.rocketchat.credentials import Credentials, Login
from bot.rocketchat.error_ids import error_of
from bot.rocketchat.http import reason_of

_LARGEST = 16 * 1024 * 1024
T = TypeVar("T")
Watch = Callable[[int | None, float], None]
"""Told of each call's status, None without an answer, and its seconds; in the thread that made it."""


class Admin:
    """Every call logs in as `credentials` say, and once more with a renewed token when the server refuses the old."""

    def __init__(
        self, url: str, credentials: Credentials, *, timeout: float = 30.0, watch: Watch = lambda *_: None
    ) -> None:
        self._url, self._credentials, self._timeout = url.rstrip("/"), credentials, timeout
        self._watch = watch
        self._lock = asyncio.Lock()

    async def me(self) -> Json:
        me = await self._do(lambda rc: rc.me())
        if not isinstance(me, dict) or not isinstance(me.get("_id"), str):
            raise Trouble("the answer names no account")
        return me

    async def private_channel(self, id: RoomId) -> Json | None:
        return await self._group(roomId=quote(id, safe=""))

    async def private_channel_named(self, name: str) -> Json | None:
        return await self._group(roomName=quote(name, safe=""))

    async def create_private_channel(self, name: str) -> Json:
        """Never encrypted, also where that is the default for private rooms: the bot could not read it."""
        extra = {"broadcast": False, "encrypted": False}
        return _named(await self._do(lambda rc: rc.groups_create(name, members=[], extraData=extra)), "group")

    async def members(self, room: RoomId) -> frozenset[str]:
        id = quote(room, safe="")
        people = await self._do(lambda rc: list(rc.groups_members(room_id=id, count=100)))
        names = (person.get("username") for person in people if isinstance(person, dict))
        return frozenset(name for name in names if isinstance(name, str))

    async def invite(self, room: RoomId, username: str) -> None:
        await self._do(lambda rc: rc.call_api_post("groups.invite", roomId=room, username=username))

    async def set_topic(self, room: RoomId, topic: str) -> None:
        await self._do(lambda rc: rc.groups_set_topic(room, topic))

    async def set_description(self, room: RoomId, description: str) -> None:
        await self._do(lambda rc: rc.groups_set_description(room, description))

    async def version(self) -> str:
        """GET /api/info (8.3 `app/api/server/default/info.ts`): major and minor, all of it with `view-statistics`."""
        answer = await self._do(lambda rc: rc.info())
        told = answer.get("info", answer) if isinstance(answer, dict) else {}
        version = told.get("version") if isinstance(told, dict) else None
        return " ".join(version.split())[:40] if isinstance(version, str) else ""

    async def public_setting(self, id: str) -> Any | None:
        answer = await self._do(lambda rc: rc.call_api_get("settings.public", _id=quote(id, safe="")))
        settings = answer.get("settings") if isinstance(answer, dict) else None
        if not isinstance(settings, list):
            raise Trouble("the answer lists no settings")
        return next((item.get("value") for item in settings if isinstance(item, dict) and item.get("_id") == id), None)

    async def permissions(self) -> Mapping[str, frozenset[str]]:
        """GET permissions.listAll: open to every account that is logged in (8.3 `app/api/server/v1/permissions.ts`)."""
        answer = await self._do(lambda rc: rc.call_api_get("permissions.listAll"))
        listed = answer.get("update") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise Trouble("the answer lists no permissions")
        return {
            str(item["_id"]): frozenset(role for role in item.get("roles") or () if isinstance(role, str))
            for item in listed
            if isinstance(item, dict) and "_id" in item
        }

    async def agents(self, *, available: bool = False) -> int:
        """GET livechat/users/agent, for the number alone."""
        which = {"onlyAvailable": "true", "showIdleAgents": "true"} if available else {}
        answer = await self._do(lambda rc: rc.call_api_get("livechat/users/agent", count=1, **which))
        total = answer.get("total") if isinstance(answer, dict) else None
        if not isinstance(total, int):
            raise Trouble("the answer counts no agents")
        return total

    async def change_setting(self, id: str, value: Any) -> None:
        """Guarded by a second factor (8.3 `app/api/server/v1/settings.ts`). Where the password is known and is what
        the server asks for, which is the default for accounts without another factor, it confirms."""

        def change(rc: RocketChat) -> Any:
            return rc.settings_update(quote(id, safe=""), value)

        try:
            await self._do(change)
        except NotAllowed as error:
            factor = self._credentials.second_factor()
            if not (factor and "totp-required" in error.said):
                raise
            await self._do(change, factor)

    async def _group(self, **which: str) -> Json | None:
        try:
            return _named(await self._do(lambda rc: rc.call_api_get("groups.info", **which)), "group")
        except (RoomUnknown, NotFound):
            return None

    async def _do(self, work: Callable[[RocketChat], T], headers: Mapping[str, str] | None = None) -> T:
        async with self._lock:
            login = await self._credentials.current()
            try:
                return await asyncio.to_thread(self._in_thread, work, login, headers or {})
            except LoggedOut:
                if not self._credentials.renewable:
                    raise
            login = await self._credentials.renew(login)
            return await asyncio.to_thread(self._in_thread, work, login, headers or {})

    def _in_thread(self, work: Callable[[RocketChat], T], login: Login, headers: Mapping[str, str]) -> T:
        with _session(self._watch) as session:
            rc = RocketChat(
                server_url=self._url,
                auth_token=login.token,
                user_id=login.user,
                session=session,
                ssl_verify=ssl.get_default_verify_paths().cafile or True,
                timeout=self._timeout,
            )
            rc.headers.update(headers)
            began = time.perf_counter()
            try:
                return work(rc)
            except Exception as error:
                if isinstance(error, requests.ConnectionError | requests.Timeout):
                    self._watch(None, time.perf_counter() - began)
                raise _as_bot_error(error) from None


def _as_bot_error(error: Exception) -> BotError:
    match error:
        case BotError():
            return error
        case RocketApiException() | RocketBadStatusCodeException():
            return error_of(error.status_code, error.response_json)
        case requests.ConnectionError():
            return Unreachable(reason_of(error))
    # requests.Timeout, a redirect, an answer that is no JSON and was taken for one by the package
    return Trouble(type(error).__name__)


def _named(answer: Any, name: str) -> Json:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("_id"), str):
        raise Trouble(f"the answer holds no {name}")
    return found


def _session(watch: Watch) -> requests.Session:
    session = requests.Session()
    session.max_redirects = 0
    session.trust_env = False  # the same road as the two asynchronous clients: no proxy, no .netrc
    session.hooks["response"] += [partial(_watched, watch), _read_bounded]
    return session


def _watched(watch: Watch, response: requests.Response, *_: Any, **__: Any) -> None:
    watch(response.status_code, response.elapsed.total_seconds())


def _read_bounded(response: requests.Response, *_: Any, **__: Any) -> None:
    """Runs before `requests` would read the whole body."""
    content = bytearray()
    for chunk in response.iter_content(65536):
        content += chunk
        if len(content) > _LARGEST:
            response.close()
            raise Trouble(f"the answer is longer than {_LARGEST} bytes")
    response._content = bytes(content)  # there is no public way to hand a body that was read back to `requests`


if TYPE_CHECKING:

    def _fits(admin: Admin) -> WorkspaceAdmin:
        return admin
