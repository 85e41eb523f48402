"""Both other sides at once, so that the bot is the limit: a process that stands before the simulators.

`python -m tests.bench.instant ROCKETCHAT DIALOG360` passes everything on to the simulators and learns how they answer.
After `POST /bench/begin` it answers what the road of a message asks for by itself, in the words that it has learned:
a simulator checks every message and keeps it, which costs more than carrying it. It prints the ports of the two.

    GET /bench/counts    so far: {"posts", "sends"} messages into Rocket.Chat and to WhatsApp, {"marks"} reactions,
                         {"rocketchat", "dialog360"} POSTs of any kind but reactions, {"refused"} statuses not taken
    POST /bench/agents   {"count", "statuses"}: an agent writes so many messages, in turn in every room that an agent
                         has written in before; `statuses`: each is sent, delivered and read, as webhooks tell
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import web

from tests.bench.load import status_body

_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding", "upgrade"}
_AT_ONCE = 64
"""Status webhooks that are under way."""
_LATEST = 200
"""Messages of a room that can be asked for."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Instant:
    def __init__(self, rocketchat: str, dialog360: str, http: aiohttp.ClientSession) -> None:
        self._upstream = {"rocketchat": rocketchat, "dialog360": dialog360}
        self._http = http
        self._answers: dict[str, dict[str, Any]] = {}
        """What the simulators last said to a request: path → answer."""
        self._written: dict[str, dict[str, Any]] = {}
        """Room → the frame with which an agent's message came, before anybody set a mark on it."""
        self._latest: defaultdict[str, deque[tuple[int, dict[str, Any]]]] = defaultdict(lambda: deque(maxlen=_LATEST))
        """Room → what agents wrote in it, as REST says it."""
        self._sockets: set[web.WebSocketResponse] = set()
        self._hook: dict[str, Any] = {}
        self._begun = self._statuses = False
        self._turn = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.counts = dict.fromkeys(("posts", "sends", "rocketchat", "dialog360", "marks", "refused"), 0)

    def app(self, side: str) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        if side == "rocketchat":
            app.router.add_post("/bench/begin", self._begin)
            app.router.add_post("/bench/agents", self._agents)
            app.router.add_get("/bench/counts", self._tell)
            app.router.add_get("/websocket", self._socket)
            app.router.add_post("/api/v1/livechat/message", self._or_pass("rocketchat", self._post))
            app.router.add_get("/api/v1/chat.getMessage", self._or_pass("rocketchat", self._look))
            app.router.add_get("/api/v1/chat.syncMessages", self._or_pass("rocketchat", self._sync))
            app.router.add_post("/api/v1/chat.react", self._or_pass("rocketchat", self._react))
        else:
            app.router.add_post("/messages", self._or_pass("dialog360", self._send))
            app.router.add_post("/v1/configs/webhook", self._webhook)
        app.router.add_route("*", "/{rest:.*}", self._passing(side))
        return app

    # --- what is answered at once -----------------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.Response:
        given, known = orjson.loads(await request.read()), self._answers["/api/v1/livechat/message"]
        self.counts["posts"] += 1
        message = {**known["message"], "_id": given["_id"], "rid": given["rid"], "msg": given["msg"]}
        return _said({**known, "message": message})

    async def _look(self, request: web.Request) -> web.Response:
        room, id = next(iter(self._written)), request.query["msgId"]
        return _said({"message": {**_message(self._written[room]), "_id": id}, "success": True})

    async def _sync(self, request: web.Request) -> web.Response:
        """Newest first (8.3 server/publications/messages.ts)."""
        since = datetime.fromisoformat(request.query["lastUpdate"]).timestamp() * 1000
        latest = self._latest[request.query["roomId"]]
        updated = [message for at, message in reversed(latest) if at > since]
        return _said({"result": {"updated": updated, "deleted": []}, "success": True})

    async def _react(self, _: web.Request) -> web.Response:
        self.counts["marks"] += 1
        self.counts["rocketchat"] -= 1
        return _said({"success": True})

    async def _send(self, request: web.Request) -> web.Response:
        given, known = orjson.loads(await request.read()), self._answers["/messages"]
        self.counts["sends"] += 1
        wamid = f"wamid.bench{next(self._turn):032}"
        if self._statuses:
            task = asyncio.create_task(self._tell_statuses(wamid, given))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return _said({**known, "messages": [{**known["messages"][0], "id": wamid}]})

    async def _tell_statuses(self, wamid: str, sent: dict[str, Any]) -> None:
        for state in ("sent", "delivered", "read"):
            content = status_body("4915112345678", wamid, state, sent)
            async with self._places:
                headers = {**self._hook["headers"], "Content-Type": "application/json"}
                async with self._http.post(self._hook["url"], data=content, headers=headers) as answer:
                    self.counts["refused"] += answer.status != 200

    # --- what is asked of it ----------------------------------------------------------------------------------------

    async def _begin(self, _: web.Request) -> web.Response:
        self._begun = True
        return web.Response(text="ok")

    async def _tell(self, _: web.Request) -> web.Response:
        return web.json_response(self.counts)

    async def _agents(self, request: web.Request) -> web.Response:
        order = await request.json()
        self._statuses = order["statuses"]
        [socket], frames = self._sockets, list(self._written.values())
        for number in range(order["count"]):
            frame = json.loads(json.dumps(frames[number % len(frames)]))
            now = int(time.time() * 1000)
            _message(frame).update(
                _id=f"bench{next(self._turn):012}", msg=f"Answer {number}: yes, of course we do.",
                ts={"$date": now}, _updatedAt={"$date": now},
            )  # fmt: skip
            message, moment = _message(frame), datetime.fromtimestamp(now / 1000, UTC).isoformat()
            self._latest[message["rid"]].append((now, {**message, "ts": moment, "_updatedAt": moment}))
            await socket.send_str(json.dumps(frame))
        return web.Response(text="ok")

    # --- what is passed on ------------------------------------------------------------------------------------------

    def _or_pass(self, side: str, handler: Handler) -> Handler:
        passing = self._passing(side)

        async def either(request: web.Request) -> web.StreamResponse:
            if not self._begun:
                return await passing(request)
            self.counts[side] += request.method == "POST"
            return await handler(request)

        return either

    def _passing(self, side: str) -> Handler:
        async def passing(request: web.Request) -> web.StreamResponse:
            self.counts[side] += request.method == "POST"
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
            url = f"{self._upstream[side]}{request.path_qs}"
            async with self._http.request(
                request.method, url, data=await request.read(), headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.read()
                if answer.status == 200 and "json" in answer.content_type:
                    self._answers[request.path] = json.loads(content)
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                return web.Response(status=answer.status, body=content, headers=kept)

        return passing

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        self._hook = await request.json()
        return await self._passing("dialog360")(request)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        near = web.WebSocketResponse()
        await near.prepare(request)
        self._sockets.add(near)
        try:
            async with self._http.ws_connect(f"{self._upstream['rocketchat']}/websocket", max_msg_size=0) as far:
                await asyncio.wait(
                    [asyncio.create_task(self._listen(far, near)), asyncio.create_task(_copy(near, far))],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            self._sockets.discard(near)
            await near.close()
        return near

    async def _listen(self, far: aiohttp.ClientWebSocketResponse, near: web.WebSocketResponse) -> None:
        async for frame in far:
            data = json.loads(frame.data)
            if data.get("collection") == "stream-room-messages" and data["fields"]["args"][1]["roomType"] == "l":
                message = _message(data)
                if message.keys().isdisjoint(("token", "t", "reactions")):
                    self._written[message["rid"]] = data
            await near.send_str(frame.data)


async def _copy(near: web.WebSocketResponse, far: aiohttp.ClientWebSocketResponse) -> None:
    async for frame in near:
        await far.send_str(frame.data)


def _message(frame: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = frame["fields"]["args"][0]
    return found


def _said(answer: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


async def serve(rocketchat: str, dialog360: str) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        instant, ports = Instant(rocketchat, dialog360, http), []
        for side in ("rocketchat", "dialog360"):
            runner = web.AppRunner(instant.app(side), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            ports.append(runner.addresses[0][1])
        print(*ports, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(*sys.argv[1:])))
