"""Private groups and direct rooms: names, owners, members, what outsiders may know."""

import pytest

from tests.sandbox.rocketchat_client import workspace


async def test_the_creator_owns_the_group_and_unknown_members_are_skipped() -> None:
    async with workspace() as w:
        body = {"name": "setup", "members": ["anna", "nobody"], "extraData": {"broadcast": False, "encrypted": False}}
        group = (await w.as_bot.ok("POST", "groups.create", body))["group"]
        assert (group["t"], group["name"], group["u"]["username"], group["usersCount"]) == ("p", "setup", "wa.bot", 2)
        roles = (await w.as_anna.ok("GET", "groups.roles", roomId=group["_id"]))["roles"]
        assert [(each["u"]["username"], each["roles"]) for each in roles] == [("wa.bot", ["owner"])]
        members = await w.as_bot.ok("GET", "groups.members", roomId=group["_id"])
        assert [each["username"] for each in members["members"]] == ["anna", "wa.bot"]
        assert members["total"] == 2


async def test_a_name_is_taken_also_by_a_room_that_one_cannot_see() -> None:
    async with workspace() as w:
        await w.as_root.ok("POST", "groups.create", {"name": "setup"})
        status, answer = await w.as_bot.post("groups.create", {"name": "setup"})
        assert (status, answer["errorType"]) == (400, "error-duplicate-channel-name")
        assert answer["error"].startswith("A channel with name 'setup' exists [")
        status, answer = await w.as_bot.get("groups.info", roomName="setup")
        assert (status, answer["errorType"]) == (400, "error-room-not-found")
        assert (await w.as_bot.ok("GET", "rooms.nameExists", roomName="setup"))["exists"] is True


async def test_with_special_characters_allowed_the_slug_gets_a_number() -> None:
    async with workspace() as w:
        w.rc.settings["UI_Allow_room_names_with_special_chars"] = True
        first = (await w.as_bot.ok("POST", "groups.create", {"name": "Set up"}))["group"]
        second = (await w.as_bot.ok("POST", "groups.create", {"name": "set up"}))["group"]
        assert (first["name"], first["fname"], second["name"]) == ("set-up", "Set up", "set-up-1")
        assert (await w.as_bot.post("groups.create", {"name": "Set up"}))[1][
            "errorType"
        ] == "error-duplicate-channel-name"


@pytest.mark.parametrize("name", ["two words", "emoji😀", "a/b"])
async def test_room_names_keep_to_the_pattern(name: str) -> None:
    async with workspace() as w:
        assert (await w.as_bot.post("groups.create", {"name": name}))[1]["errorType"] == "error-invalid-room-name"


async def test_only_those_who_may_create_private_groups_do() -> None:
    async with workspace() as w:
        guest = w.rest(w.rc.add_user("guest", roles=("guest",)))
        assert (await guest.post("groups.create", {"name": "mine"}))[0] == 403


async def test_inviting_needs_a_role_in_the_room_and_says_so_in_the_room() -> None:
    async with workspace() as w:
        rid = (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"]
        assert (await w.as_anna.post("groups.invite", {"roomId": rid, "userId": w.anna.id}))[0] == 400
        await w.as_bot.ok("POST", "groups.invite", {"roomId": rid, "userId": w.anna.id})
        assert (await w.as_anna.post("groups.invite", {"roomId": rid, "username": "root"}))[0] == 400
        said = w.rc.messages(rid)
        assert [(each["t"], each["msg"], each["u"]["username"]) for each in said] == [("au", "anna", "wa.bot")]
        await w.as_anna.ok("GET", "groups.info", roomId=rid)
        status, answer = await w.as_bot.post("groups.invite", {"roomId": rid, "username": "nobody"})
        assert (status, answer["errorType"]) == (400, "error-empty-invite-list")


async def test_topic_and_description_are_changed_by_owners_and_announced() -> None:
    async with workspace() as w:
        body = {"name": "setup", "members": ["anna"]}
        rid = (await w.as_bot.ok("POST", "groups.create", body))["group"]["_id"]
        answer = await w.as_bot.ok("POST", "groups.setTopic", {"roomId": rid, "topic": "numbers"})
        assert answer["topic"] == "numbers"
        await w.as_bot.ok("POST", "groups.setDescription", {"roomId": rid, "description": "what for"})
        group = (await w.as_bot.ok("GET", "groups.info", roomId=rid))["group"]
        assert (group["topic"], group["description"]) == ("numbers", "what for")
        assert [each["t"] for each in w.rc.messages(rid)] == ["room_changed_topic", "room_changed_description"]
        status, answer = await w.as_anna.post("groups.setTopic", {"roomId": rid, "topic": "mine"})
        assert (status, answer["errorType"]) == (400, "error-action-not-allowed")


async def test_renaming_keeps_the_id_and_frees_the_name() -> None:
    async with workspace() as w:
        rid = (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"]
        await w.as_bot.ok("POST", "groups.rename", {"roomId": rid, "name": "numbers"})
        assert (await w.as_bot.ok("GET", "groups.info", roomName="numbers"))["group"]["_id"] == rid
        assert (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"] != rid


async def test_an_admin_who_is_no_member_does_not_see_the_group() -> None:
    async with workspace() as w:
        rid = (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"]
        assert (await w.as_root.get("groups.info", roomId=rid))[1]["errorType"] == "error-room-not-found"
        status, answer = await w.as_root.get("rooms.info", roomId=rid)
        assert (status, answer["error"]) == (400, "not-allowed")
        assert (await w.as_root.get("chat.syncMessages", roomId=rid, lastUpdate="2020-01-01T00:00:00Z"))[0] == 400


async def test_an_owner_makes_owners_and_removes_members() -> None:
    async with workspace() as w:
        body = {"name": "setup", "members": ["anna"]}
        rid = (await w.as_bot.ok("POST", "groups.create", body))["group"]["_id"]
        assert (await w.as_anna.post("groups.addOwner", {"roomId": rid, "userId": w.anna.id}))[0] == 400
        await w.as_bot.ok("POST", "groups.addOwner", {"roomId": rid, "userId": w.anna.id})
        await w.as_anna.ok("POST", "groups.kick", {"roomId": rid, "userId": w.bot.id})
        assert (await w.as_bot.get("groups.info", roomId=rid))[0] == 400


async def test_a_direct_room_is_made_once() -> None:
    async with workspace() as w:
        first = (await w.as_bot.ok("POST", "im.create", {"username": "anna"}))["room"]
        again = (await w.as_anna.ok("POST", "im.create", {"usernames": "wa.bot"}))["room"]
        assert first["_id"] == first["rid"] == again["rid"] == w.rc.direct_room(w.anna, w.bot)
        assert first["t"] == "d"
        status, answer = await w.as_bot.post("im.create", {"username": "nobody"})
        assert (status, answer["errorType"]) == (400, "error-invalid-user")


async def test_rooms_that_one_is_a_member_of_are_listed_since_a_moment() -> None:
    async with workspace() as w:
        group = (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]
        direct = (await w.as_bot.ok("POST", "im.create", {"username": "anna"}))["room"]
        joined = (await w.as_bot.ok("GET", "rooms.get"))["update"]
        assert {(room["_id"], room["t"]) for room in joined} == {(group["_id"], "p"), (direct["_id"], "d")}
        later = await w.as_bot.ok("GET", "rooms.get", updatedSince="2100-01-01T00:00:00.000Z")
        assert (later["update"], later["remove"]) == ([], [])
        assert (await w.as_bot.get("rooms.get", updatedSince="once"))[0] == 400
        assert [room["t"] for room in (await w.as_anna.ok("GET", "rooms.get"))["update"]] == ["d"]
