"""Streams in both flavours: who hears what, through which subscription, and how often one may ask."""

import asyncio
import json
from typing import Literal

import pytest
import websockets

from tests.sandbox.rocketchat_client import FakeClock, ddp, workspace

Flavour = Literal["monolith", "streamer"]
BOTH = pytest.mark.parametrize("flavour", ["monolith", "streamer"])
MINE = ("stream-room-messages", "__my_messages__", False)


class TestMyMessages:
    @BOTH
    async def test_a_manager_hears_chats_that_they_never_joined(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour, clock=FakeClock()) as w:
            rid = await w.chat()
            async with ddp(w.rc, w.rc.token_for(w.bot)) as client:
                assert (await client.sub(*MINE))["msg"] == "ready"
                sent = await w.rc.write(w.anna, rid, "How can I help?")
                assert sent
                fields = await client.event()
                assert fields["eventName"] == "__my_messages__"
                message, extra = fields["args"]
                assert extra == {"roomParticipant": False, "roomType": "l"}
                assert message == {
                    "_id": sent["_id"],
                    "rid": rid,
                    "msg": "How can I help?",
                    "ts": {"$date": 1772359200000},
                    "u": {"_id": w.anna.id, "username": "anna", "name": "Anna Agent"},
                    "_updatedAt": {"$date": 1772359200000},
                    "urls": [],
                    "mentions": [],
                    "channels": [],
                    "md": [{"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": "How can I help?"}]}],
                }

    async def test_one_hears_only_what_one_may_see(self) -> None:
        async with workspace() as w:
            berta = w.rc.add_user("berta", roles=("livechat-agent",))
            rid = await w.chat()
            async with ddp(w.rc, w.rc.token_for(berta)) as client, ddp(w.rc) as nobody:
                for each in (client, nobody):
                    assert (await each.sub(*MINE))["msg"] == "ready"
                await w.rc.write(w.anna, rid, "secret")
                assert await client.quiet() == []
                assert await nobody.quiet() == []
                await w.rc.forward(rid, berta)
                assert (await client.event())["args"][0]["t"] == "command"

    async def test_members_of_a_group_hear_its_name(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            await client.sub(*MINE)
            rid = (await w.as_bot.ok("POST", "groups.create", {"name": "setup", "members": ["anna"]}))["group"]["_id"]
            await w.rc.write(w.anna, rid, "hi")
            extra = (await client.event())["args"][1]
            assert extra == {"roomParticipant": True, "roomType": "p", "roomName": "setup"}

    async def test_edits_and_reactions_come_as_the_same_message_again(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            rid = await w.chat()
            await client.sub(*MINE)
            sent = await w.rc.write(w.anna, rid, "helo")
            assert sent
            await w.rc.edit(w.anna, sent["_id"], "hello")
            await w.rc.react(w.bot, sent["_id"], ":thumbsup:")
            await w.rc.emit_again(sent["_id"])
            first, edited, reacted, again = [(await client.event())["args"][0] for _ in range(4)]
            assert {each["_id"] for each in (first, edited, reacted, again)} == {sent["_id"]}
            assert ("editedAt" in first, edited["editedBy"]["username"], edited["msg"]) == (False, "anna", "hello")
            assert reacted["reactions"] == {":thumbsup:": {"usernames": ["wa.bot"]}}
            assert again == reacted

    async def test_deletes_are_told_to_the_room_and_not_to_my_messages(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            rid = await w.chat()
            sent = await w.rc.write(w.anna, rid, "oops")
            assert sent
            await client.sub(*MINE)
            await client.sub("stream-notify-room", f"{rid}/deleteMessage", False)
            await w.rc.remove(w.anna, sent["_id"])
            frames = await client.quiet()
            assert frames == [
                {
                    "msg": "changed",
                    "collection": "stream-notify-room",
                    "id": "id",
                    "fields": {"eventName": f"{rid}/deleteMessage", "args": [{"_id": sent["_id"]}]},
                }
            ]

    async def test_events_that_happen_while_held_or_cut_off_are_gone(self) -> None:
        async with workspace() as w:
            rid, token = await w.chat(), w.rc.token_for(w.bot)
            async with ddp(w.rc, token) as client:
                await client.sub(*MINE)
                w.rc.hold_events(True)
                await w.rc.write(w.anna, rid, "lost")
                w.rc.hold_events(False)
                await w.rc.write(w.anna, rid, "heard")
                assert (await client.event())["args"][0]["msg"] == "heard"
                await w.rc.cut_sockets()
                with pytest.raises(websockets.ConnectionClosed):
                    await client.next()
            w.rc.refuse_sockets(True)
            with pytest.raises(websockets.InvalidStatus):
                async with ddp(w.rc, token):
                    pass
            await w.rc.write(w.anna, rid, "missed")
            w.rc.refuse_sockets(False)
            async with ddp(w.rc, token) as client:
                await client.sub(*MINE)
                assert await client.quiet() == []

    async def test_link_previews_hold_a_message_back_so_that_later_ones_come_first(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            rid = await w.chat()
            await client.sub(*MINE)
            w.rc.core.messages.preview_delay = 0.05
            await w.rc.write(w.anna, rid, "see https://example.org")
            await w.rc.write(w.anna, rid, "and this")
            texts = [(await client.event())["args"][0]["msg"] for _ in range(2)]
            assert texts == ["and this", "see https://example.org"]


class TestStreams:
    @BOTH
    async def test_refused_subscriptions_are_not_allowed_without_a_reason(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour) as w, ddp(w.rc, w.rc.token_for(w.anna)) as client:
            error = {
                "isClientSafe": True,
                "errorType": "Meteor.Error",
                "error": "not-allowed",
                "message": "[not-allowed]",
            }
            for stream, event in (
                ("stream-room-messages", "unknown"),
                ("stream-notify-user", f"{w.bot.id}/notification"),
                ("stream-notify-room", "unknown/deleteMessage"),
                ("stream-livechat-room", await w.chat()),
            ):
                assert (await client.sub(stream, event, False))["error"] == error
            assert (await client.sub("stream-room-messages", "", False))["error"]["error"] == "invalid-event-name"

    async def test_a_used_id_is_ignored_and_unsub_is_confirmed(self) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            frame = {"msg": "sub", "id": "x", "name": "stream-notify-all", "params": ["public-info", False]}
            await client.send(frame)
            assert await client.next() == {"msg": "ready", "subs": ["x"]}
            await client.send(frame)
            assert await client.quiet() == []
            await client.send({"msg": "unsub", "id": "x"})
            assert await client.next() == {"msg": "nosub", "id": "x"}

    async def test_use_collection_brings_one_added_frame(self) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            await client.sub("stream-notify-all", "public-info", {"useCollection": True, "args": []})
            added, _ready = client.frames[-2:]
            expected = {
                "msg": "added",
                "collection": "stream-notify-all",
                "id": "id",
                "fields": {"eventName": "public-info"},
            }
            assert added == expected

    async def test_a_visitor_reads_and_hears_typing_with_the_token_while_the_room_is_open(self) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            rid = await w.chat()
            options = {"useCollection": False, "args": [{"visitorToken": "tok-1"}]}
            assert (await client.sub("stream-room-messages", rid, options))["msg"] == "ready"
            await w.rc.write(w.anna, rid, "hi")
            assert (await client.event())["args"][0]["msg"] == "hi"
            await w.rc.close_room(w.anna, rid)
            assert (await client.sub("stream-room-messages", rid, options))["msg"] == "nosub"

    async def test_the_bot_types_for_the_visitor_and_only_for_this_one(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            async with ddp(w.rc, w.rc.token_for(w.bot)) as bot, ddp(w.rc, w.rc.token_for(w.anna)) as anna:
                await anna.sub("stream-notify-room", f"{rid}/user-activity", False)
                event = f"{rid}/user-activity"
                await bot.method("stream-notify-room", event, "Maria", ["user-typing"], {"token": "wrong"})
                answer = await bot.method("stream-notify-room", event, "Maria", ["user-typing"], {"token": "tok-1"})
                assert "error" not in answer
                fields = await anna.event("stream-notify-room")
                assert fields == {"eventName": event, "args": ["Maria", ["user-typing"]]}
                assert await anna.quiet() == []

    async def test_a_subscription_of_a_room_ends_silently_when_the_membership_does(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.anna)) as client:
            rid = await w.chat()
            assert (await client.sub("stream-room-messages", rid, False))["msg"] == "ready"
            await w.rc.close_room(w.anna, rid)
            await w.rc.write(w.anna, rid, "late")
            assert await client.quiet() == []

    async def test_being_invited_is_told_to_the_user(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            await client.sub("stream-notify-user", f"{w.bot.id}/subscriptions-changed", False)
            await w.as_root.ok("POST", "groups.create", {"name": "ops", "members": ["wa.bot"]})
            action, subscription = (await client.event("stream-notify-user"))["args"]
            assert (action, subscription["name"]) == ("inserted", "ops")

    async def test_a_changed_public_setting_is_told_to_all(self) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            await client.sub("stream-notify-all", "public-settings-changed", False)
            w.rc.settings["Message_AllowUnrecognizedSlashCommand"] = True
            w.rc.settings["API_Upper_Count_Limit"] = 7
            args = (await client.event("stream-notify-all"))["args"]
            assert args == ["updated", {"_id": "Message_AllowUnrecognizedSlashCommand", "value": True}]
            assert await client.quiet() == []

    async def test_an_agent_taking_the_chat_is_told_to_who_has_the_token(self) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            w.rc.settings["Livechat_Routing_Method"] = "Manual_Selection"
            rid = await w.chat()
            options = {"useCollection": False, "args": [{"visitorToken": "tok-1"}]}
            await client.sub("stream-livechat-room", rid, options)
            await w.rc.take(w.anna, rid)
            (event,) = (await client.event("stream-livechat-room"))["args"]
            assert (event["type"], event["data"]["username"]) == ("agentData", "anna")


class TestRates:
    async def test_more_than_forty_room_subscriptions_in_forty_seconds_are_refused_inside_nosub(self) -> None:
        async with workspace(clock=FakeClock()) as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            rid = await w.chat()
            answers = [await client.sub("stream-room-messages", rid, False) for _ in range(41)]
            assert [answer["msg"] for answer in answers] == ["ready"] * 40 + ["nosub"]
            error = answers[-1]["error"]
            assert (error["error"], error["details"]) == ("too-many-requests", {"timeToReset": 40000})
            assert "You must wait 40 seconds" in error["reason"]

    async def test_ten_calls_of_a_method_in_ten_seconds_per_connection(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            answers = [await client.method("getUserRoles") for _ in range(11)]
            assert ["error" in answer for answer in answers] == [False] * 10 + [True]
            clock.now += 11
            assert "error" not in await client.method("getUserRoles")

    async def test_five_messages_a_second_unless_many_are_permitted(self) -> None:
        async with workspace(clock=FakeClock()) as w:
            rid = await w.chat()
            for user, refused in ((w.anna, 1), (w.bot, 0)):
                async with ddp(w.rc, w.rc.token_for(user)) as client:
                    answers = [await client.method("sendMessage", {"rid": rid, "msg": "x"}) for _ in range(6)]
                    assert sum("error" in answer for answer in answers) == refused

    async def test_the_streamer_counts_nothing(self) -> None:
        async with workspace(flavour="streamer", clock=FakeClock()) as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            answers = [await client.method("getUserRoles") for _ in range(30)]
            assert not [answer for answer in answers if "error" in answer]


async def test_until_wakes_when_a_socket_subscribes_and_callbacks_hear_every_change() -> None:
    async with workspace() as w:
        heard: list[str] = []
        w.rc.subscribe(lambda kind, document: heard.append(kind))
        waiting = asyncio.create_task(w.rc.until(lambda: "subscribed" in heard))
        async with ddp(w.rc, w.rc.token_for(w.bot)) as client:
            await client.sub(*MINE)
            await waiting
        await w.rc.until(lambda: not w.rc.hub.sessions)
        assert [kind for kind in heard if kind in ("socket", "logged-in", "subscribed")] == [
            "socket",
            "logged-in",
            "subscribed",
            "socket",
        ]


async def test_a_lever_refuses_the_websocket_upgrade() -> None:
    async with workspace() as w:
        w.rc.levers.add("^/websocket", status=502)
        with pytest.raises(websockets.InvalidStatus):
            async with ddp(w.rc):
                pass
        async with ddp(w.rc) as client:
            assert json.dumps(client.frames[0])
