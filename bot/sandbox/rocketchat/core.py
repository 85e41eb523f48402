"""The parts of the workspace, put together once, for the routes and methods that work on them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.rocketchat.files import Files
from bot.sandbox.rocketchat.livechat import Livechat
from bot.sandbox.rocketchat.logins import Logins
from bot.sandbox.rocketchat.messages import Messages
from bot.sandbox.rocketchat.rooms import Rooms
from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.transfer import Transfer
from bot.sandbox.rocketchat.visitors import Visitors


@dataclass(slots=True)
class Core:
    world: World
    messages: Messages
    rooms: Rooms
    visitors: Visitors
    livechat: Livechat
    transfer: Transfer
    files: Files
    logins: Logins

    @classmethod
    def build(cls, world: World) -> Core:
        messages = Messages(world)
        livechat = Livechat(world, messages)
        return cls(
            world=world,
            messages=messages,
            rooms=Rooms(world, messages),
            visitors=Visitors(world),
            livechat=livechat,
            transfer=Transfer(livechat),
            files=Files(world, messages),
            logins=Logins(world),
        )
