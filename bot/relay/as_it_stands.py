"""An agent's message that had to wait, as it stands in Rocket.Chat by then: perhaps edited, perhaps deleted.

Most messages leave at once and are never looked at again. One that waits (WhatsApp is away, a limit is reached, it was
given up and is tried again by hand) may be changed by somebody who was told that it has not gone out: what they took
back must not reach the customer after all. Where Rocket.Chat cannot be asked, it goes as it was written.
"""

from __future__ import annotations

import asyncio
import logging

from bot.errors import BotError
from bot.model import RoomId
from bot.ports import Clock, Entry, Json, Workspace
from bot.rocketchat.parse import was_edited

log = logging.getLogger(__name__)

WAITED = 10.0
"""Seconds. A message that is older, or was tried before, is looked at once more before each try."""
_PATIENCE = 2.0


class AsItStands:
    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock

    async def __call__(self, entry: Entry) -> Json | None:
        """Of an `rc.message` entry; None when it was deleted. What is partly out goes on as it began."""
        written: Json = entry.body["message"]
        waited = entry.tries or self._clock.now() - entry.first_at >= WAITED
        if entry.steps or not waited:
            return written
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await self._workspace.messages_since(RoomId(str(written["rid"])), entry.at_ms / 1000)
        except (BotError, TimeoutError) as error:
            log.info("whether a message was changed while it waited cannot be seen: %s", error or "no answer")
            return written
        now = next((one for one in found if one.get("_id") == written["_id"]), written)
        if now.get("t") == "rm":
            return None
        return now if was_edited(now) else written
