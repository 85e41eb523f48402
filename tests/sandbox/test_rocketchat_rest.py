"""The REST machine refuses what Rocket.Chat refuses, in its words: login, rights, parameters, rates, second factor."""

import asyncio
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocketchat_API.rocketchat import RocketChat

from bot.sandbox.rocketchat.limits import Rule
from tests.sandbox.rocketchat_client import FakeClock, workspace


async def test_without_a_login_the_answer_is_401_in_the_server_s_words() -> None:
    async with workspace() as w:
        status, answer = await w.as_nobody.get("me")
        text = "You must be logged in to do this."
        assert (status, answer) == (401, {"success": False, "error": text, "status": "error", "message": text})
        w.as_bot.headers["X-Auth-Token"] = "wrong"
        assert (await w.as_bot.get("me"))[0] == 401


async def test_a_revoked_token_is_worth_nothing() -> None:
    async with workspace() as w:
        await w.as_bot.ok("GET", "me")
        w.rc.revoke(w.as_bot.headers["X-Auth-Token"])
        assert (await w.as_bot.get("me"))[0] == 401


async def test_a_missing_permission_is_403() -> None:
    async with workspace() as w:
        status, answer = await w.as_bot.get("roles.getUsersInRole", role="admin")
        text = "User does not have the permissions required for this action [error-unauthorized]"
        assert (status, answer) == (403, {"success": False, "error": text})


async def test_unknown_routes_are_404() -> None:
    async with workspace() as w:
        assert (await w.as_bot.get("livechat/room.transfer"))[0] == 404
        async with w.session.get(w.rc.url + "/nowhere") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("livechat/message", {"rid": "r", "msg": "m"}, "must have required property 'token' [invalid-params]"),
        ("livechat/message", {"token": "t", "rid": "r", "msg": 5}, "must be string [invalid-params]"),
        (
            "livechat/message",
            {"token": "t", "rid": "r", "msg": "m", "alias": "x"},
            "must NOT have additional properties [invalid-params]",
        ),
        ("chat.update", {"roomId": "r", "msgId": "m"}, "must have required property 'text' [invalid-params]"),
        ("chat.sendMessage", {"message": {"msg": "x"}}, "must have required property 'rid' [invalid-params]"),
    ],
)
async def test_parameters_are_checked_before_anything_else_happens(
    path: str, body: dict[str, object], complaint: str
) -> None:
    async with workspace() as w:
        status, answer = await w.as_bot.post(path, body)
        assert (status, answer) == (400, {"success": False, "error": complaint, "errorType": "invalid-params"})


@pytest.mark.parametrize("extra", ["blocks", "_id", "unknown"])
async def test_post_message_takes_neither_an_id_nor_blocks(extra: str) -> None:
    async with workspace() as w:
        status, answer = await w.as_bot.post("chat.postMessage", {"roomId": "r", "text": "x", extra: []})
        assert (status, answer["errorType"]) == (400, "invalid-params")


async def test_a_body_that_is_not_declared_as_json_does_not_count() -> None:
    async with workspace() as w:
        status, answer = await w.as_bot.call("POST", "livechat/message", data='{"token": "t"}')
        assert (status, answer["errorType"]) == (400, "invalid-params")


async def test_ten_calls_a_minute_are_free_and_the_next_waits() -> None:
    clock = FakeClock()
    async with workspace(clock=clock) as w:
        clock.now += 18
        for left in range(9, -1, -1):
            await w.as_anna.ok("GET", "me")
            assert w.as_anna.last_headers["X-RateLimit-Remaining"] == str(left)
        assert w.as_anna.last_headers["X-RateLimit-Limit"] == "10"
        assert w.as_anna.last_headers["X-RateLimit-Reset"] == str(int((clock.now + 42) * 1000))
        status, answer = await w.as_anna.get("me")
        text = "Error, too many requests. Please slow down. You must wait 42 seconds before trying this endpoint again."
        assert (status, answer) == (429, {"success": False, "error": text + " [error-too-many-requests]"})
        await w.as_anna.ok("GET", "roles.list")
        clock.now += 43
        for _ in range(11):
            await w.as_anna.ok("GET", "me")
        assert (await w.as_anna.get("me"))[0] == 429


async def test_visitor_and_room_are_limited_to_five_unless_a_bot_is_logged_in() -> None:
    async with workspace(clock=FakeClock()) as w:
        body = {"visitor": {"token": "t"}}
        statuses = [(await w.as_nobody.post("livechat/visitor", body))[0] for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        statuses = [(await w.as_nobody.get("livechat/room", token="t"))[0] for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        for _ in range(12):
            await w.as_bot.ok("POST", "livechat/visitor", body)
        assert not [name for name in w.as_bot.last_headers if name.startswith("X-RateLimit")]
        w.as_nobody.headers["X-Real-IP"] = "203.0.113.9"
        assert (await w.as_nobody.post("livechat/visitor", body))[0] == 200


async def test_all_visitors_share_the_bucket_of_the_route() -> None:
    async with workspace(clock=FakeClock()) as w:
        statuses = [(await w.as_nobody.get(f"livechat/visitor/{number}"))[0] for number in range(11)]
        assert statuses == [400] * 10 + [429]


@given(st.lists(st.floats(min_value=0, max_value=40), max_size=60), st.integers(1, 5))
def test_no_window_lets_more_pass_than_allowed_plus_the_call_that_opens_it(steps: list[float], allowed: int) -> None:
    clock = FakeClock(0.0)
    rule = Rule(clock, 0.0)
    passed = list[float]()
    for step in steps:
        clock.now += step
        if rule.count("key", allowed, 60_000).allowed:
            passed.append(clock.now)
    for start in passed:
        assert len([at for at in passed if start <= at <= start + 60]) <= 2 * (allowed + 1)


async def test_login_takes_the_password_plain_or_as_digest_and_refuses_with_401() -> None:
    async with workspace() as w:
        digest = {"digest": hashlib.sha256(b"bot secret").hexdigest(), "algorithm": "sha-256"}
        for password in ("bot secret", digest):
            status, answer = await w.as_nobody.post("login", {"user": "wa.bot", "password": password})
            assert (status, answer["status"]) == (200, "success")
            assert answer["data"]["userId"] == w.bot.id
            assert answer["data"]["me"]["roles"] == ["bot", "livechat-manager"]
            headers = {"X-User-Id": w.bot.id, "X-Auth-Token": answer["data"]["authToken"]}
            assert (await w.as_nobody.call("GET", "me", headers=headers))[1]["username"] == "wa.bot"
        status, answer = await w.as_nobody.post("login", {"username": "wa.bot", "password": "no"})
        assert (status, answer["status"], answer["error"]) == (401, "error", 403)


async def test_a_login_token_runs_out_after_ninety_days_and_a_personal_one_never() -> None:
    clock = FakeClock()
    async with workspace(clock=clock) as w:
        _, answer = await w.as_nobody.post("login", {"user": "root", "password": "root secret"})
        headers = {"X-User-Id": w.root.id, "X-Auth-Token": answer["data"]["authToken"]}
        clock.now += 90 * 86400 + 1
        assert (await w.as_nobody.call("GET", "me", headers=headers))[0] == 401
        assert (await w.as_root.get("me"))[0] == 200


async def test_roles_of_others_are_for_admins_but_public_roles_are_for_all() -> None:
    async with workspace() as w:
        assert "roles" not in (await w.as_bot.ok("GET", "users.info", username="root"))["user"]
        assert (await w.as_root.ok("GET", "users.info", userId=w.bot.id))["user"]["roles"] == [
            "bot",
            "livechat-manager",
        ]
        assert (await w.as_bot.ok("GET", "me"))["roles"] == ["bot", "livechat-manager"]
        users = (await w.as_bot.ok("GET", "roles.getUsersInPublicRoles"))["users"]
        assert {user["username"]: user["roles"] for user in users} == {
            "wa.bot": ["livechat-manager"],
            "anna": ["livechat-agent"],
            "root": ["admin"],
        }


async def test_a_bot_computes_its_permissions_from_the_public_table() -> None:
    async with workspace() as w:
        table = {each["_id"]: each["roles"] for each in (await w.as_bot.ok("GET", "permissions.listAll"))["update"]}
        assert "bot" in table["api-bypass-rate-limit"]
        assert table["edit-privileged-setting"] == ["admin"]
        assert "bot" not in table["delete-own-message"]


async def test_public_settings_are_for_anyone_and_private_ones_stay_out() -> None:
    async with workspace() as w:
        wanted = "Message_AllowUnrecognizedSlashCommand,Site_Url,API_Upper_Count_Limit,Nothing"
        answer = await w.as_nobody.ok("GET", "settings.public", _id=wanted)
        assert answer["settings"] == [
            {"_id": "Message_AllowUnrecognizedSlashCommand", "value": False, "enterprise": False},
            {"_id": "Site_Url", "value": w.rc.url, "enterprise": False},
        ]
        assert (answer["count"], answer["offset"], answer["total"]) == (2, 0, 2)


async def test_writing_a_setting_wants_an_admin_and_the_password_as_second_factor() -> None:
    async with workspace() as w:
        path = "settings/Message_AllowUnrecognizedSlashCommand"
        assert (await w.as_bot.post(path, {"value": True}))[0] == 403
        status, answer = await w.as_root.post(path, {"value": True})
        assert (status, answer) == (
            400,
            {
                "success": False,
                "error": "TOTP Required [totp-required]",
                "errorType": "totp-required",
                "details": {"method": "password", "codeGenerated": False, "availableMethods": []},
            },
        )
        wrong = {"x_2fa_code": "0" * 64, "x_2fa_method": "password"}
        assert (await w.as_root.post(path, {"value": True}, **wrong))[1]["errorType"] == "totp-invalid"
        assert w.rc.settings["Message_AllowUnrecognizedSlashCommand"] is False
        code = hashlib.sha256(b"root secret").hexdigest()
        right = {"x_2fa_code": code, "x_2fa_method": "password"}
        assert (await w.as_root.post(path, {"value": True}, **right)) == (200, {"success": True})
        assert w.rc.settings["Message_AllowUnrecognizedSlashCommand"] is True
        assert (await w.as_root.post(path, {"value": False}))[0] == 200, "the code is remembered for half an hour"


async def test_a_personal_token_may_be_allowed_to_skip_the_second_factor() -> None:
    async with workspace() as w:
        w.as_root.headers["X-Auth-Token"] = w.rc.token_for(w.root, bypass_two_factor=True)
        assert (await w.as_root.post("settings/Livechat_enabled", {"value": False}))[0] == 200


async def test_only_role_user_may_make_a_personal_token() -> None:
    async with workspace() as w:
        body = {"tokenName": "mine", "bypassTwoFactor": True}
        code = {"x_2fa_code": hashlib.sha256(b"anna secret").hexdigest(), "x_2fa_method": "password"}
        assert (await w.as_bot.post("users.generatePersonalAccessToken", body))[0] == 403
        status, answer = await w.as_anna.post("users.generatePersonalAccessToken", body, **code)
        assert status == 200
        headers = {"X-User-Id": w.anna.id, "X-Auth-Token": answer["token"]}
        assert (await w.as_nobody.call("GET", "me", headers=headers))[0] == 200


async def test_the_full_version_is_for_those_who_may_see_statistics() -> None:
    async with workspace() as w:
        async with w.session.get(w.rc.url + "/api/info") as answer:
            assert (await answer.json())["version"] == "8.3"
        async with w.session.get(w.rc.url + "/api/info", headers=w.as_root.headers) as answer:
            assert (await answer.json())["version"] == "8.3.0"


async def test_every_call_is_noted_with_what_the_caller_saw() -> None:
    async with workspace() as w:
        w.rc.levers.add("/me", when="after", status=502)
        await w.as_bot.get("me")
        await w.as_nobody.get("settings.public", _id="Site_Url")
        first, second = w.rc.calls
        assert (first.method, first.path, first.status, first.user_id) == ("GET", "/api/v1/me", 502, w.bot.id)
        assert (second.query, second.status, second.user_id) == ({"_id": "Site_Url"}, 200, None)


async def test_an_independent_client_library_understands_the_answers() -> None:
    async with workspace() as w:

        def use_it() -> tuple[str, set[str], str]:
            rocket = RocketChat(
                user_id=w.as_bot.headers["X-User-Id"], auth_token=w.as_bot.headers["X-Auth-Token"], server_url=w.rc.url
            )
            group = rocket.groups_create("setup", members=["anna"])["group"]
            rocket.groups_set_topic(group["_id"], topic="Hello")
            members = {member["username"] for member in rocket.groups_members(room_id=group["_id"])}
            rocket.chat_post_message("hi", room_id=group["_id"])
            return group["_id"], members, rocket.groups_info(room_id=group["_id"])["group"]["topic"]

        rid, members, topic = await asyncio.to_thread(use_it)
        assert (members, topic) == ({"wa.bot", "anna"}, "Hello")
        assert w.rc.messages(rid)[-1]["msg"] == "hi"


async def test_until_tells_the_waiting_state_when_it_gives_up() -> None:
    async with workspace() as w:
        await w.as_bot.ok("GET", "me")
        with pytest.raises(TimeoutError, match=r"last calls .*GET /api/v1/me 200"):
            await w.rc.until(lambda: False, timeout=0.05)
