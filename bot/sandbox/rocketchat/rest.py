"""The REST machine: finds the route, then login, rate limit, parameters, permissions, second factor, action, in the
order of Rocket.Chat's ApiClass (apps/meteor/app/api/server/ApiClass.ts, middlewares/authenticationHono.ts).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from bot.sandbox.rocketchat.core import Core
from bot.sandbox.rocketchat.limits import RestLimits, Verdict
from bot.sandbox.rocketchat.schema import Schema
from bot.sandbox.rocketchat.state import Token, User, World
from bot.sandbox.rocketchat.wire import Answer, Doc, MeteorError, PlainError, failure, rest_json

UNAUTHORIZED: Doc = {
    "success": False,
    "error": "You must be logged in to do this.",
    "status": "error",
    "message": "You must be logged in to do this.",
}


@dataclass(slots=True)
class Call:
    """One REST call as the server saw it. `status` 0: the connection was cut."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    user_id: str | None
    at: float


@dataclass(slots=True)
class Context:
    """What an action has at hand. `user` and `token` are there where the route wants a login."""

    core: Core
    request: web.Request
    ip: str
    query: Doc
    body: Doc
    path: dict[str, str] = field(default_factory=dict)
    caller: User | None = None
    caller_token: Token | None = None

    @property
    def world(self) -> World:
        return self.core.world

    @property
    def user(self) -> User:
        if self.caller is None:
            raise Answer(401, UNAUTHORIZED)
        return self.caller

    @property
    def token(self) -> Token:
        if self.caller_token is None:
            raise Answer(401, UNAUTHORIZED)
        return self.caller_token

    def need(self, permission: str, rid: str | None = None) -> None:
        if not self.world.allows(self.user.id, permission, rid):
            raise FORBIDDEN

    def page(self, found: list[Any]) -> tuple[list[Any], Doc]:
        """getPaginationItems: the asked part of the list, and count, offset and total beside it."""
        settings = self.world.settings
        upper = settings["API_Upper_Count_Limit"]
        offset = max(int(self.query.get("offset") or 0), 0)
        asked = self.query.get("count")
        count = settings["API_Default_Count"] if asked is None else int(asked)
        if count == 0 and not settings["API_Allow_Infinite_Count"]:
            count = settings["API_Default_Count"]
        count = min(count, upper)
        part = found[offset:] if count == 0 else found[offset : offset + max(count, 0)]
        return part, {"count": len(part), "offset": offset, "total": len(found)}

    def sort(self) -> dict[str, int] | None:
        """parseJsonQuery: a JSON object whose values are 1 or -1."""
        text = self.query.get("sort")
        if not text:
            return None
        try:
            sort = json.loads(text)
        except ValueError:
            raise MeteorError("error-invalid-sort", f'Invalid sort parameter provided: "{text}"') from None
        if not isinstance(sort, dict) or any(value not in (1, -1) for value in sort.values()):
            raise MeteorError("error-invalid-sort-keys", f'Invalid sort parameter provided: "{text}"')
        return sort


Action = Callable[[Context], Doc | Awaitable[Doc]]
FORBIDDEN = Answer(
    403, {"success": False, "error": "User does not have the permissions required for this action [error-unauthorized]"}
)


@dataclass(slots=True)
class Route:
    method: str
    path: str
    action: Action
    login: bool = True
    permissions: tuple[str, ...] = ()
    any_permission: tuple[str, ...] = ()
    query: Schema | None = None
    body: Schema | None = None
    rate: tuple[int, int] | None = None
    """Calls per milliseconds, where the route has its own."""
    limited: bool = True
    second_factor: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.pattern = re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", re.escape(self.path).replace(r"\:", ":")))


class Rest:
    def __init__(self, core: Core, routes: list[Route]) -> None:
        self.core, self.routes = core, routes
        self.limits = RestLimits(core.world)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found and route.method == method:
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """`path` is what follows /api/v1/, still percent-encoded: a slash in a token is no separator."""
        found = self.find(request.method, path)
        if found is None:
            return respond(404, {"success": False, "error": "Resource not found"}, {})
        route, names = found
        headers: dict[str, str] = {}
        try:
            return respond(200, {**await self._run(route, names, request, headers), "success": True}, headers)
        except Answer as answer:
            return respond(answer.status, answer.body, {**headers, **answer.headers})
        except MeteorError as error:
            return respond(*_meteor(error), headers)
        except PlainError as error:
            return respond(400, {"success": False, "error": str(error)}, headers)

    async def _run(self, route: Route, names: dict[str, str], request: web.Request, headers: dict[str, str]) -> Doc:
        ip = request.headers.get("X-Real-IP") or request.remote or ""
        context = Context(self.core, request, ip, _query(request), await _body(request), names)
        if known := self.core.logins.of_headers(request.headers):
            context.caller, context.caller_token = known
        if route.login and context.caller is None:
            raise Answer(401, UNAUTHORIZED)
        if route.limited:
            self._limit(route, context, headers)
        if route.query is not None:
            context.query = route.query.check(context.query, query=True)
        if route.body is not None:
            context.body = route.body.check(context.body)
        for permission in route.permissions:
            context.need(permission)
        if route.any_permission and not any(
            self.core.world.allows(context.user.id, permission) for permission in route.any_permission
        ):
            raise FORBIDDEN
        if route.second_factor:
            self.core.logins.second_factor(context.user, context.token, request.headers, ip)
        result = route.action(context)
        return await result if isawaitable(result) else result

    def _limit(self, route: Route, context: Context, headers: dict[str, str]) -> None:
        world = self.core.world
        if context.caller is not None and world.allows(context.caller.id, "api-bypass-rate-limit"):
            return
        verdict = self.limits.count(f"{route.method} {route.path}", context.ip, route.rate)
        if verdict is not None:
            _rate_headers(headers, verdict, world.clock())
            if not verdict.allowed:
                seconds = -(-verdict.reset_ms // 1000)
                raise MeteorError(
                    "error-too-many-requests",
                    f"Error, too many requests. Please slow down. You must wait {seconds} seconds before trying this "
                    "endpoint again.",
                )


def _rate_headers(headers: dict[str, str], verdict: Verdict, now: float) -> None:
    headers["X-RateLimit-Limit"] = str(verdict.limit)
    headers["X-RateLimit-Remaining"] = str(verdict.left)
    headers["X-RateLimit-Reset"] = str(int(now * 1000) + verdict.reset_ms)


def _meteor(error: MeteorError) -> tuple[int, Doc]:
    """Status and body by the error's id."""
    body: Doc = {"success": False, "error": error.message}
    if error.id == "error-too-many-requests":
        return 429, body
    if error.id in ("unauthorized", "error-unauthorized"):
        return 403, body
    body["errorType"] = error.id
    if error.details:
        body["details"] = dict(error.details)
    return 400, body


def _query(request: web.Request) -> Doc:
    """One value per name; several, or a name that ends in [], make a list."""
    found: Doc = {}
    for name in dict.fromkeys(request.query):
        values = request.query.getall(name)
        found[name.removesuffix("[]")] = values if len(values) > 1 or name.endswith("[]") else values[0]
    return found


async def _body(request: web.Request) -> Doc:
    """A JSON body counts only under its own content type."""
    if request.content_type != "application/json":
        return {}
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError:
        raise failure("Invalid JSON") from None
    return body if isinstance(body, dict) else {}


def respond(status: int, body: Doc | None, headers: dict[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, text=rest_json(body), content_type="application/json", headers=headers)
