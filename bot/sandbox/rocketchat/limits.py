"""Rate limits of REST and DDP, with the counting of Meteor's `rate-limit` package.

Fixed windows per rule, not per caller: a call counts first and is refused when there are more than allowed; the call
that opens a new window is itself not counted, so later windows let one more pass.
Sources: meteor/meteor packages/rate-limit/rate-limit.js; Rocket.Chat apps/meteor/app/api/server/ApiClass.ts,
app/lib/server/startup/rateLimiter.js.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import MeteorError


@dataclass(slots=True)
class Verdict:
    allowed: bool
    limit: int
    left: int
    reset_ms: int
    """Milliseconds until the window ends."""


class Rule:
    def __init__(self, clock: Callable[[], float], start: float) -> None:
        """Windows follow each other from `start`, when the server came up."""
        self._clock, self._start = clock, start
        self._counts: dict[str, int] = {}

    def count(self, key: str, allowed: int, interval_ms: int) -> Verdict:
        elapsed = (self._clock() - self._start) * 1000
        if elapsed > interval_ms:
            self._start, elapsed = self._clock(), 0.0
            self._counts.clear()
        else:
            self._counts[key] = self._counts.get(key, 0) + 1
        used = self._counts.get(key, 0)
        return Verdict(used <= allowed, allowed, max(allowed - used, 0), math.ceil(interval_ms - elapsed))


class RestLimits:
    """Ten calls a minute per address, route and method, unless the route says otherwise."""

    def __init__(self, world: World) -> None:
        self._world, self._rules, self._start = world, dict[str, Rule](), world.clock()

    def count(self, route: str, ip: str, own: tuple[int, int] | None) -> Verdict | None:
        """None while the limiter is switched off."""
        settings = self._world.settings
        if not settings["API_Enable_Rate_Limiter"]:
            return None
        allowed, interval = own or (
            settings["API_Enable_Rate_Limiter_Limit_Calls_Default"],
            settings["API_Enable_Rate_Limiter_Limit_Time_Default"],
        )
        rule = self._rules.setdefault(route, Rule(self._world.clock, self._start))
        return rule.count(ip, allowed, interval)


OWN_METHODS = {"login": (5, 10000), "sendMessage": (5, 1000), "createDirectMessage": (10, 60000)}
"""Calls per milliseconds; not counted by the by-method rules. login counts per connection, the others per user."""


class DdpLimits:
    """Methods and subscriptions alike, monolith only. The rule per address spares 127.0.0.1: left out here."""

    def __init__(self, world: World) -> None:
        self._world, self._rules, self._start = world, dict[str, Rule](), world.clock()

    def check(self, kind: str, name: str, connection: str, user_id: str | None) -> None:
        """Raises too-many-requests."""
        worst = max((verdict for verdict in self._verdicts(kind, name, connection, user_id) if not verdict.allowed),
                    key=lambda verdict: verdict.reset_ms, default=None)  # fmt: skip
        if worst is not None:
            seconds = math.ceil(worst.reset_ms / 1000)
            reason = f"Error, too many requests. Please slow down. You must wait {seconds} seconds before trying again."
            raise MeteorError("too-many-requests", reason, {"timeToReset": worst.reset_ms})

    def _verdicts(self, kind: str, name: str, connection: str, user_id: str | None) -> Iterator[Verdict]:
        user = user_id or "anonymous"
        yield from self._by_setting("DDP_Rate_Limit_User", user, 1)
        yield from self._by_setting("DDP_Rate_Limit_Connection", connection, 1)
        if kind == "method" and name in OWN_METHODS:
            if name == "sendMessage" and self._world.allows(user_id, "send-many-messages"):
                return
            allowed, interval = OWN_METHODS[name]
            yield self._rule(f"own {name}").count(connection if name == "login" else user, allowed, interval)
            return
        factor = 4 if name.startswith("stream-") else 1
        yield from self._by_setting("DDP_Rate_Limit_User_By_Method", f"{user} {name}", factor)
        yield from self._by_setting("DDP_Rate_Limit_Connection_By_Method", f"{connection} {name}", factor)

    def _by_setting(self, setting: str, key: str, factor: int) -> Iterator[Verdict]:
        settings = self._world.settings
        if settings[f"{setting}_Enabled"]:
            allowed = settings[f"{setting}_Requests_Allowed"] * factor
            yield self._rule(f"{setting} {factor}").count(key, allowed, settings[f"{setting}_Interval_Time"] * factor)

    def _rule(self, name: str) -> Rule:
        return self._rules.setdefault(name, Rule(self._world.clock, self._start))
