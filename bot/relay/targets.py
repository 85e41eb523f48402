"""What is remembered about people to whom templates were sent: the id that WhatsApp has for the number that was typed,
and the agent or the department to which their answer is to go.

The id that WhatsApp returns is the key: it may differ from what people dial (Brazil, Mexico, Argentina; Meta: phone
numbers). A typed number is tried as it was typed, and the id that came back is remembered for it; nothing is guessed.

A target counts for the next conversation that is opened, for `LIFE`: as long as WhatsApp itself tries to deliver. The
agent gets it when they are available then, otherwise the department does, otherwise everything is as usual for the
number (Rocket.Chat 8.3 app/livechat/server/api/v1/room.ts, `agentId`). Who is listed as available may be refused all
the same (`no-agent-online`: the list counts idle agents, or they have just left), so a refusal leads to the next of
these and never to waiting. A department is a property of the visitor, so after it was used once the next conversation
gets the number's own department again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.errors import Refused
from bot.model import ContactId, Conversation, Number, NumberId
from bot.ports import Clock, Journal, Workspace

LIFE = 30 * 86400.0
_USED = "used"


@dataclass(frozen=True, slots=True)
class Target:
    """`agent` is a user name, `department` an id; either may be empty."""

    agent: str = ""
    department: str = ""

    def __bool__(self) -> bool:
        return bool(self.agent or self.department)


@dataclass(frozen=True, slots=True)
class Route:
    """How a new room is asked for. `agent` is a user id."""

    agent: str = ""
    department: str = ""
    target: bool = False
    """It comes from a target, which is used up with it."""

    def with_fallbacks(self, own: str) -> Iterator[Route]:
        """This one, and what to ask for when Rocket.Chat refuses it. `own` is the number's department."""
        yield self
        if self.agent:
            yield replace(self, agent="")
        if self.target and self.department not in ("", own):
            yield replace(self, agent="", department=own)


class Targets:
    def __init__(self, journal: Journal, workspace: Workspace, clock: Clock) -> None:
        self._journal = journal
        self._workspace = workspace
        self._clock = clock

    # --- who somebody is ---

    async def whom(self, number: NumberId, typed: str) -> Conversation | None:
        """The conversation with the person behind a typed number (digits) or a contact id."""
        found = await self._journal.conversation(number, ContactId(typed))
        if found is not None:
            return found
        alias = await self._journal.mark(_alias(number, typed))
        return await self._journal.conversation(number, ContactId(alias)) if alias else None

    async def heard(self, number: NumberId, typed: str, wa_id: str) -> None:
        """WhatsApp's answer names the person `wa_id`: what is remembered of the typed number is now theirs."""
        if wa_id in ("", typed):
            return
        await self._journal.set_mark(_alias(number, typed), wa_id)
        target = await self._journal.mark(_target(number, typed))
        if target:
            await self._journal.set_mark(_target(number, wa_id), target)

    # --- where their answer goes ---

    async def remember(self, number: NumberId, contact: str, target: Target) -> None:
        stored = {"agent": target.agent, "department": target.department, "at": self._clock.now()}
        await self._journal.set_mark(_target(number, contact), json.dumps(stored))

    async def route(self, conversation: Conversation, number: Number) -> Route:
        """For a room that is about to be opened."""
        stored = await self._journal.mark(_target(conversation.number, conversation.contact))
        if not stored:
            return Route()
        if stored == _USED:
            return Route(department=number.department)
        target = json.loads(stored)
        if self._clock.now() - target["at"] > LIFE:
            return Route()
        agent, department = await self._available(target["agent"]), str(target["department"])
        if department and not await self._workspace.takes_conversations(department):
            department = ""  # a visitor cannot leave it again for none at all, so it is asked about before
        return Route(agent, department, target=True)

    async def followed(self, conversation: Conversation, route: Route, number: Number) -> None:
        """The room is open."""
        if route.target:
            left = _USED if route.department not in ("", number.department) else ""
            await self._journal.set_mark(_target(conversation.number, conversation.contact), left)
        elif route.department:
            await self._journal.set_mark(_target(conversation.number, conversation.contact), "")

    async def _available(self, username: str) -> str:
        """The agent's id when they take conversations now; empty also when the bot's account may not ask."""
        try:
            return await self._workspace.agent(username, available=True) or "" if username else ""
        except Refused:
            return ""


def _alias(number: NumberId, typed: str) -> str:
    return f"alias:{number}:{typed}"


def _target(number: NumberId, contact: str) -> str:
    return f"target:{number}:{contact}"
