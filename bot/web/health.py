"""Is it alive, is it ready: for load balancers, containers and people.

`/livez`: the process answers. `/readyz`: it has been connected to Rocket.Chat and caught up at least once, and stores
what comes in. While Rocket.Chat is away later on it stays ready on purpose: webhooks are still taken and kept, and a
load balancer that turned them away would make things worse; the body tells the truth about the connection. While
nothing can be stored (database away, disk full, journal held by another program) it is not ready: it answers every
webhook with 503, and another bot may still take it. A restart mends nothing of that, so containers are judged by
`/livez`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

NONCE_HEADER = "X-Nonce"
PROOF_HEADER = "X-Proof"
LONGEST_NONCE = 64


@dataclass(frozen=True, slots=True)
class Health:
    ready: bool
    details: Mapping[str, str | int | bool]


class HealthPages:
    def __init__(self, health: Callable[[], Awaitable[Health]], prove: Callable[[str], str]) -> None:
        """`prove` makes of any text what only this installation can: the doctor sees that an address leads here."""
        self._health = health
        self._prove = prove

    def routes(self) -> list[web.RouteDef]:
        return [live(self._prove), web.get("/readyz", self.ready)]

    async def ready(self, _: web.Request) -> web.Response:
        """Whether it has caught up with Rocket.Chat since its start, and how it is.

        200 it has · 503 not yet, or nothing can be stored: `waits_for` says what it lacks."""
        health = await self._health()
        return web.json_response({"ready": health.ready, **health.details}, status=200 if health.ready else 503)


def live(prove: Callable[[str], str]) -> web.RouteDef:
    async def answer(request: web.Request) -> web.Response:
        """Whether the process answers.

        200 it does."""
        nonce = request.headers.get(NONCE_HEADER, "")
        proof = {PROOF_HEADER: prove(nonce)} if 0 < len(nonce) <= LONGEST_NONCE else None
        return web.Response(text="alive", headers=proof)

    return web.get("/livez", answer)
