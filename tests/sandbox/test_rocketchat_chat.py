"""Messages: sent once by id, refused with reasons, edited and deleted by rule, caught up by cursor, typed by people."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.rocketchat_client import FakeClock, World, workspace


async def setup_channel(w: World, *members: str) -> str:
    body = {"name": "setup", "members": list(members)}
    return str((await w.as_bot.ok("POST", "groups.create", body))["group"]["_id"])


async def test_a_sent_message_comes_back_with_what_the_server_added() -> None:
    async with workspace(clock=FakeClock()) as w:
        rid = await setup_channel(w)
        body = {"message": {"_id": "own1", "rid": rid, "msg": "hello @anna"}}
        message = (await w.as_bot.ok("POST", "chat.sendMessage", body))["message"]
        assert message == {
            "_id": "own1",
            "rid": rid,
            "msg": "hello @anna",
            "ts": "2026-03-01T10:00:00.000Z",
            "_updatedAt": "2026-03-01T10:00:00.000Z",
            "u": {"_id": w.bot.id, "username": "wa.bot", "name": "WhatsApp"},
            "urls": [],
            "mentions": [{"_id": w.anna.id, "username": "anna", "name": "Anna Agent", "type": "user"}],
            "channels": [],
            "md": [{"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": "hello @anna"}]}],
        }


async def test_the_same_id_twice_is_400_although_the_first_is_stored() -> None:
    async with workspace() as w:
        rid = await setup_channel(w)
        body = {"message": {"_id": "own1", "rid": rid, "msg": "hello"}}
        await w.as_bot.ok("POST", "chat.sendMessage", body)
        status, answer = await w.as_bot.post("chat.sendMessage", body)
        crash = "Cannot read properties of undefined (reading 'starred')"
        assert (status, answer) == (400, {"success": False, "error": crash})
        assert (await w.as_bot.ok("GET", "chat.getMessage", msgId="own1"))["message"]["msg"] == "hello"
        assert [each["_id"] for each in w.rc.messages(rid)] == ["own1"]


async def test_two_in_flight_with_one_id_make_one_message_and_a_duplicate_key_error() -> None:
    async with workspace() as w:
        rid = await setup_channel(w)
        w.rc.core.world.latency = 0.2
        body = {"message": {"_id": "own1", "rid": rid, "msg": "hello"}}
        answers = await asyncio.gather(*(w.as_bot.post("chat.sendMessage", body) for _ in range(2)))
        assert sorted(status for status, _ in answers) == [200, 400]
        assert "E11000" in next(answer["error"] for status, answer in answers if status == 400)
        assert len(w.rc.messages(rid)) == 1


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"msg": "x" * 5001}, "The message size exceeds Message_MaxAllowedSize [error-message-size-exceeded]"),
        ({"msg": "x", "tshow": True}, "tshow provided but missing tmid [invalid-params]"),
        ({"msg": "x", "t": "uj"}, "Cannot send system messages using 'chat.sendMessage'"),
        ({"msg": "x", "rid": "nowhere"}, "error-invalid-room"),
        ({"attachments": [{"title_link": "javascript:alert(1)"}]}, "Invalid href value provided"),
        ({"attachments": [{"actions": [{"type": "button", "url": "not a url"}]}]}, "Invalid href value provided"),
        (
            {"attachments": [{"fields": [{"title": "Zero", "value": 0}]}]},
            "Invalid attachment field, title and value is required",
        ),
        ({"msg": "x", "customFields": {"a": 1}}, "Custom fields not enabled"),
        ({"msg": "see @all"}, "Notify all in this room not allowed [error-action-not-allowed]"),
    ],
)
async def test_what_a_message_may_not_be(message: dict[str, Any], error: str) -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        w.bot.roles = ("livechat-agent", "bot")
        w.rc.core.world.subscriptions[rid, w.bot.id].pop("roles")
        status, answer = await w.as_bot.post("chat.sendMessage", {"message": {"rid": rid, **message}})
        assert (status, answer["error"]) == (400, error)
        assert w.rc.messages(rid) == []


async def test_another_name_needs_the_permission_that_bots_have_and_admins_lack() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "root")
        body = {"message": {"rid": rid, "msg": "x", "alias": "Maria"}}
        assert (await w.as_bot.ok("POST", "chat.sendMessage", body))["message"]["alias"] == "Maria"
        assert (await w.as_root.post("chat.sendMessage", body))[1]["error"] == "Not enough permission"


async def test_outsiders_neither_read_nor_write() -> None:
    async with workspace() as w:
        rid = await setup_channel(w)
        await w.as_bot.ok("POST", "chat.sendMessage", {"message": {"_id": "m1", "rid": rid, "msg": "secret"}})
        status, answer = await w.as_root.post("chat.sendMessage", {"message": {"rid": rid, "msg": "x"}})
        assert (status, answer["error"]) == (400, "error-not-allowed")
        assert (await w.as_root.get("chat.getMessage", msgId="m1"))[0] == 400


async def test_read_only_rooms_take_only_what_owners_write() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        await w.as_bot.ok("POST", "groups.setReadOnly", {"roomId": rid, "readOnly": True})
        status, answer = await w.as_anna.post("chat.sendMessage", {"message": {"rid": rid, "msg": "x"}})
        assert (status, answer["error"]) == (400, "You can't send messages because the room is readonly.")
        await w.as_bot.ok("POST", "chat.sendMessage", {"message": {"rid": rid, "msg": "x"}})


async def test_post_message_finds_the_room_by_name_and_the_person_by_at() -> None:
    async with workspace() as w:
        rid = await setup_channel(w)
        answer = await w.as_bot.ok("POST", "chat.postMessage", {"channel": "#setup", "text": "one"})
        assert (answer["channel"], answer["message"]["rid"]) == ("#setup", rid)
        answer = await w.as_bot.ok("POST", "chat.postMessage", {"channel": "@anna", "text": "two"})
        assert answer["message"]["rid"] == w.rc.direct_room(w.bot, w.anna)
        assert (await w.as_bot.post("chat.postMessage", {"channel": "#none", "text": "x"}))[1][
            "errorType"
        ] == "invalid-channel"
        assert (await w.as_root.post("chat.postMessage", {"channel": "#setup", "text": "x"}))[0] == 400


async def test_an_edit_keeps_the_id_and_says_who_and_when() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        message = await w.rc.write(w.anna, rid, "helo")
        assert message
        body = {"roomId": rid, "msgId": message["_id"], "text": "hello"}
        assert (await w.rest(w.rc.add_user("eve")).post("chat.update", body))[1][
            "errorType"
        ] == "error-action-not-allowed"
        edited = (await w.as_anna.ok("POST", "chat.update", body))["message"]
        assert (edited["_id"], edited["msg"]) == (message["_id"], "hello")
        assert edited["editedBy"] == {"_id": w.anna.id, "username": "anna"}
        same = (await w.as_anna.ok("POST", "chat.update", body))["message"]
        assert same["editedAt"] == edited["editedAt"]
        _, answer = await w.as_anna.post("chat.update", {**body, "roomId": "other"})
        assert answer["error"] == "The room id provided does not match where the message is from."


async def test_who_may_delete_what() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna", "root")

        async def attempt(author: str, remover: str) -> tuple[int, str]:
            users = {"wa.bot": (w.bot, w.as_bot), "anna": (w.anna, w.as_anna), "root": (w.root, w.as_root)}
            message = await w.rc.write(users[author][0], rid, "text")
            assert message
            body = {"roomId": rid, "msgId": message["_id"]}
            status, answer = await users[remover][1].post("chat.delete", body)
            return status, answer.get("errorType", "")

        assert await attempt("root", "wa.bot") == (200, ""), "the owner of the room"
        assert await attempt("anna", "anna") == (200, ""), "their own"
        assert await attempt("root", "anna") == (400, "error-action-not-allowed")
        w.rc.core.world.subscriptions[rid, w.bot.id].pop("roles")
        assert await attempt("wa.bot", "wa.bot") == (400, "error-action-not-allowed"), "a bot not even its own"
        w.rc.settings["Message_AllowDeleting"] = False
        assert await attempt("anna", "anna") == (400, "error-action-not-allowed")
        assert await attempt("anna", "root") == (200, ""), "force-delete-message"


async def test_deleted_messages_leave_a_tombstone_unless_history_is_kept() -> None:
    clock = FakeClock()
    async with workspace(clock=clock) as w:
        rid = await setup_channel(w, "anna")
        since = datetime.fromtimestamp(clock.now, UTC).isoformat()
        gone, kept, shown = [await w.rc.write(w.anna, rid, text) for text in ("one", "two", "three")]
        assert gone and kept and shown
        clock.now += 1
        await w.rc.remove(w.anna, gone["_id"])
        w.rc.settings["Message_KeepHistory"] = True
        await w.rc.remove(w.anna, kept["_id"])
        w.rc.settings["Message_ShowDeletedStatus"] = True
        await w.rc.remove(w.anna, shown["_id"])
        clock.now -= 1
        result = (await w.as_bot.ok("GET", "chat.syncMessages", roomId=rid, lastUpdate=since))["result"]
        assert result["deleted"] == [{"_id": gone["_id"], "_deletedAt": "2026-03-01T10:00:01.000Z"}]
        assert [(each["t"], each["msg"], each["attachments"]) for each in result["updated"]] == [("rm", "", [])]


async def test_reactions_toggle_unless_told_and_vanish_with_the_last() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        message = await w.rc.write(w.anna, rid, "done?")
        assert message
        body = {"messageId": message["_id"], "emoji": "white_check_mark", "shouldReact": True}
        for _ in range(2):
            await w.as_bot.ok("POST", "chat.react", body)
            assert w.rc.messages(rid)[0]["reactions"] == {":white_check_mark:": {"usernames": ["wa.bot"]}}
        await w.rc.react(w.bot, message["_id"], ":white_check_mark:")
        assert "reactions" not in w.rc.messages(rid)[0]
        for name in (":no_such_thing:", ":slightly_smiling_face_tone1:", ":red_heart_emoji:", ":Kyrgyzstan:"):
            status, answer = await w.as_bot.post("chat.react", {**body, "emoji": name})
            assert (status, answer["error"]) == (400, "Invalid emoji provided. [error-not-allowed]"), name
        for name in (":+1:", ":thumbsup_tone3:", ":slight_smile:", "women_holding_hands_tone1_tone5", ":flag_de:"):
            await w.as_bot.ok("POST", "chat.react", {**body, "emoji": name})


async def test_a_reaction_that_is_taken_back_where_there_is_none_is_set() -> None:
    """setReaction compares undefined with false; with another reaction there it compares false with false."""
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        message = await w.rc.write(w.anna, rid, "done?")
        assert message
        for code in ("eyes", "x"):
            await w.as_bot.ok("POST", "chat.react", {"messageId": message["_id"], "emoji": code, "shouldReact": False})
        assert w.rc.messages(rid)[0]["reactions"] == {":eyes:": {"usernames": ["wa.bot"]}}


async def test_who_may_not_react_is_told_in_the_servers_words() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        message = await w.rc.write(w.anna, rid, "done?")
        assert message
        body = {"messageId": message["_id"], "emoji": "eyes", "shouldReact": True}
        w.rc.rooms[rid] |= {"ro": True}
        w.rc.core.world.permissions["post-readonly"] = set()
        assert await w.as_bot.post("chat.react", body) == (
            400,
            {"success": False, "error": "You can't send messages because the room is readonly."},
        )
        w.rc.rooms[rid] |= {"reactWhenReadOnly": True, "muted": ["wa.bot"]}
        status, answer = await w.as_bot.post("chat.react", body)
        assert (status, answer["errorType"]) == (400, "error-not-allowed")
        said = await w.rc.write(w.anna, w.rc.direct_room(w.anna, w.root), "between us")
        assert said
        status, answer = await w.as_bot.post("chat.react", {**body, "messageId": said["_id"]})
        assert (status, answer["errorType"]) == (400, "not-authorized")


async def test_a_reply_to_a_reply_hangs_below_the_root_and_the_root_counts() -> None:
    async with workspace() as w:
        rid = await setup_channel(w, "anna")
        root = await w.rc.write(w.anna, rid, "question")
        assert root
        first = await w.rc.write(w.bot, rid, "answer", tmid=root["_id"])
        assert first
        second = await w.rc.write(w.anna, rid, "thanks", tmid=first["_id"])
        assert second and second["tmid"] == root["_id"]
        assert w.rc.messages(rid)[0]["tcount"] == 2
        assert w.rc.rooms[rid]["lm"] == root["ts"], "replies in a thread do not move the room's last message"


class TestSyncMessages:
    async def test_last_update_gives_everything_newer_newest_first(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            rid = await setup_channel(w, "anna")
            for number in range(3):
                clock.now += 1
                await w.rc.write(w.anna, rid, str(number))
            answer = await w.as_bot.ok("GET", "chat.syncMessages", roomId=rid, lastUpdate="2026-03-01T10:00:01.000Z")
            assert [each["msg"] for each in answer["result"]["updated"]] == ["2", "1"]
            assert answer["result"]["deleted"] == []
            assert "cursor" not in answer["result"]

    async def test_a_cursor_walks_forward_and_ends_with_null(self) -> None:
        clock = FakeClock()
        async with workspace(clock=clock) as w:
            rid = await setup_channel(w, "anna")
            for number in range(5):
                clock.now += 1
                await w.rc.write(w.anna, rid, str(number))
            seen, cursor = list[str](), "0"
            while cursor:
                query = {"roomId": rid, "type": "UPDATED", "next": cursor, "count": 2}
                result = (await w.as_bot.ok("GET", "chat.syncMessages", **query))["result"]
                seen += [each["msg"] for each in result["updated"]]
                cursor = result["cursor"]["next"]
            assert seen == ["0", "1", "2", "3", "4"]

    async def test_a_type_without_a_cursor_gives_nothing(self) -> None:
        async with workspace() as w:
            rid = await setup_channel(w)
            await w.rc.write(w.bot, rid, "text")
            result = (await w.as_bot.ok("GET", "chat.syncMessages", roomId=rid, type="UPDATED"))["result"]
            assert result["updated"] == []

    async def test_messages_of_one_millisecond_are_lost_at_a_page_border(self) -> None:
        async with workspace(clock=FakeClock()) as w:
            rid = await setup_channel(w)
            for text in ("one", "two", "three"):
                await w.rc.write(w.bot, rid, text)
            query = {"roomId": rid, "type": "UPDATED", "next": "1", "count": 2}
            first = (await w.as_bot.ok("GET", "chat.syncMessages", **query))["result"]
            second = (await w.as_bot.ok("GET", "chat.syncMessages", **{**query, "next": first["cursor"]["next"]}))[
                "result"
            ]
            assert (len(first["updated"]), second["updated"]) == (2, [])

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ({}, "error-param-required"),
            ({"lastUpdate": "yesterday"}, "error-lastUpdate-param-invalid"),
            ({"type": "NEW", "next": "1"}, "error-type-param-not-supported"),
            ({"type": "UPDATED", "next": "1", "previous": "2"}, "error-cursor-conflict"),
            (
                {"type": "UPDATED", "next": "1", "lastUpdate": "2026-01-01T00:00:00Z"},
                "error-cursor-and-lastUpdate-conflict",
            ),
        ],
    )
    async def test_parameters_that_do_not_go_together(self, query: dict[str, str], error: str) -> None:
        async with workspace() as w:
            rid = await setup_channel(w)
            assert (await w.as_bot.get("chat.syncMessages", roomId=rid, **query))[1]["errorType"] == error


class TestQuotes:
    async def test_a_link_to_a_message_becomes_a_quote(self) -> None:
        async with workspace(clock=FakeClock(), site_url="https://chat.example") as w:
            rid = await w.chat()
            body = {"token": "tok-1", "rid": rid, "msg": "hello", "_id": "wa1"}
            await w.as_bot.ok("POST", "livechat/message", body)
            link = f"https://chat.example/live/{rid}?msg=wa1"
            sent = await w.rc.write(w.anna, rid, f"[ ]({link})\nsure")
            assert sent
            assert sent["urls"] == [{"url": link, "ignoreParse": True}]
            (quote,) = sent["attachments"]
            assert {key: quote[key] for key in quote if key not in ("ts", "md")} == {
                "text": "hello",
                "message_link": link,
                "author_name": "Maria",
                "author_icon": "/avatar/guest-1",
                "attachments": [],
            }

    async def test_a_visitor_quotes_in_their_own_room_only(self) -> None:
        async with workspace() as w:
            mine, other = await w.chat(), await w.chat("tok-2", "Otto")
            body = {"token": "tok-2", "rid": other, "msg": "theirs", "_id": "wa2"}
            await w.as_bot.ok("POST", "livechat/message", body)
            link = f"{w.rc.url}/live/{other}?msg=wa2"
            foreign = {"token": "tok-1", "rid": mine, "msg": f"[ ]({link}) peek"}
            assert "attachments" not in (await w.as_bot.ok("POST", "livechat/message", foreign))["message"]
            own = {"token": "tok-2", "rid": other, "msg": f"[ ]({link}) again"}
            quote = (await w.as_bot.ok("POST", "livechat/message", own))["message"]["attachments"][0]
            assert quote["text"] == "theirs"

    async def test_an_edit_without_the_link_takes_the_quote_away(self) -> None:
        async with workspace() as w:
            rid = await setup_channel(w)
            first = await w.rc.write(w.bot, rid, "one")
            assert first
            second = await w.rc.write(w.bot, rid, f"[ ]({w.rc.url}/group/setup?msg={first['_id']}) two")
            assert second and len(second["attachments"]) == 1
            assert (await w.rc.edit(w.bot, second["_id"], "two"))["attachments"] == []

    async def test_a_quote_of_a_quote_of_a_quote_is_cut(self) -> None:
        async with workspace() as w:
            rid = await setup_channel(w)
            id = ""
            for text in ("one", "two", "three", "four"):
                link = f"[ ]({w.rc.url}/group/setup?msg={id}) " if id else ""
                sent = await w.rc.write(w.bot, rid, link + text)
                assert sent
                id, quotes = sent["_id"], sent.get("attachments", [])
            (outer,) = quotes
            (inner,) = outer["attachments"]
            assert "attachments" not in inner


class TestPeople:
    async def test_the_web_client_swallows_an_unknown_command_while_the_setting_is_off(self) -> None:
        async with workspace() as w:
            rid = await setup_channel(w, "anna")
            assert await w.rc.write(w.anna, rid, "  /whatsapp-360d-cloud connect") is None
            assert w.rc.messages(rid) == []
            w.rc.settings["Message_AllowUnrecognizedSlashCommand"] = True
            sent = await w.rc.write(w.anna, rid, "  /whatsapp-360d-cloud connect")
            assert sent and sent["msg"] == "/whatsapp-360d-cloud connect"
            assert await w.rc.write(w.anna, rid, "/topic new") is None, "a command of the server is run"

    async def test_a_button_posts_its_text_as_whoever_presses_it_slash_or_not(self) -> None:
        async with workspace() as w:
            rid = await setup_channel(w, "anna")
            button = {"type": "button", "text": "Yes", "msg": "/go yes", "msg_in_chat_window": True}
            link = {
                "type": "button",
                "text": "Docs",
                "url": "https://example.org",
                "msg": "no",
                "msg_in_chat_window": True,
            }
            hidden = {"type": "button", "text": "Hidden", "msg": "never"}
            body = {
                "message": {"_id": "q", "rid": rid, "msg": "?", "attachments": [{"actions": [button, link, hidden]}]}
            }
            await w.as_bot.ok("POST", "chat.sendMessage", body)
            sent = await w.rc.press(w.anna, "q", "Yes")
            assert sent and (sent["msg"], sent["u"]["username"]) == ("/go yes", "anna")
            assert await w.rc.press(w.anna, "q", "Docs") is None
            with pytest.raises(LookupError):
                await w.rc.press(w.anna, "q", "Hidden")
