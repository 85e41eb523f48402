"""A small Rocket.Chat in memory that speaks the real wire: REST, DDP in both flavours, files.

It refuses what the real server refuses: wrong parameters, missing permissions, too many calls. Where it is simpler than
the original, the module that is simpler says so.
"""

from bot.sandbox.rocketchat.rest import Call
from bot.sandbox.rocketchat.server import RocketChatSandbox
from bot.sandbox.rocketchat.state import Department, User
from bot.sandbox.rocketchat.wire import Doc

__all__ = ["Call", "Department", "Doc", "RocketChatSandbox", "User"]
