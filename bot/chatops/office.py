"""The desk of whoever asks: who they are, what they may, which commands and forms there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.chatops.command import Command, Desk, House, Person
from bot.chatops.form import CUSTOMER, Form, FormSession
from bot.errors import NotForYou
from bot.model import Conversation, RoomId
from bot.ports import AppSettings, Clock, Condition, Finding, Registry, WhatsApp, Workspace
from bot.relay.audit import Audit
from bot.relay.overview import Overview
from bot.relay.template_orders import Orders
from bot.relay.templates import Templates

SETUP_ROOM = "setup_room"
"""Name of the registry's fact that holds the id of the setup channel."""

AGENTS = ("livechat-agent", "livechat-manager")
ROOM_ROLES = frozenset({"owner", "moderator", "leader"})


async def setup_room(registry: Registry) -> RoomId | None:
    """As it is stored, because another bot may have made a new one. None: there was none yet."""
    known = await registry.fact(SETUP_ROOM)
    return RoomId(known) if known else None


class Office:
    def __init__(
        self,
        *,
        workspace: Workspace,
        registry: Registry,
        whatsapp: WhatsApp,
        clock: Clock,
        house: House,
        settings: AppSettings,
        condition: Callable[[], Awaitable[Condition]],
        examine: Callable[[], Awaitable[list[Finding]]],
        templates: Templates,
        orders: Orders,
        audit: Audit,
        overview: Overview,
        customer_of: Callable[[RoomId], Awaitable[Conversation | None]],
        commands: Sequence[Command],
    ) -> None:
        self.workspace = workspace
        self.registry = registry
        self.house = house
        self.commands = tuple(commands)
        self._whatsapp = whatsapp
        self._clock = clock
        self._settings = settings
        self._condition = condition
        self._examine = examine
        self._templates = templates
        self._orders = orders
        self.audit = audit
        self._overview = overview
        self.customer_of = customer_of
        self._forms = {form.name: form for command in commands for form in command.forms}
        self._command_of = {form.name: command.name for command in commands for form in command.forms}
        self._named = {command.name: command for command in commands}

    def command(self, name: str) -> Command | None:
        return self._named.get(name)

    def form(self, name: str) -> Form | None:
        """None for a form that this version no longer has."""
        return self._forms.get(name)

    def command_of(self, form: str) -> str:
        """Name of the command that opens the form; empty for a form that this version no longer has."""
        return self._command_of.get(form, "")

    def desk(self, person: Person, room: RoomId, occasion: str = "", customer: Conversation | None = None) -> Desk:
        return Desk(
            person=person,
            room=room,
            workspace=self.workspace,
            registry=self.registry,
            whatsapp=self._whatsapp,
            house=self.house,
            settings=self._settings,
            condition=self._condition,
            examine=self._examine,
            may=lambda command: self._may(person, command),
            commands=self.commands,
            now=self._clock.now(),
            templates=self._templates,
            orders=self._orders,
            audit=self.audit,
            overview=self._overview,
            occasion=occasion,
            customer=customer,
        )

    async def setup_room(self) -> RoomId | None:
        return await setup_room(self.registry)

    async def _may(self, person: Person, command: Command) -> bool:
        try:
            await self.require(person, command.roles)
        except NotForYou:
            return False
        return True

    async def require_of(self, session: FormSession, form: Form) -> None:
        """The same for whoever fills in the form: agents too, when it was opened in a customer's room for them."""
        await self.require(session.person, form.roles, agents=form.agents and CUSTOMER in session.about)

    async def require(self, person: Person, roles: tuple[str, ...] | None, *, agents: bool = False) -> None:
        """Returns when the person has one of the roles now, asked of Rocket.Chat; else raises NotForYou.

        Room roles are those in the setup channel: anybody is owner of a room they made themselves. Raises whatever
        Rocket.Chat's answer raises: not knowing is not allowing.
        """
        wanted = self.house.roles if roles is None else roles
        if roles == ():
            return
        wanted = (*wanted, *(role for role in AGENTS if agents and role not in wanted))
        room = await self.setup_room() if frozenset(wanted) & ROOM_ROLES else None
        if not frozenset(wanted) & await self.workspace.roles_of(person.id, room):
            raise NotForYou(roles=", ".join(wanted))
