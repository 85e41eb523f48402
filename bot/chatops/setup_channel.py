"""The private channel in which numbers are connected: found again or made at every start, and furnished once.

It is known by its id, so a renamed channel stays the channel. Each message is said once: its id is computed from the
occasion, and the registry remembers that it was said, so that deleting it does not bring it back.

Only the channel and what is said in it are needed. What makes it nicer (topic, members, slash commands) may fail: it is
logged and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from bot.chatops.chat_view import ChatView
from bot.chatops.command import BANG, SLASH, House, Press, Reply, Value, Words, typed
from bot.chatops.office import SETUP_ROOM
from bot.errors import AlreadyThere, BotError, Refused
from bot.model import RoomId, UserId
from bot.ports import Alone, Json, Registry, Workspace, WorkspaceAdmin
from bot.rocketchat.compose import notice_id
from bot.translations import Translate
from bot.whatsapp.raw import short_id

log = logging.getLogger(__name__)

SLASH_SETTING = "Message_AllowUnrecognizedSlashCommand"
"""While it is off, web clients swallow `/whatsapp-360d-cloud …` (Rocket.Chat 8.3 processSlashCommand.ts)."""
MASKED = "•••"
"""Stands for the access token in addresses that a chat shows."""
PATIENCE = 20.0
"""Seconds that everything which is not needed may take together before the bot goes on without it."""
_MOST_NAMES = 9


class SetupChannel:
    def __init__(
        self,
        *,
        admin: WorkspaceAdmin,
        workspace: Workspace,
        registry: Registry,
        t: Translate,
        name: str,
        members: Sequence[str],
        question: Reply,
        house: House,
        alone: Alone,
    ) -> None:
        self._admin = admin
        self._workspace = workspace
        self._registry = registry
        self._t = t
        self._view = ChatView(t)
        self._name = name
        self._members = [name.lstrip("@") for name in members]
        self._question = question
        """What is asked below the instructions."""
        self._house = house
        self._alone = alone
        self.complete = False
        """Everything that is not needed was done too."""

    async def ensure(self) -> RoomId:
        """The channel, ready to be used. Can be repeated at any time; raises Busy when Rocket.Chat is away.

        One that was archived takes no messages (8.3 canSendMessage.ts: room_is_archived): another one takes its place.

        Of bots that start together one makes it, and the others find it."""
        async with self._alone("setup channel"):
            return await self._ensure()

    async def _ensure(self) -> RoomId:
        channel, made = await self._find_or_make()
        room = RoomId(str(channel["_id"]))
        await self._registry.set_fact(SETUP_ROOM, room)
        if made and channel.get("name") != self._name:
            await self._once(room, "renamed", Reply("setup.renamed", {"name": self._name}))
        await self._once(room, "instructions", Reply("setup.instructions", {"slash": SLASH}, layout="setup"))
        await self._once(room, "addresses", self._addresses())
        self.complete = await self._furnish(room, channel, made)
        await self._once(room, "question", self._question)
        return room

    def _addresses(self) -> Reply:
        """For other systems. The token itself never reaches a chat."""
        base = f"{self._house.public_url}/api/apps/private/{self._house.app_id}/{MASKED}"
        show = Press(Words("endpoints.button"), typed("endpoints"))
        return Reply("setup.addresses", {"masked": MASKED}, buttons=(show,), link=base, layout="setup_addresses")

    async def _furnish(self, room: RoomId, channel: Json, made: bool) -> bool:
        """Whether all of it could be done. A step that fails keeps no other one from being tried."""
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "topic": lambda: self._topic(room, channel, made),
            "description": lambda: self._description(room, channel, made),
            "members": lambda: self._invite(room),
            "slash commands": lambda: self._let_slash_commands_through(room),
        }
        failed = list(steps)
        try:
            async with asyncio.timeout(PATIENCE):
                for name, step in steps.items():
                    try:
                        await step()
                        failed.remove(name)
                    except BotError as error:
                        log.warning("setup channel, %s: %s", name, error)
        except TimeoutError:
            log.warning("setup channel: no time for %s", ", ".join(failed))
        return not failed

    async def _find_or_make(self) -> tuple[Json, bool]:
        known = await self._registry.fact(SETUP_ROOM)
        if known and (channel := _usable(await self._admin.private_channel(RoomId(known)))) is not None:
            return channel, False
        for name in self._names():
            if (channel := await self._safe_channel(name)) is not None:
                return channel, False
            try:
                return await self._admin.create_private_channel(name), True
            except AlreadyThere:
                if (channel := await self._safe_channel(name)) is not None:
                    return channel, False  # another bot made it in this moment: its lock was lost, or ours
                log.warning("the channel name %s is taken by a room that the bot cannot use", name)
        raise AlreadyThere(f"{self._name} and its {_MOST_NAMES - 1} successors")

    async def _safe_channel(self, name: str) -> Json | None:
        """One of this name that was made by the bot, or for it by somebody who may command it. Whoever makes a private
        channel owns it, and so decides who reads the links of administrators' forms: anybody could have made it before
        the bot came, and have let it in."""
        channel = _usable(await self._admin.private_channel_named(name))
        if channel is None:
            return None
        made_by = channel.get("u")
        maker = str(made_by.get("_id") or "") if isinstance(made_by, dict) else ""
        if maker == (await self._admin.me())["_id"]:
            return channel
        try:
            known = bool(maker) and not {*self._house.roles, "admin"}.isdisjoint(
                await self._workspace.roles_of(UserId(maker))
            )
        except Refused as error:
            log.warning("the bot may not ask who made the channel %s: %s", name, error)
            known = False
        return channel if known else None

    def _names(self) -> Iterator[str]:
        yield self._name
        yield from (f"{self._name}-{number}" for number in range(2, _MOST_NAMES + 1))

    async def _topic(self, room: RoomId, channel: Json, made: bool) -> None:
        """What people wrote there themselves is left alone."""
        if made or not channel.get("topic"):
            await self._admin.set_topic(room, self._t("setup.topic"))

    async def _description(self, room: RoomId, channel: Json, made: bool) -> None:
        if made or not channel.get("description"):
            await self._admin.set_description(room, self._t("setup.description"))

    async def _invite(self, room: RoomId) -> None:
        try:
            present = {name.casefold() for name in await self._admin.members(room)}
        except Refused as error:
            log.info("members of the setup channel cannot be listed, all are invited: %s", error)
            present = set()
        failed = []
        for name in self._members:
            if name.casefold() in present:
                continue
            try:
                await self._admin.invite(room, name)
            except Refused as error:
                log.warning("%s could not be invited to the setup channel: %s", name, error)
                failed.append(name)
        if failed:
            values: dict[str, Value] = {"names": ", ".join(failed), "n": len(failed)}
            await self._once(room, f"not invited {values['names']}", Reply("setup.not_invited", values))
        if len(present) == 1 and len(failed) == len(self._members):
            log.warning(
                "nobody but the bot sees the setup channel, a private one: set [rocketchat] setup_members to your user "
                "name, or write to the bot in a direct message"
            )

    async def _let_slash_commands_through(self, room: RoomId) -> None:
        """Turns the setting on where the account may, else says once who has to, and what works meanwhile."""
        try:
            if await self._admin.public_setting(SLASH_SETTING) is not False:
                return
            await self._admin.change_setting(SLASH_SETTING, True)
            log.info("%s was switched on", SLASH_SETTING)
        except Refused as error:
            log.warning(
                "web clients do not pass slash commands on to the bot; an administrator switches on %s "
                "(Administration > Settings > Message), as the bot itself may not: %s",
                SLASH_SETTING,
                error,
            )
            await self._once(room, "slash", Reply("setup.slash_off", {"setting": SLASH_SETTING, "bang": BANG}))

    async def _once(self, room: RoomId, occasion: str, reply: Reply) -> None:
        said = f"said {room} {short_id(occasion)}"
        if not await self._registry.fact(said):
            await self._workspace.say(room, notice_id(said), self._view.post(reply))
            await self._registry.set_fact(said, "yes")


def _usable(channel: Json | None) -> Json | None:
    return None if channel is None or channel.get("archived") else channel
