"""Two bots on one database change the reactions of one message one at a time: the server would lose one of two."""

from __future__ import annotations

import asyncio
from typing import cast

from bot.model import MessageId
from bot.ports import Json, Workspace
from bot.relay.own_reactions import OwnReactions
from tests.contract.bots import OneBot

MESSAGE = MessageId("m1")


class Server:
    """Reads a message's reactions, changes them and writes them back whole, as Rocket.Chat does."""

    def __init__(self) -> None:
        self.reactions: Json = {}

    async def message(self, id: MessageId) -> Json:
        return {"_id": id, "reactions": self.reactions}

    async def react(self, id: MessageId, code: str, there: bool) -> None:
        changed = {**self.reactions, code: {"usernames": ["bot"]}}
        for _ in range(5):
            await asyncio.sleep(0)
        self.reactions = changed


async def test_two_bots_react_on_one_message_and_both_reactions_stay(bots: list[OneBot]) -> None:
    server = Server()

    async def react(bot: OneBot, emoji: str) -> None:
        reactions = OwnReactions(cast(Workspace, server), lambda: "bot", bot.database.alone)
        async with reactions.alone(MESSAGE):
            await reactions.set(MESSAGE, emoji)

    await asyncio.gather(*(react(bot, emoji) for bot, emoji in zip(bots, ("👍", "❤️"), strict=True)))

    seen = OwnReactions(cast(Workspace, server), lambda: "bot", bots[0].database.alone)
    assert sorted(await seen.on(MESSAGE) or ()) == [":heart:", ":thumbsup:"]
