"""Omnichannel on the agents' side: how chats end, who is online, which rooms there are."""

import pytest

from tests.sandbox.rocketchat_client import FakeClock, workspace


class TestClosing:
    async def test_an_agent_closes_with_a_comment_and_the_room_stays_closed(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            assert (await w.as_anna.post("livechat/room.closeByUser", {"rid": rid}))[1][
                "error"
            ] == "error-comment-is-required"
            await w.as_anna.ok("POST", "livechat/room.closeByUser", {"rid": rid, "comment": "solved"})
            room = w.rc.rooms[rid]
            assert "open" not in room
            assert room["closer"] == "user"
            assert room["closedBy"] == {"_id": w.anna.id, "username": "anna"}
            last = w.rc.messages(rid)[-1]
            assert (last["t"], last["msg"], "token" in last) == ("livechat-close", "solved", False)
            assert w.rc.core.world.members(rid) == []
            again = await w.as_anna.post("livechat/room.closeByUser", {"rid": rid, "comment": "x"})
            assert again[1]["error"] == "error-room-already-closed"
            assert (await w.as_bot.get("livechat/room", token="tok-1", rid=rid))[1]["error"] == "invalid-room"
            assert (await w.as_bot.ok("GET", "livechat/room", token="tok-1"))["room"]["_id"] != rid

    async def test_a_manager_closes_chats_of_others_and_an_agent_does_not(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            other = w.rest(w.rc.add_user("berta", roles=("livechat-agent",)))
            status, answer = await other.post("livechat/room.closeByUser", {"rid": rid, "comment": "x"})
            assert (status, answer["error"]) == (400, "error-not-authorized")
            await w.as_bot.ok("POST", "livechat/room.closeByUser", {"rid": rid, "comment": "x"})

    async def test_a_visitor_closes_when_allowed(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            key = {"token": "tok-1", "rid": rid}
            w.rc.settings["Omnichannel_allow_visitors_to_close_conversation"] = False
            assert (await w.as_nobody.post("livechat/room.close", key))[0] == 400
            w.rc.settings["Omnichannel_allow_visitors_to_close_conversation"] = True
            answer = await w.as_nobody.ok("POST", "livechat/room.close", key)
            assert (answer["rid"], answer["comment"]) == (rid, "Closed by visitor")
            last = w.rc.messages(rid)[-1]
            assert (last["t"], last["token"], last["u"]["username"]) == ("livechat-close", "tok-1", "guest-1")
            assert (await w.as_nobody.post("livechat/room.close", key))[1]["error"] == "room-closed"

    async def test_an_agent_who_served_may_still_write_into_a_closed_room(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            await w.rc.close_room(w.anna, rid)
            assert await w.rc.write(w.anna, rid, "one more thing")


class TestAgents:
    async def test_forwarding_changes_who_serves_and_tells_the_story(self) -> None:
        async with workspace() as w:
            berta = w.rc.add_user("berta", name="Berta", roles=("livechat-agent",))
            rid = await w.chat()
            body = {"roomId": rid, "userId": berta.id, "comment": "yours"}
            assert (await w.as_anna.post("livechat/room.forward", body))[0] == 403, (
                "agents lack transfer-livechat-guest"
            )
            await w.as_bot.ok("POST", "livechat/room.forward", body)
            assert w.rc.rooms[rid]["servedBy"]["username"] == "berta"
            story = [(each.get("t"), each["u"]["username"]) for each in w.rc.messages(rid)[3:]]
            assert story == [
                ("command", "berta"),
                ("uj", "berta"),
                ("livechat_transfer_history", "wa.bot"),
                ("ul", "anna"),
            ]
            data = w.rc.messages(rid)[5]["transferData"]
            assert (data["scope"], data["comment"]) == ("agent", "yours")
            assert data["transferredTo"] == {"_id": berta.id, "username": "berta", "name": "Berta"}

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"roomId": "none", "userId": "x"}, "error-invalid-room"),
            ({"departmentId": "none"}, "error-invalid-department"),
            ({"userId": "offline"}, "error-user-is-offline"),
            ({"departmentId": "same"}, "error-forwarding-chat-same-department"),
            ({"departmentId": "empty"}, "error-no-agents-available-for-service-on-department"),
        ],
    )
    async def test_forwarding_refusals(self, body: dict[str, str], error: str) -> None:
        async with workspace() as w:
            rid = await w.chat(department="Sales")
            off = w.rc.add_user("off", roles=("livechat-agent",), available=False)
            ids = {"offline": off.id, "same": w.sales.id, "empty": w.rc.add_department("Empty").id}
            sent = {"roomId": rid, **{name: ids.get(value, value) for name, value in body.items()}}
            status, answer = await w.as_bot.post("livechat/room.forward", sent)
            assert (status, answer["error"]) == (400, error)

    async def test_with_manual_selection_chats_wait_until_taken(self) -> None:
        async with workspace() as w:
            w.rc.settings["Livechat_Routing_Method"] = "Manual_Selection"
            rid = await w.chat()
            assert "servedBy" not in w.rc.rooms[rid]
            inquiry = (await w.as_anna.ok("GET", "livechat/inquiries.getOne", roomId=rid))["inquiry"]
            assert inquiry["status"] == "queued"
            await w.as_anna.ok("POST", "livechat/inquiries.take", {"inquiryId": inquiry["_id"]})
            assert w.rc.rooms[rid]["servedBy"]["username"] == "anna"

    async def test_lists_of_departments_and_agents(self) -> None:
        async with workspace() as w:
            departments = await w.as_bot.ok("GET", "livechat/department", count=10)
            assert [(each["_id"], each["name"], each["numAgents"]) for each in departments["departments"]] == [
                (w.sales.id, "Sales", 1)
            ]
            assert departments["total"] == 1
            assert (await w.rest(w.rc.add_user("eve")).get("livechat/department"))[0] == 403
            agents = (await w.as_bot.ok("GET", "livechat/users/agent", onlyAvailable="true"))["users"]
            assert [each["username"] for each in agents] == ["anna"]
            await w.as_anna.ok("POST", "livechat/agent.status", {"status": "not-available"})
            assert (await w.as_bot.ok("GET", "livechat/users/agent", onlyAvailable="true"))["users"] == []

    async def test_config_tells_departments_and_whether_somebody_is_there(self) -> None:
        async with workspace() as w:
            empty = w.rc.add_department("Empty")
            config = (await w.as_nobody.ok("GET", "livechat/config"))["config"]
            assert (config["enabled"], config["online"]) == (True, True)
            assert [each["name"] for each in config["departments"]] == ["Sales"]
            assert "guest" not in config
            assert (await w.as_nobody.ok("GET", "livechat/config", department=empty.id))["config"]["online"] is False
            rid = await w.chat()
            config = (await w.as_nobody.ok("GET", "livechat/config", token="tok-1"))["config"]
            assert (config["room"]["_id"], config["agent"]["username"]) == (rid, "anna")
            assert (await w.as_nobody.get("livechat/config", what="else"))[1]["errorType"] == "invalid-params"


class TestRooms:
    async def test_open_means_served_and_not_on_hold(self) -> None:
        async with workspace() as w:
            served, held, closed = [await w.chat(f"tok-{name}") for name in ("served", "held", "closed")]
            w.rc.core.world.touch_room(held, onHold=True)
            await w.rc.close_room(w.anna, closed)
            w.rc.go_online(w.anna, False)
            w.rc.settings["Livechat_accept_chats_with_no_agents"] = True
            queued = await w.chat("tok-queued")

            async def ids(**query: str) -> set[str]:
                return {room["_id"] for room in (await w.as_bot.ok("GET", "livechat/rooms", **query))["rooms"]}

            assert await ids() == {served, held, closed, queued}
            assert await ids(open="true") == {served}
            assert await ids(open="false") == {closed}
            assert await ids(queued="true") == {queued}
            assert await ids(onhold="true") == {held}

    async def test_sorted_by_change_and_paged(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            rooms = []
            for number in range(5):
                clock.now += 1
                rooms.append(await w.chat(f"tok-{number}"))
            clock.now += 1
            await w.rc.write(w.anna, rooms[1], "hello")
            query = {"sort": '{"_updatedAt":-1}', "count": 2}
            page = await w.as_bot.ok("GET", "livechat/rooms", **query)
            assert [room["_id"] for room in page["rooms"]] == [rooms[1], rooms[4]]
            assert (page["count"], page["offset"], page["total"]) == (2, 0, 5)
            page = await w.as_bot.ok("GET", "livechat/rooms", **query, offset=4)
            assert [room["_id"] for room in page["rooms"]] == [rooms[0]]
            default = await w.as_bot.ok("GET", "livechat/rooms", query='{"open":true}', fields='{"_id":1}')
            assert [room["_id"] for room in default["rooms"]] == rooms[::-1], "query and fields are ignored"
            assert "msgs" in default["rooms"][0]
            assert (await w.as_bot.get("livechat/rooms", sort='{"ts":2}'))[0] == 400

    async def test_a_page_holds_a_hundred_at_most_and_fifty_by_default(self) -> None:
        async with workspace() as w:
            for number in range(101):
                await w.chat(f"tok-{number}")
            for query, expected in (({}, 50), ({"count": 500}, 100), ({"count": 0}, 101)):
                page = await w.as_bot.ok("GET", "livechat/rooms", **query)
                assert (len(page["rooms"]), page["total"]) == (expected, 101)

    async def test_an_agent_sees_only_their_own_list(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            assert (await w.as_anna.get("livechat/rooms"))[0] == 403
            _, answer = await w.as_anna.call("GET", "livechat/rooms", params={"agents[]": w.anna.id})
            assert [room["_id"] for room in answer["rooms"]] == [rid]

    async def test_closed_since(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            old, new = await w.chat("tok-1"), await w.chat("tok-2")
            await w.rc.close_room(w.anna, old)
            clock.now += 60
            await w.rc.close_room(w.anna, new)
            query = {"closedAt": '{"start":"2026-03-01T10:00:30.000Z"}'}
            rooms = (await w.as_bot.ok("GET", "livechat/rooms", **query))["rooms"]
            assert [room["_id"] for room in rooms] == [new]

    async def test_edits_of_old_messages_and_reactions_leave_the_room_alone(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            rid = await w.chat()
            first, last = await w.rc.write(w.anna, rid, "one"), await w.rc.write(w.anna, rid, "two")
            assert first and last
            before = w.rc.rooms[rid]["_updatedAt"]
            clock.now += 10
            await w.rc.edit(w.anna, first["_id"], "uno")
            await w.rc.react(w.anna, last["_id"], ":thumbsup:")
            assert w.rc.rooms[rid]["_updatedAt"] == before
            await w.rc.edit(w.anna, last["_id"], "due")
            assert w.rc.rooms[rid]["_updatedAt"] > before
