"""How fast is too fast. Every limit is a plain number that a test may change; 0 switches it off.

Per number 80 messages a second, in and out; per customer a burst of 45, refilled by one in six seconds (Meta:
throughput, about-the-platform). Uploads 25 a second; 20 errors of GET /{media-id} within an hour block that endpoint
for half an hour (360Dialog: upload, retrieve or delete media).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from bot.sandbox.dialog360.refusals import gateway, graph

PAIR_REFILL = 6.0
HOUR = 3600.0
LOCKOUT = 1800.0


class Rate:
    """At most so many within a sliding span of seconds."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._seen: dict[Hashable, deque[float]] = {}

    def count(self, key: Hashable, now: float) -> int:
        seen = self._seen.setdefault(key, deque())
        while seen and seen[0] <= now - self._span:
            seen.popleft()
        return len(seen)

    def note(self, key: Hashable, now: float) -> None:
        self._seen.setdefault(key, deque()).append(now)

    def forget(self, key: Hashable) -> None:
        self._seen.pop(key, None)


class Limits:
    def __init__(self) -> None:
        self.mps = 80
        self.pair_burst = 45
        self.uploads = 25
        self.media_errors = 20
        self._second = Rate(1.0)
        self._uploads = Rate(1.0)
        self._errors = Rate(HOUR)
        self._blocked: dict[Hashable, float] = {}
        self._pairs: dict[tuple[str, str], tuple[float, float]] = {}

    def inbound(self, number: str, now: float) -> None:
        """Counts what a customer wrote: it uses the number's throughput too, but is never refused."""
        if self.mps:
            self._second.note(number, now)

    def send(self, number: str, recipient: str, now: float) -> None:
        """Counts an outgoing message; raises 130429 or 131056."""
        if self.mps and self._second.count(number, now) >= self.mps:
            raise graph(
                130429, "Message failed to send because there were too many messages sent from this phone number"
            )
        if self.pair_burst:
            left, since = self._pairs.get((number, recipient), (float(self.pair_burst), now))
            left = min(float(self.pair_burst), left + max(0.0, now - since) / PAIR_REFILL)
            if left < 1:
                raise graph(
                    131056,
                    "Message failed to send because there were too many messages sent from this phone number "
                    "to the same phone number in a short period of time.",
                )
            self._pairs[number, recipient] = (left - 1, now)
        if self.mps:
            self._second.note(number, now)

    def upload(self, number: str, now: float) -> None:
        if self.uploads and self._uploads.count(number, now) >= self.uploads:
            raise gateway(400, "You have exceeded the endpoint rate limit")
        self._uploads.note(number, now)

    def media_look(self, number: str, now: float) -> None:
        """Raises while GET /{media-id} is blocked for this number."""
        if self._blocked.get(number, 0.0) > now:
            raise gateway(403, "The endpoint is blocked")

    def media_error(self, number: str, now: float) -> None:
        self._errors.note(number, now)
        if self.media_errors and self._errors.count(number, now) >= self.media_errors:
            self._blocked[number] = now + LOCKOUT
            self._errors.forget(number)
