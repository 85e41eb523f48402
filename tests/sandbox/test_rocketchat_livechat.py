"""Omnichannel as a guest channel: who a visitor is, when there is a room, what a message may do, how chats end."""

import asyncio
from typing import Any

import pytest

from tests.sandbox.rocketchat_client import FakeClock, workspace


class TestVisitor:
    async def test_a_new_visitor_is_a_numbered_guest(self) -> None:
        async with workspace(clock=FakeClock()) as w:
            body = {"visitor": {"token": "tok", "name": "Ann", "phone": "+491700000", "department": "Sales", "more": 1}}
            visitor = (await w.as_bot.ok("POST", "livechat/visitor", body))["visitor"]
            assert visitor.pop("_id")
            assert visitor == {
                "token": "tok",
                "username": "guest-1",
                "name": "Ann",
                "phone": [{"phoneNumber": "+491700000"}],
                "status": "online",
                "ts": "2026-03-01T10:00:00.000Z",
                "department": w.sales.id,
                "_updatedAt": "2026-03-01T10:00:00.000Z",
            }

    async def test_matched_by_token_then_phone_then_e_mail_and_only_the_phone_keeps_its_token(self) -> None:
        async with workspace() as w:

            async def register(**visitor: str) -> dict[str, Any]:
                answer = await w.as_bot.ok("POST", "livechat/visitor", {"visitor": visitor})
                found: dict[str, Any] = answer["visitor"]
                return found

            first = await register(token="a", phone="+49170")
            assert (await register(token="a", name="Ann"))["_id"] == first["_id"]
            by_phone = await register(token="b", phone="+49170")
            assert (by_phone["_id"], by_phone["token"]) == (first["_id"], "a")
            assert (await register(token="c", phone="49170"))["_id"] != first["_id"], "strings, not numbers"
            mailed = await register(token="d", email="Ann@Example.org ")
            again = await register(token="e", email="ann@example.org")
            assert (again["_id"], again["token"]) == (mailed["_id"], "e")
            assert (await w.as_bot.get("livechat/visitor/d"))[0] == 400

    async def test_two_at_once_with_one_phone_make_two_visitors(self) -> None:
        async with workspace() as w:
            w.rc.core.world.latency = 0.02
            bodies = [{"visitor": {"token": token, "phone": "+49170"}} for token in "ab"]
            answers = await asyncio.gather(*(w.as_bot.ok("POST", "livechat/visitor", body) for body in bodies))
            assert len({answer["visitor"]["_id"] for answer in answers}) == 2

    @pytest.mark.parametrize(
        ("visitor", "error"),
        [
            ({"token": ""}, "error-invalid-token"),
            ({"token": "t", "department": "Nowhere"}, "error-invalid-department"),
            ({"name": "x"}, "Match error"),
            ({"token": "t", "phone": 49170}, "Match error"),
        ],
    )
    async def test_refusals(self, visitor: dict[str, Any], error: str) -> None:
        async with workspace() as w:
            status, answer = await w.as_bot.post("livechat/visitor", {"visitor": visitor})
            assert status == 400
            assert error in answer["error"]

    async def test_a_new_name_shows_on_the_open_room(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok-1", "name": "Maria B."}})
            assert w.rc.rooms[rid]["fname"] == "Maria B."
            assert w.rc.core.world.subscriptions[rid, w.anna.id]["fname"] == "Maria B."

    async def test_an_unknown_token_is_named_in_brackets(self) -> None:
        async with workspace() as w:
            status, answer = await w.as_bot.get("livechat/visitor/none")
            assert (status, answer) == (
                400,
                {"success": False, "error": "[invalid-token]", "errorType": "invalid-token"},
            )


class TestRoom:
    async def test_a_room_is_made_once_and_found_ever_after(self) -> None:
        async with workspace(clock=FakeClock()) as w:
            body = {"visitor": {"token": "tok", "name": "Ann", "department": "Sales"}}
            await w.as_bot.ok("POST", "livechat/visitor", body)
            first = await w.as_bot.ok("GET", "livechat/room", token="tok")
            room = first["room"]
            assert first["newRoom"] is True
            assert (room["t"], room["fname"], room["open"], room["cl"]) == ("l", "Ann", True, False)
            assert room["source"] == {"type": "api"}
            assert room["v"]["token"] == "tok"
            assert room["departmentId"] == w.sales.id
            assert room["servedBy"] == {"_id": w.anna.id, "username": "anna", "ts": "2026-03-01T10:00:00.000Z"}
            again = await w.as_bot.ok("GET", "livechat/room", token="tok", rid=room["_id"])
            assert (again["newRoom"], again["room"]["_id"]) == (False, room["_id"])
            kinds = [(each.get("t"), each["msg"], each["u"]["username"]) for each in w.rc.messages(room["_id"])]
            assert kinds == [("livechat-started", "", "guest-1"), ("command", "connected", "anna"), ("uj", "", "anna")]

    @pytest.mark.parametrize(
        "query", [{"token": "unknown"}, {"token": "tok-1", "rid": "unknown"}, {"token": "tok-1", "x": "1"}]
    )
    async def test_refusals(self, query: dict[str, str]) -> None:
        async with workspace() as w:
            await w.chat()
            status, answer = await w.as_bot.get("livechat/room", **query)
            assert status == 400
            assert answer["error"] in ("invalid-token", "invalid-room", "Match error: Unknown key in field x")
            assert "errorType" not in answer

    async def test_nobody_online_means_no_room_unless_chats_are_taken_anyway(self) -> None:
        async with workspace() as w:
            w.rc.go_online(w.anna, False)
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok"}})
            status, answer = await w.as_bot.get("livechat/room", token="tok")
            assert (status, answer) == (
                400,
                {
                    "success": False,
                    "error": "Sorry, no online agents [no-agent-online]",
                    "errorType": "no-agent-online",
                },
            )
            w.rc.settings["Livechat_accept_chats_with_no_agents"] = True
            room = (await w.as_bot.ok("GET", "livechat/room", token="tok"))["room"]
            assert "servedBy" not in room

    async def test_presence_does_not_matter_but_the_agent_s_own_switch_does(self) -> None:
        async with workspace() as w:
            w.anna.status = "offline"
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok"}})
            await w.as_bot.ok("GET", "livechat/room", token="tok")
            w.rc.settings["Livechat_enabled_when_agent_idle"] = False
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok2"}})
            assert (await w.as_bot.get("livechat/room", token="tok2"))[1]["errorType"] == "no-agent-online"

    async def test_an_empty_department_passes_the_chat_to_its_fallback(self) -> None:
        async with workspace() as w:
            night = w.rc.add_department("Night", fallback=w.sales.id)
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok", "department": night.id}})
            room = (await w.as_bot.ok("GET", "livechat/room", token="tok"))["room"]
            assert (room["departmentId"], room["servedBy"]["username"]) == (w.sales.id, "anna")
            night.fallback = None
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok2", "department": night.id}})
            assert (await w.as_bot.get("livechat/room", token="tok2"))[1]["errorType"] == "no-agent-online"

    async def test_the_agent_with_the_fewest_chats_gets_the_next(self) -> None:
        async with workspace() as w:
            w.rc.add_user("berta", roles=("livechat-agent",))
            w.sales.agents.append(next(user.id for user in w.rc.core.world.users.values() if user.username == "berta"))
            rooms = [await w.chat(f"tok-{number}") for number in range(4)]
            assert sorted(w.rc.rooms[rid]["servedBy"]["username"] for rid in rooms) == [
                "anna",
                "anna",
                "berta",
                "berta",
            ]

    async def test_two_at_once_make_one_room_on_8_and_two_on_7(self) -> None:
        async with workspace() as w:
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok"}})
            w.rc.core.world.latency = 0.02
            answers = await asyncio.gather(*(w.as_bot.get("livechat/room", token="tok") for _ in range(2)))
            assert sorted(status for status, _ in answers) == [200, 400]
            assert next(answer["error"] for status, answer in answers if status == 400).startswith("E11000")
            assert (await w.as_bot.ok("GET", "livechat/room", token="tok"))["newRoom"] is False
            w.rc.core.livechat.unique_rooms = False
            await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok7"}})
            answers = await asyncio.gather(*(w.as_bot.get("livechat/room", token="tok7") for _ in range(2)))
            assert len({answer["room"]["_id"] for _, answer in answers}) == 2

    async def test_with_omnichannel_off_or_the_contact_blocked_there_is_no_room(self) -> None:
        async with workspace() as w:
            visitor = (await w.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": "tok"}}))["visitor"]
            w.rc.core.livechat.blocked_visitors.add(visitor["_id"])
            assert (await w.as_bot.get("livechat/room", token="tok"))[1]["error"] == "error-contact-channel-blocked"
            w.rc.settings["Livechat_enabled"] = False
            assert (await w.as_bot.get("livechat/room", token="tok"))[1]["errorType"] == "error-omnichannel-is-disabled"
            assert (await w.as_bot.ok("GET", "livechat/config"))["config"] == {"enabled": False}


class TestMessage:
    async def test_the_answer_is_the_whole_document(self) -> None:
        async with workspace(clock=FakeClock()) as w:
            rid = await w.chat()
            body = {"token": "tok-1", "rid": rid, "msg": "hello", "_id": "wa1"}
            message = (await w.as_nobody.ok("POST", "livechat/message", body))["message"]
            visitor = w.rc.rooms[rid]["v"]
            assert message == {
                "_id": "wa1",
                "rid": rid,
                "msg": "hello",
                "token": "tok-1",
                "alias": "Maria",
                "ts": "2026-03-01T10:00:00.000Z",
                "_updatedAt": "2026-03-01T10:00:00.000Z",
                "u": {"_id": visitor["_id"], "username": "guest-1", "name": "Maria"},
                "urls": [],
                "mentions": [],
                "channels": [],
                "md": [{"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": "hello"}]}],
            }

    async def test_checked_in_order_token_room_open_length(self) -> None:
        async with workspace() as w:
            rid, other = await w.chat(), await w.chat("tok-2")
            w.rc.settings["Livechat_enable_message_character_limit"] = True
            w.rc.settings["Livechat_message_character_limit"] = 3

            async def error(token: str, room: str, msg: str) -> str:
                status, answer = await w.as_bot.post("livechat/message", {"token": token, "rid": room, "msg": msg})
                assert status == 400
                assert "errorType" not in answer
                return str(answer["error"])

            assert await error("nobody", "nowhere", "long text") == "invalid-token"
            assert await error("tok-1", other, "long text") == "invalid-room"
            assert await error("tok-1", rid, "long text") == "message-length-exceeds-character-limit"
            await w.rc.close_room(w.anna, rid)
            assert await error("tok-1", rid, "long text") == "room-closed"

    async def test_a_repeated_id_changes_nothing_and_answers_with_the_first(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            body = {"token": "tok-1", "rid": rid, "msg": "hello", "_id": "wa1"}
            await w.as_bot.ok("POST", "livechat/message", body)
            before = w.rc.rooms[rid]["msgs"]
            again = await w.as_bot.ok("POST", "livechat/message", {**body, "msg": "other"})
            assert again["message"]["msg"] == "hello"
            assert w.rc.rooms[rid]["msgs"] == before

    async def test_an_id_of_another_room_is_answered_with_that_room_s_message(self) -> None:
        async with workspace() as w:
            first, second = await w.chat(), await w.chat("tok-2")
            await w.as_bot.ok("POST", "livechat/message", {"token": "tok-1", "rid": first, "msg": "a", "_id": "wa1"})
            body = {"token": "tok-2", "rid": second, "msg": "b", "_id": "wa1"}
            assert (await w.as_bot.ok("POST", "livechat/message", body))["message"]["rid"] == first
            assert [each["msg"] for each in w.rc.messages(second) if not each.get("t")] == []

    async def test_two_in_flight_with_one_id_store_one_and_a_later_try_succeeds(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            w.rc.core.world.latency = 0.02
            body = {"token": "tok-1", "rid": rid, "msg": "hello", "_id": "wa1"}
            answers = await asyncio.gather(*(w.as_bot.post("livechat/message", body) for _ in range(2)))
            assert sorted(status for status, _ in answers) == [200, 400]
            await w.as_bot.ok("POST", "livechat/message", body)
            assert [each["_id"] for each in w.rc.messages(rid) if not each.get("t")] == ["wa1"]

    async def test_a_room_closed_in_between_is_replaced_without_a_word(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            w.rc.core.livechat.close_before_send.add(rid)
            body = {"token": "tok-1", "rid": rid, "msg": "hello", "_id": "wa1"}
            message = (await w.as_bot.ok("POST", "livechat/message", body))["message"]
            assert message["rid"] != rid
            assert "open" not in w.rc.rooms[rid]
            assert w.rc.rooms[message["rid"]]["open"] is True

    async def test_a_mention_of_all_is_refused_for_lack_of_a_permission_that_visitors_cannot_have(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            body = {"token": "tok-1", "rid": rid, "msg": "hello @all"}
            status, answer = await w.as_bot.post("livechat/message", body)
            assert (status, answer["errorType"]) == (400, "error-action-not-allowed")
            await w.as_bot.ok("POST", "livechat/message", {**body, "msg": "mail me at ann@all or @allison"})

    async def test_a_stored_message_is_found_also_in_a_closed_room(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            await w.as_bot.ok("POST", "livechat/message", {"token": "tok-1", "rid": rid, "msg": "a", "_id": "wa1"})
            await w.rc.close_room(w.anna, rid)
            found = await w.as_nobody.ok("GET", "livechat/message/wa1", token="tok-1", rid=rid)
            assert found["message"]["msg"] == "a"
            for query, error in (
                ({"token": "x", "rid": rid}, "invalid-token"),
                ({"token": "tok-1", "rid": "x"}, "invalid-room"),
            ):
                assert (await w.as_nobody.get("livechat/message/wa1", **query))[1]["error"] == error
            assert (await w.as_nobody.get("livechat/message/no", token="tok-1", rid=rid))[1][
                "error"
            ] == "invalid-message"

    async def test_visitors_edit_and_delete_their_own(self) -> None:
        async with workspace() as w:
            rid = await w.chat()
            await w.as_bot.ok("POST", "livechat/message", {"token": "tok-1", "rid": rid, "msg": "a", "_id": "wa1"})
            theirs = await w.rc.write(w.anna, rid, "hi")
            assert theirs
            key = {"token": "tok-1", "rid": rid}
            edited = await w.as_nobody.ok("PUT", "livechat/message/wa1", {**key, "msg": "b"})
            assert (edited["message"]["msg"], edited["message"]["editedBy"]["username"]) == ("b", "guest-1")
            status, answer = await w.as_nobody.call("DELETE", f"livechat/message/{theirs['_id']}", json=key)
            assert (status, answer["errorType"]) == (400, "error-action-not-allowed")
            assert (await w.as_nobody.call("DELETE", "livechat/message/wa1"))[1]["errorType"] == "invalid-params"
            await w.as_nobody.ok("DELETE", "livechat/message/wa1", key)

    async def test_history_counts_by_limit_and_not_by_count(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            rid = await w.chat()
            for number in range(5):
                clock.now += 1
                body = {"token": "tok-1", "rid": rid, "msg": str(number)}
                await w.as_bot.ok("POST", "livechat/message", body)
            path = f"livechat/messages.history/{rid}"
            messages = (await w.as_bot.ok("GET", path, token="tok-1", limit=2, count=1))["messages"]
            assert [each["msg"] for each in messages] == ["4", "3"]
