"""Who plays along on the page, and what each of them can see beyond the messages."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, SandboxNumber
from bot.sandbox.rocketchat import RocketChatSandbox, User

LATEST = 200
"""Messages shown per place."""


@dataclass(frozen=True, slots=True)
class Cast:
    rc: RocketChatSandbox
    wa: Dialog360Sandbox
    number: SandboxNumber
    customer: Customer
    admin: User
    agent: User
    setup_room: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something only one person sees, such as "No such command"; it is no message and leaves no trace."""

    id: str
    to: str
    rid: str
    text: str
    at: int
