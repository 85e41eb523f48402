"""Hears the bot for the people of the crash run."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bot.stage import Stage


class Ear:
    """What the bot says in each room, as it is said. Whoever read whole rooms again after every change would be most of
    the load of a long run."""

    def __init__(self, stage: Stage) -> None:
        self._bot = stage.bot_user.id
        self._known: set[str] = set()
        self.said: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        stage.rc.subscribe(self._hear)

    def _hear(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "message" and message["u"]["_id"] == self._bot and message["_id"] not in self._known:
            self._known.add(message["_id"])
            self.said[message["rid"]].append(message)
