"""The bot's own reactions on messages: what a customer reacted with, and what became of an agent's message (`ticks`).

The server reads a message's reactions, changes them and writes them back whole (Rocket.Chat 8.3
app/reactions/server/setReaction.ts), so two changes of one message at a time would lose one: `alone` makes them wait
for each other, also those of several bots. For the same reason nothing is taken back from a message that has no
reactions: there 8.3 takes `shouldReact: false` for a change and *sets* the reaction.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bot.errors import Refused
from bot.model import MessageId
from bot.ports import Alone, Workspace
from bot.whatsapp.short_codes import codes

_TRIES = 4


class OwnReactions:
    def __init__(self, workspace: Workspace, bot_username: Callable[[], str], alone: Alone) -> None:
        self._workspace = workspace
        self._bot_username = bot_username
        self._alone = alone

    def alone(self, message: MessageId) -> AbstractAsyncContextManager[object]:
        """A lock on the reactions of the message. To be held from `on` until the last change."""
        return self._alone(f"reactions:{message}")

    async def on(self, message: MessageId) -> list[str] | None:
        """Short codes of the bot's reactions on the message; None when it is gone or cannot be seen."""
        found = await self._workspace.message(message)
        if found is None or found.get("t"):
            return None
        reactions = found.get("reactions")
        if not isinstance(reactions, dict):
            return []
        me = self._bot_username()
        return [code for code, who in reactions.items() if isinstance(who, dict) and me in (who.get("usernames") or ())]

    async def set(self, message: MessageId, emoji: str) -> str | None:
        """The code under which the workspace knows the emoji; None when it knows none."""
        for code in codes(emoji)[:_TRIES]:
            try:
                await self._workspace.react(message, code, True)
            except Refused:
                continue
            return code
        return None

    async def take_back(self, message: MessageId, code: str) -> None:
        """One that `on` has shown."""
        await self._workspace.react(message, code, False)
