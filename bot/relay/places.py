"""How many lanes may be worked on at the same time.

Each server has places of its own: while one server hangs, the lanes that wait for it fill its places, and those of the
other servers stay free. The word with which a lane's name begins tells which server its handlers talk to. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

PLACES = 64
"""So many lanes are worked on at the same time, for each server."""

_TALKS_TO = {
    "in": "Rocket.Chat", "media": "Rocket.Chat", "say": "Rocket.Chat", "cmd": "Rocket.Chat",
    "out": "WhatsApp", "auto": "WhatsApp", "tpl": "WhatsApp", "reaction": "WhatsApp",
    "callback": "status endpoint",
    "tick": "decoration",
    "st": "nobody", "other": "nobody", "tplorder": "nobody", "late": "nobody", "edit": "nobody",
}  # fmt: skip
"""All lanes that are not named here share one more set of places."""


class Places:
    def __init__(self, each: int = PLACES) -> None:
        self._each = each
        self._taken: Counter[str] = Counter()

    def take(self, lane: str) -> None:
        self._taken[_server(lane)] += 1

    def free(self, lane: str) -> bool:
        """Whether there was no other place left."""
        server = _server(lane)
        self._taken[server] -= 1
        return self._taken[server] == self._each - 1

    def left(self) -> tuple[int, Sequence[str]]:
        """How many more lanes may be taken whichever they are, and the beginnings of those of which none may be.

        Zero: there is no place at all.
        """
        left = {server: self._each - self._taken[server] for server in ("", *_TALKS_TO.values())}
        if not left[""]:  # how others begin cannot be said
            return 0, ()
        shut = [begin for begin, server in _TALKS_TO.items() if not left[server]]
        return min(filter(None, left.values())), shut


def _server(lane: str) -> str:
    return _TALKS_TO.get(lane.partition(":")[0], "")
