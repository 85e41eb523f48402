"""The desk of whoever asks: who they are, what they may, which commands and forms there are."""

from __future__ import annotations

from collections.abc import Sequence

from bot.chatops.command import Command, Desk, House, Person
from bot.chatops.form import Form
from bot.errors import NotForYou
from bot.model import RoomId
from bot.ports import Clock, Registry, WhatsApp, Workspace

SETUP_ROOM = "setup_room"
"""Name of the registry's fact that holds the id of the setup channel."""

ROOM_ROLES = frozenset({"owner", "moderator", "leader"})


class Office:
    def __init__(
        self,
        *,
        workspace: Workspace,
        registry: Registry,
        whatsapp: WhatsApp,
        clock: Clock,
        house: House,
        commands: Sequence[Command],
    ) -> None:
        self.workspace = workspace
        self.registry = registry
        self.house = house
        self.commands = tuple(commands)
        self._whatsapp = whatsapp
        self._clock = clock
        self._forms = {form.name: form for command in commands for form in command.forms}
        self._named = {command.name: command for command in commands}

    def command(self, name: str) -> Command | None:
        return self._named.get(name)

    def form(self, name: str) -> Form | None:
        """None for a form that this version no longer has."""
        return self._forms.get(name)

    def desk(self, person: Person, room: RoomId) -> Desk:
        return Desk(
            person=person,
            room=room,
            workspace=self.workspace,
            registry=self.registry,
            whatsapp=self._whatsapp,
            house=self.house,
            commands=self.commands,
            now=self._clock.now(),
        )

    async def setup_room(self) -> RoomId | None:
        known = await self.registry.fact(SETUP_ROOM)
        return RoomId(known) if known else None

    async def require(self, person: Person, roles: tuple[str, ...] | None) -> None:
        """Returns when the person has one of the roles now, asked of Rocket.Chat; else raises NotForYou.

        Room roles are those in the setup channel: anybody is owner of a room they made themselves. Raises whatever
        Rocket.Chat's answer raises: not knowing is not allowing.
        """
        wanted = self.house.roles if roles is None else roles
        if roles == ():
            return
        room = await self.setup_room() if frozenset(wanted) & ROOM_ROLES else None
        if not frozenset(wanted) & await self.workspace.roles_of(person.id, room):
            raise NotForYou(roles=", ".join(wanted))
