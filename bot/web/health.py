"""Is it alive, is it ready: for load balancers, containers and people.

`/livez`: the process answers. `/readyz`: it has been connected to Rocket.Chat and caught up at least once, and stores
what comes in. While Rocket.Chat is away later on it stays ready on purpose: webhooks are still taken and kept, and a
load balancer that turned them away would make things worse; the body tells the truth about the connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Health:
    ready: bool
    details: Mapping[str, str | int | bool]


class HealthPages:
    def __init__(self, health: Callable[[], Awaitable[Health]]) -> None:
        self._health = health

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/livez", self.live), web.get("/readyz", self.ready)]

    async def live(self, _: web.Request) -> web.Response:
        """Whether the process answers.

        200 it does."""
        return web.Response(text="alive")

    async def ready(self, _: web.Request) -> web.Response:
        """Whether it has caught up with Rocket.Chat since its start, and how it is.

        200 it has · 503 not yet."""
        health = await self._health()
        return web.json_response(
            {"ready": health.ready, **health.details}, status=200 if health.ready else 503
        )
