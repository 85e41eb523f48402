"""DDP sessions in both flavours.

`monolith` is Meteor's own server (meteor/meteor packages/ddp-server/livedata_server.js), `streamer` the separate
process of microservice deployments (Rocket.Chat ee/apps/ddp-streamer/src/{Server,Client,configureServer}.ts). They
differ in the first frame, version check, protocol errors, password login, order of result and updated, rate limits,
logout and heartbeat.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from aiohttp import WSMsgType, web

from bot.sandbox.rocketchat.core import Core
from bot.sandbox.rocketchat.limits import DdpLimits
from bot.sandbox.rocketchat.methods import MATCH_FAILED, METHODS
from bot.sandbox.rocketchat.state import Token
from bot.sandbox.rocketchat.streams import DEFAULT_PUBLICATIONS, STREAMS, Streams, Subscription
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError, ejson, moment, new_id

Flavour = Literal["monolith", "streamer"]
VERSIONS = ("1", "pre2", "pre1")
PROTOCOL_ERROR, UNSUPPORTED_DATA, TIMED_OUT = 1002, 1007, 4000
INTERNAL = MeteorError(500, "Internal server error")


class Hub:
    """All sessions of the server."""

    def __init__(self, core: Core, flavour: Flavour) -> None:
        self.core, self.flavour = core, flavour
        self.streams = Streams(core.world)
        self.limits = DdpLimits(core.world) if flavour == "monolith" else None
        self.sessions: set[Session] = set()
        self.refusing = False
        self.idle_seconds = 15.0 if flavour == "monolith" else 30.0
        """Silence after which the server pings; the same again, and it closes."""
        core.world.listen(self._heard)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /websocket."""
        if self.refusing:
            return web.Response(status=503)
        socket = web.WebSocketResponse(timeout=1.0)
        if not socket.can_prepare(request):
            return web.Response(status=400, text='Can "Upgrade" only to "WebSocket".')
        await socket.prepare(request)
        session = Session(self, socket, request)
        self.sessions.add(session)
        self.streams.listeners.append(session)
        self.core.world.emit("socket", {"open": len(self.sessions)})
        try:
            await session.run()
        finally:
            self.sessions.discard(session)
            self.streams.listeners.remove(session)
            session.gone.set()
            self.core.world.emit("socket", {"open": len(self.sessions)})
        return socket

    async def cut(self) -> None:
        """Every socket is gone at once, without a goodbye."""
        sessions = list(self.sessions)
        for session in sessions:
            session.abort()
        await asyncio.gather(*(session.gone.wait() for session in sessions))

    def _heard(self, kind: str, document: Doc) -> None:
        if kind == "token-removed":
            for session in self.sessions:
                if session.token is not None and session.token.value == document["token"]:
                    session.finish(1000 if self.flavour == "monolith" else PROTOCOL_ERROR)


class Session:
    def __init__(self, hub: Hub, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.hub, self.socket, self._request = hub, socket, request
        self.core = hub.core
        self.id = new_id()
        self.connected = False
        self.user_id: str | None = None
        self.token: Token | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.gone = asyncio.Event()
        self._closed = asyncio.Event()
        self._out: asyncio.Queue[str | int] = asyncio.Queue()

    # --- the socket ---------------------------------------------------------------------------------------------

    @property
    def monolith(self) -> bool:
        return self.hub.flavour == "monolith"

    async def run(self) -> None:
        writer = asyncio.create_task(self._write())
        try:
            if not self.monolith:
                self.send({"msg": "server_id", "server_id": "0"})
            await self._read()
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if not self.socket.closed:
                await self.socket.close()

    async def _write(self) -> None:
        while True:
            frame = await self._out.get()
            if isinstance(frame, int):
                reason = {TIMED_OUT: b"TIMEOUT", UNSUPPORTED_DATA: b"UNSUPPORTED_DATA"}.get(frame, b"")
                await self.socket.close(code=frame, message=reason)
                self._closed.set()
                return
            await self.socket.send_str(frame)

    async def _read(self) -> None:
        """Frames one after the other; silence is answered with a ping, then with the end."""
        # the streamer arms its first timer with milliseconds taken for seconds: a ping comes almost at once
        patience = 45.0 if self.monolith else self.hub.idle_seconds / 1000
        pinged = False
        while True:
            try:
                message = await self.socket.receive(timeout=patience)
            except TimeoutError:
                if pinged or (self.monolith and not self.connected):
                    self.finish(TIMED_OUT if not self.monolith else 1000)
                    await self._closed.wait()
                    return
                self.send({"msg": "ping"})
                pinged, patience = True, self.hub.idle_seconds
                continue
            if message.type != WSMsgType.TEXT:
                return
            pinged = False
            await self._frame(message.data)
            patience = self.hub.idle_seconds if self.connected or not self.monolith else 45.0

    def send(self, frame: Doc) -> None:
        self._out.put_nowait(ejson(frame))

    def push(self, stream: str, event: str, args: list[Any]) -> None:
        fields = {"eventName": event, "args": args}
        self.send({"msg": "changed", "collection": stream, "id": "id", "fields": fields})

    def finish(self, code: int) -> None:
        """Closes after what is already on its way."""
        self._out.put_nowait(code)

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    # --- frames -------------------------------------------------------------------------------------------------

    async def _frame(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            return self._wrong("Parse error", text, UNSUPPORTED_DATA)
        if not isinstance(frame, dict) or not isinstance(frame.get("msg"), str):
            return self._wrong("Bad request", frame)
        kind = frame["msg"]
        if kind == "connect":
            return self._connect(frame)
        if not self.connected:
            return self._wrong("Must connect first", frame)
        match kind:
            case "ping":
                self.send({"msg": "pong", **({"id": frame["id"]} if "id" in frame else {})})
            case "pong":
                pass
            case "sub":
                self._subscribe(frame)
            case "unsub":
                known = self.subscriptions.pop(frame.get("id", ""), None)
                if known or self.monolith:
                    self.send({"msg": "nosub", "id": frame.get("id")})
            case "method":
                await self._method(frame)
            case _:
                self._wrong("Bad request", frame)

    def _wrong(self, reason: str, offending: Any, code: int = PROTOCOL_ERROR) -> None:
        """The monolith says what is wrong and goes on; the streamer closes."""
        if self.monolith:
            self.send({"msg": "error", "reason": reason, "offendingMessage": offending})
        else:
            self.finish(code)

    def _connect(self, frame: Doc) -> None:
        if self.connected:
            return self._wrong("Already connected", frame)
        if self.monolith:
            support = frame.get("support")
            offered = support if isinstance(support, list) else []
            chosen = next((version for version in offered if version in VERSIONS), VERSIONS[0])
            if frame.get("version") not in offered or frame.get("version") != chosen:
                self.send({"msg": "failed", "version": chosen})
                return self.finish(1000)
        self.connected = True
        self.send({"msg": "connected", "session": self.id})
        return None

    # --- subscriptions ------------------------------------------------------------------------------------------

    def _subscribe(self, frame: Doc) -> None:
        id, name, params = frame.get("id"), frame.get("name"), frame.get("params", [])
        if not isinstance(id, str) or not isinstance(name, str) or not isinstance(params, list):
            return self._wrong("Malformed subscription", frame)
        if id in self.subscriptions:
            return None
        try:
            if self.hub.limits is not None:
                self.hub.limits.check("sub", name, self.id, self.user_id)
            if name in DEFAULT_PUBLICATIONS:
                return self.send({"msg": "ready", "subs": [id]})
            if name not in STREAMS:
                raise MeteorError(404, f"Subscription '{name}' not found")
            event = params[0] if params and isinstance(params[0], str) else ""
            options = params[1] if len(params) > 1 else False
            extra = _extra(options)
            self.hub.streams.check(name, event, self.user_id, extra)
        except MeteorError as error:
            return self.send({"msg": "nosub", "id": id, "error": error.ddp()})
        self.subscriptions[id] = Subscription(id, name, event, extra)
        if options is True or (isinstance(options, dict) and options.get("useCollection") is True):
            self.send({"msg": "added", "collection": name, "id": "id", "fields": {"eventName": event}})
        self.send({"msg": "ready", "subs": [id]})
        self.core.world.emit("subscribed", {"stream": name, "event": event, "userId": self.user_id})
        return None

    def _rerun(self) -> None:
        """setUserId on the monolith runs every live subscription again; what is now refused ends with nosub."""
        for id, sub in list(self.subscriptions.items()):
            try:
                self.hub.streams.check(sub.stream, sub.event, self.user_id, sub.extra)
            except MeteorError as error:
                del self.subscriptions[id]
                self.send({"msg": "nosub", "id": id, "error": error.ddp()})

    # --- methods ------------------------------------------------------------------------------------------------

    async def _method(self, frame: Doc) -> None:
        id, name, params = frame.get("id"), frame.get("method"), frame.get("params", [])
        if not isinstance(id, str) or not isinstance(name, str) or not isinstance(params, list):
            return self._wrong("Malformed method invocation", frame)
        after: list[Doc] = []
        result: Doc = {"msg": "result", "id": id}
        try:
            if self.hub.limits is not None:
                self.hub.limits.check("method", name, self.id, self.user_id)
            value = await self._run(name, params, after)
            if value is not None:
                result["result"] = value
        except MeteorError as error:
            result["error"] = error.ddp()
        except PlainError:
            result["error"] = INTERNAL.ddp()
        updated = {"msg": "updated", "methods": [id]}
        for each in [*after, updated, result] if self.monolith else [result, updated, *after]:
            self.send(each)
        if name == "logout" and not self.monolith:
            self.finish(PROTOCOL_ERROR)
        return None

    async def _run(self, name: str, params: list[Any], after: list[Doc]) -> Any:
        if name == "login":
            return self._login(params, after)
        if name == "logout":
            if self.token is not None:
                self.core.world.tokens.pop(self.token.value, None)
            self.user_id, self.token = None, None
            if self.monolith:
                self._rerun()
            return None
        if name in STREAMS:
            return self.hub.streams.write(name, params, self)
        method = METHODS.get(name)
        if method is None:
            raise MeteorError(404, f"Method '{name}' not found")
        value = await method(self.core, self.core.world.users.get(self.user_id or ""), params)
        if not self.monolith and not value and value not in ([], {}):
            # a falsy result of a forwarded method is taken for a missing method, although it was run
            raise MeteorError(404, f"Method '{name}' not found")
        return value

    def _login(self, params: list[Any], after: list[Doc]) -> Doc:
        options = params[0] if params and isinstance(params[0], dict) else {}
        logins, dot = self.core.logins, "." if self.monolith else ""
        if not self.monolith and "resume" not in options:
            raise MeteorError(403, "You've been logged out by the server. Please log in again")
        if "resume" in options:
            token, kind = logins.by_resume(options["resume"], dot=dot), "resume"
        elif isinstance(options.get("user"), dict) and isinstance(options.get("password"), dict):
            token, kind = logins.issue(logins.by_password(options["user"], options["password"])), "password"
        else:
            raise MATCH_FAILED
        self.user_id, self.token = token.user_id, token
        user = self.core.world.users[token.user_id]
        after.append({"msg": "added", "collection": "users", "id": user.id, "fields": {"username": user.username}})
        if self.monolith:
            self._rerun()
        self.core.world.emit("logged-in", {"_id": user.id})
        result: Doc = {"id": user.id, "token": token.value, "type": kind}
        if token.expires is not None:
            result["tokenExpires"] = moment(token.expires)
        elif self.monolith:
            result["tokenExpires"] = {"$date": None}
        return result


def _extra(options: Any) -> Doc:
    """The second parameter: false, or {useCollection, args: [extra]}."""
    args = options.get("args") if isinstance(options, dict) else None
    return args[0] if isinstance(args, list) and args and isinstance(args[0], dict) else {}
