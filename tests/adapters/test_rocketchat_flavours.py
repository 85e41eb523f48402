"""The ear on both servers that Rocket.Chat puts behind `/websocket`: Meteor's own and ddp-streamer."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from bot.errors import NotFound
from bot.model import UserId, VisitorToken
from bot.ports import Heard, Lost, Ready
from bot.rocketchat.parse import is_for_customer
from tests.adapters.rocketchat_stage import Flavour, stage

FLAVOURS: list[Flavour] = ["monolith", "streamer"]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("password", [False, True])
async def test_words_are_heard_from_a_room_that_the_bot_never_joined(flavour: Flavour, password: bool) -> None:
    async with stage(flavour, password=password) as on, aclosing(on.realtime.events()) as events:
        assert await anext(events) == Ready(UserId(on.bot.id))
        await on.livechat.register(VisitorToken("token-of-maria"), name="Maria")
        room = await on.livechat.open_room(VisitorToken("token-of-maria"))
        await on.rc.write(on.agent, room, "How can I help?")
        while True:
            event = await anext(events)
            assert isinstance(event, Heard)
            if is_for_customer(event.message, UserId(on.bot.id)):
                break
        assert (event.message["msg"], event.room_type) == ("How can I help?", "l")


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_cut_sockets_and_refused_ones_are_survived(flavour: Flavour) -> None:
    async with stage(flavour) as on, aclosing(on.realtime.events()) as events:
        assert isinstance(await anext(events), Ready)
        on.rc.refuse_sockets()
        await on.rc.cut_sockets()
        for _ in range(3):
            assert isinstance(await anext(events), Lost)
        on.rc.refuse_sockets(False)
        while isinstance(event := await anext(events), Lost):
            pass
        assert isinstance(event, Ready)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_revoked_token_is_replaced_with_the_password_and_the_ear_stays_open(flavour: Flavour) -> None:
    async with stage(flavour, password=True) as on, aclosing(on.realtime.events()) as events:
        assert isinstance(await anext(events), Ready)
        first = await on.credentials.current()
        on.rc.revoke(first.token)
        while isinstance(event := await anext(events), Lost):
            pass
        assert isinstance(event, Ready)
        assert await on.credentials.current() != first and on.asked("login") == 2


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_roles_are_told_over_the_socket(flavour: Flavour) -> None:
    async with stage(flavour) as on, aclosing(on.realtime.events()) as events:
        assert isinstance(await anext(events), Ready)
        people = await on.realtime.call("getUserRoles")
        assert on.agent.id in [person["_id"] for person in people]
        with pytest.raises(NotFound):
            await on.realtime.call("noSuchMethod")
