"""DDP in both flavours: handshake, heartbeat, login, streams and who hears what, rate limits."""

import hashlib
from typing import Any, Literal

import pytest
import websockets

from tests.sandbox.rocketchat_client import FakeClock, ddp, raw_ddp, workspace

Flavour = Literal["monolith", "streamer"]
BOTH = pytest.mark.parametrize("flavour", ["monolith", "streamer"])


class TestHandshake:
    async def test_the_monolith_says_connected_first_and_the_streamer_its_server_id(self) -> None:
        for flavour, expected in (("monolith", ["connected"]), ("streamer", ["server_id", "connected"])):
            async with workspace(flavour=flavour) as w, raw_ddp(w.rc) as client:
                connected = await client.connect()
                assert isinstance(connected["session"], str)
                assert [frame["msg"] for frame in client.frames if frame["msg"] != "ping"] == expected

    async def test_a_version_nobody_speaks_fails_on_the_monolith_and_passes_on_the_streamer(self) -> None:
        strange = {"msg": "connect", "version": "99", "support": ["99"]}
        async with workspace() as w, raw_ddp(w.rc) as client:
            await client.send(strange)
            assert await client.next() == {"msg": "failed", "version": "1"}
            with pytest.raises(websockets.ConnectionClosed):
                await client.next()
        async with workspace(flavour="streamer") as w, raw_ddp(w.rc) as client:
            await client.send(strange)
            assert (await client.next(lambda frame: frame["msg"] == "connected"))["session"]

    @pytest.mark.parametrize(
        ("frame", "reason"),
        [
            ("{nonsense", "Parse error"),
            ({"nothing": 1}, "Bad request"),
            ({"msg": "dance"}, "Bad request"),
            ({"msg": "connect", "version": "1", "support": ["1"]}, "Already connected"),
            ({"msg": "sub", "id": 5, "name": "stream-notify-all"}, "Malformed subscription"),
            ({"msg": "sub", "id": "1", "name": "stream-notify-all", "params": "x"}, "Malformed subscription"),
            ({"msg": "method", "id": "1"}, "Malformed method invocation"),
        ],
    )
    async def test_the_monolith_names_what_is_wrong_and_goes_on(self, frame: Any, reason: str) -> None:
        async with workspace() as w, ddp(w.rc) as client:
            await client.send(frame)
            assert await client.next() == {"msg": "error", "reason": reason, "offendingMessage": frame}
            assert await client.quiet() == []

    async def test_nothing_goes_before_connect(self) -> None:
        async with workspace() as w, raw_ddp(w.rc) as client:
            await client.send({"msg": "ping"})
            expected = {"msg": "error", "reason": "Must connect first", "offendingMessage": {"msg": "ping"}}
            assert await client.next() == expected
            await client.connect()

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ("{nonsense", 1007),
            ({"msg": "sub", "name": "stream-notify-all"}, 1002),
            ({"msg": "method", "id": "1"}, 1002),
        ],
    )
    async def test_the_streamer_closes(self, frame: Any, code: int) -> None:
        async with workspace(flavour="streamer") as w, ddp(w.rc) as client:
            await client.send(frame)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    await client.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code


class TestHeartbeat:
    @BOTH
    async def test_a_ping_is_answered_with_its_id(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour) as w, ddp(w.rc) as client:
            await client.send({"msg": "ping", "id": "7"})
            assert await client.next(lambda frame: frame["msg"] == "pong") == {"msg": "pong", "id": "7"}
            await client.send({"msg": "ping"})
            assert await client.next(lambda frame: frame["msg"] == "pong") == {"msg": "pong"}

    async def test_silence_is_asked_and_then_ended(self) -> None:
        async with workspace() as w:
            w.rc.hub.idle_seconds = 0.05
            async with ddp(w.rc) as client:
                for _ in range(3):
                    assert await client.next() == {"msg": "ping"}
                    await client.send({"msg": "pong"})
                with pytest.raises(websockets.ConnectionClosed):
                    while True:
                        await client.next()

    async def test_the_streamer_asks_almost_at_once_and_ends_with_4000(self) -> None:
        async with workspace(flavour="streamer") as w:
            w.rc.hub.idle_seconds = 0.1
            async with raw_ddp(w.rc) as client:
                assert await client.next(lambda frame: frame["msg"] == "ping") == {"msg": "ping"}
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await client.next()
                assert closed.value.rcvd is not None
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "TIMEOUT")


class TestLogin:
    async def test_the_order_of_updated_and_result_differs(self) -> None:
        expected = {
            "monolith": ["connected", "added", "updated", "result"],
            "streamer": ["connected", "result", "updated", "added"],
        }
        for flavour, order in expected.items():
            async with workspace(flavour=flavour) as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
                await client.quiet()
                kinds = [frame["msg"] for frame in client.frames if frame["msg"] not in ("server_id", "ping", "pong")]
                assert kinds == order

    async def test_a_personal_token_never_runs_out_and_each_flavour_says_so_differently(self) -> None:
        for flavour, extra in (("monolith", {"tokenExpires": {"$date": None}}), ("streamer", {})):
            async with workspace(flavour=flavour) as w, ddp(w.rc) as client:
                token = w.rc.token_for(w.bot)
                result = (await client.method("login", {"resume": token}))["result"]
                assert result == {"id": w.bot.id, "token": token, "type": "resume", **extra}

    async def test_a_password_logs_in_on_the_monolith_only(self) -> None:
        password = {"digest": hashlib.sha256(b"bot secret").hexdigest(), "algorithm": "sha-256"}
        clock = FakeClock()
        async with workspace(clock=clock) as w, ddp(w.rc) as client:
            result = (await client.method("login", {"user": {"username": "wa.bot"}, "password": password}))["result"]
            assert (result["type"], result["id"]) == ("password", w.bot.id)
            assert result["tokenExpires"] == {"$date": int(clock.now + 90 * 86400) * 1000}
            headers = {"X-User-Id": w.bot.id, "X-Auth-Token": result["token"]}
            assert (await w.as_nobody.call("GET", "me", headers=headers))[0] == 200
        async with workspace(flavour="streamer") as w, ddp(w.rc) as client:
            answer = await client.method("login", {"user": {"username": "wa.bot"}, "password": password})
            assert answer["error"]["error"] == 403

    async def test_a_wrong_token_is_403_with_and_without_the_dot(self) -> None:
        for flavour, dot in (("monolith", "."), ("streamer", "")):
            async with workspace(flavour=flavour) as w, ddp(w.rc) as client:
                reason = f"You've been logged out by the server. Please log in again{dot}"
                assert (await client.method("login", {"resume": "no"}))["error"] == {
                    "isClientSafe": True,
                    "errorType": "Meteor.Error",
                    "error": 403,
                    "reason": reason,
                    "message": f"{reason} [403]",
                }

    @BOTH
    async def test_a_revoked_token_ends_the_sockets_that_used_it(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour) as w:
            first, second = w.rc.token_for(w.bot), w.rc.token_for(w.bot)
            async with ddp(w.rc, first) as gone, ddp(w.rc, second) as stays:
                w.rc.revoke(first)
                with pytest.raises(websockets.ConnectionClosed):
                    while True:
                        await gone.next()
                await stays.quiet()

    async def test_logout_keeps_the_socket_on_the_monolith_and_ends_it_on_the_streamer(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            user_event = f"{w.bot.id}/notification"
            assert (await client.sub("stream-notify-user", user_event, False))["msg"] == "ready"
            await client.method("logout")
            assert [frame["msg"] for frame in client.frames if frame["msg"] == "nosub"] == ["nosub"]
        async with workspace(flavour="streamer") as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            await client.method("logout")
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await client.next()


class TestMethods:
    @BOTH
    async def test_unknown_methods_and_subscriptions_are_404(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour) as w, ddp(w.rc) as client:
            error = (await client.method("zzz"))["error"]
            assert (error["error"], error["reason"]) == (404, "Method 'zzz' not found")
            error = (await client.sub("nope"))["error"]
            assert (error["error"], error["reason"]) == (404, "Subscription 'nope' not found")

    @BOTH
    async def test_public_roles_over_ddp(self, flavour: Flavour) -> None:
        async with workspace(flavour=flavour) as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            result = (await client.method("getUserRoles"))["result"]
            assert {each["username"]: each["roles"] for each in result}["root"] == ["admin"]

    async def test_send_message_is_strict_and_takes_no_attachments(self) -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.anna)) as client:
            rid = await w.chat()
            sent = (await client.method("sendMessage", {"_id": "m1", "rid": rid, "msg": "hi"}))["result"]
            assert (sent["_id"], sent["u"]["username"]) == ("m1", "anna")
            assert set(sent["ts"]) == {"$date"}
            error = (await client.method("sendMessage", {"rid": rid, "attachments": []}))["error"]
            assert (error["error"], error["reason"]) == (400, "Match failed")

    async def test_a_method_without_a_value_is_404_on_the_streamer_although_it_ran(self) -> None:
        async with workspace(flavour="streamer") as w, ddp(w.rc, w.rc.token_for(w.anna)) as client:
            rid = await w.chat()
            await client.method("sendMessage", {"_id": "m1", "rid": rid, "msg": "hi"})
            assert (await client.method("sendMessage", {"_id": "m1", "rid": rid, "msg": "hi"}))["error"]["error"] == 404
