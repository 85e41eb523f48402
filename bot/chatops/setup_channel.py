"""The private channel in which numbers are connected: found again or made at every start, and furnished once.

It is known by its id, so a renamed channel stays the channel. Each message is said once: its id is computed from the
occasion, and the registry remembers that it was said, so that deleting it does not bring it back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from bot.chatops.chat_view import ChatView
from bot.chatops.command import BANG, SLASH, Reply, Value
from bot.chatops.office import SETUP_ROOM
from bot.errors import AlreadyThere, Refused
from bot.model import RoomId
from bot.ports import Json, Registry, Workspace, WorkspaceAdmin
from bot.rocketchat.compose import notice_id
from bot.translations import Translate

log = logging.getLogger(__name__)

SLASH_SETTING = "Message_AllowUnrecognizedSlashCommand"
"""While it is off, web clients swallow `/whatsapp-360d-cloud …` (Rocket.Chat 8.3 processSlashCommand.ts)."""
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

    async def ensure(self) -> RoomId:
        """The channel, ready to be used. Can be repeated at any time; raises Busy when Rocket.Chat is away."""
        channel, made = await self._find_or_make()
        room = RoomId(str(channel["_id"]))
        await self._registry.set_fact(SETUP_ROOM, room)
        await self._furnish(room, channel, made)
        if made and channel.get("name") != self._name:
            await self._once(room, "renamed", Reply("setup.renamed", {"name": self._name}))
        await self._once(room, "instructions", Reply("setup.instructions", {"slash": SLASH}, layout="setup"))
        await self._invite(room)
        await self._let_slash_commands_through(room)
        await self._once(room, "question", self._question)
        return room

    async def _find_or_make(self) -> tuple[Json, bool]:
        known = await self._registry.fact(SETUP_ROOM)
        if known and (channel := await self._admin.private_channel(RoomId(known))) is not None:
            return channel, False
        for name in self._names():
            if (channel := await self._admin.private_channel_named(name)) is not None:
                return channel, False
            try:
                return await self._admin.create_private_channel(name), True
            except AlreadyThere:
                log.warning("the channel name %s is taken by a room that the bot cannot see", name)
        raise AlreadyThere(f"{self._name} and its {_MOST_NAMES - 1} successors")

    def _names(self) -> Iterator[str]:
        yield self._name
        yield from (f"{self._name}-{number}" for number in range(2, _MOST_NAMES + 1))

    async def _furnish(self, room: RoomId, channel: Json, made: bool) -> None:
        """What people wrote there themselves is left alone."""
        try:
            if made or not channel.get("topic"):
                await self._admin.set_topic(room, self._t("setup.topic"))
            if made or not channel.get("description"):
                await self._admin.set_description(room, self._t("setup.description"))
        except Refused as error:
            log.warning("the setup channel keeps its topic and description: %s", error)

    async def _invite(self, room: RoomId) -> None:
        present = {name.casefold() for name in await self._admin.members(room)}
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

    async def _let_slash_commands_through(self, room: RoomId) -> None:
        """Turns the setting on where the account may, else says once who has to, and what works meanwhile."""
        try:
            if await self._admin.public_setting(SLASH_SETTING) is not False:
                return
            await self._admin.change_setting(SLASH_SETTING, True)
            log.info("%s was switched on", SLASH_SETTING)
        except Refused as error:
            log.warning("%s is off, and the bot may not switch it on: %s", SLASH_SETTING, error)
            await self._once(room, "slash", Reply("setup.slash_off", {"setting": SLASH_SETTING, "bang": BANG}))

    async def _once(self, room: RoomId, occasion: str, reply: Reply) -> None:
        said = f"said {room} {occasion}"
        if not await self._registry.fact(said):
            await self._workspace.say(room, notice_id(said), self._view.post(reply))
            await self._registry.set_fact(said, "yes")
