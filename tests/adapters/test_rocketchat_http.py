"""One REST call and the login, against a server that misbehaves in every way a network can."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bot.errors import Busy, LoggedOut, RateLimited, Refused, Trouble, Unreachable
from bot.rocketchat.credentials import Credentials, Login
from bot.rocketchat.files import may_still_post
from bot.rocketchat.http import ask, reason_of
from bot.rocketchat.rest import Admin
from tests.doctor.test_certificates import certificate, proxy

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as running, aiohttp.ClientSession() as session:
        yield str(running.make_url("")).rstrip("/"), session


async def test_a_success_is_its_object_and_the_query_arrives_as_it_was_meant() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"success": True, "seen": dict(request.query), "body": await request.text()})

    async with server(answer) as (url, session):
        query: dict[str, str | int] = {"sort": '{"_updatedAt":-1}', "token": "a+b &c%20#?", "count": 5}
        seen = await ask(session, "GET", f"{url}/x", query=query)
        assert seen["seen"] == {"sort": '{"_updatedAt":-1}', "token": "a+b &c%20#?", "count": "5"}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>gateway</html>", 502, Trouble),
        (b"<html>app</html>", 200, Trouble),
        (b"[1]", 200, Trouble),
        (b'{"success":false}', 200, Trouble),
        (b'{"success":false,"error":"x"}', 400, Refused),
        (b"[" * 200_000, 200, Trouble),
        (b"\xff\xfe", 200, Trouble),
        (b"404 page not found", 404, Trouble),
        (b"", 429, RateLimited),
    ],
)
async def test_an_answer_that_is_no_success_is_an_error_of_ours(body: bytes, status: int, kind: type) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    async with server(answer) as (url, session):
        with pytest.raises(kind):
            await ask(session, "GET", f"{url}/x")


async def test_a_redirect_is_not_followed_so_that_the_token_stays_here() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with server(answer) as (url, session):
        with pytest.raises(Trouble):
            await ask(session, "POST", f"{url}/x", body={"a": 1}, headers={"X-Auth-Token": "t"})
    assert asked == ["/x"]


async def test_an_answer_without_end_is_left_after_the_agreed_length() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    async with server(answer) as (url, session):
        with pytest.raises(Trouble, match="longer than"):
            await ask(session, "GET", f"{url}/x", largest=1_000_000)


async def test_a_server_that_does_not_answer_is_left_after_the_agreed_time() -> None:
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with server(answer) as (url, session):
        with pytest.raises(Trouble):
            await ask(session, "GET", f"{url}/x", timeout=0.05)
        never.set()


async def test_a_lost_answer_and_a_server_that_is_away_are_told_apart() -> None:
    async def cuts(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with server(cuts) as (url, session):
        with pytest.raises(Trouble):
            await ask(session, "POST", f"{url}/x", body={})
        with pytest.raises(Unreachable) as away:
            await ask(session, "GET", f"http://127.0.0.1:{unused_port()}/x")
        assert str(away.value) == "Unreachable: Connection refused"
        with pytest.raises(Unreachable) as unknown:
            await ask(session, "GET", "http://nowhere.invalid/x")  # RFC 2606: a name that never is
        assert "name" in str(unknown.value).lower()


@pytest.mark.parametrize(
    "error", [socket.gaierror(8, "name not known"), socket.gaierror(-2, "name not known")], ids=["macOS", "Linux"]
)
def test_errors_of_names_have_numbers_of_their_own(error: OSError) -> None:
    """8 is `EAI_NONAME` on macOS, and elsewhere a program that cannot be run."""
    assert reason_of(error) == "name not known"


async def test_a_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    """In both roads to Rocket.Chat: that of messages and that of a start."""
    async with proxy(certificate(tmp_path)) as url, aiohttp.ClientSession() as session:
        with pytest.raises(Unreachable) as refused:
            await ask(session, "GET", f"{url}/x")
        assert str(refused.value) == "Unreachable: certificate: self-signed certificate"
        credentials = Credentials(url, session, Clock(), user_id="u", token="t")
        with pytest.raises(Unreachable) as refused:
            await Admin(url, credentials).me()
        assert str(refused.value) == "Unreachable: certificate: self-signed certificate"


async def test_the_wait_comes_from_the_headers_where_no_sentence_tells_it() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({}, status=429, headers={"Retry-After": "17"})

    async with server(answer) as (url, session):
        with pytest.raises(RateLimited) as limited:
            await ask(session, "GET", f"{url}/x")
        assert limited.value.after == 17.0


# --- the login ------------------------------------------------------------------------------------------------------


def logins(*answers: tuple[int, Any]) -> tuple[Answer, list[Any]]:
    left, seen = list(answers), []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        status, body = left.pop(0)
        return web.json_response(body, status=status)

    return answer, seen


def granted(token: str) -> tuple[int, Any]:
    return 200, {"status": "success", "data": {"userId": "bot1", "authToken": token, "me": {}}}


async def test_a_password_is_turned_into_a_token_once_for_all_who_ask_together() -> None:
    answer, seen = logins(granted("tok1"), granted("tok2"))
    async with server(answer) as (url, session):
        credentials = Credentials(url, session, Clock(), username="bot", password="s3cret")
        first, again = await asyncio.gather(credentials.current(), credentials.current())
        assert first == again and first.headers == {"X-User-Id": "bot1", "X-Auth-Token": "tok1"}
        renewed = await asyncio.gather(*(credentials.renew(first) for _ in range(3)))
        assert {login.token for login in renewed} == {"tok2"}
        assert seen == [("/api/v1/login", {"user": "bot", "password": "s3cret"})] * 2
        assert "tok1" not in repr(first) and "s3cret" not in repr(credentials)


@pytest.mark.parametrize("later", [301, -86400])
async def test_a_refused_password_is_not_sent_again_at_once(later: float) -> None:
    """A day back: the clock was put right."""
    refusal = (401, {"status": "error", "error": "Unauthorized", "message": "Unauthorized"})
    answer, seen = logins(refusal, granted("t1"))
    clock = Clock()
    async with server(answer) as (url, session):
        credentials = Credentials(url, session, clock, username="bot", password="wrong")
        for _ in range(5):
            with pytest.raises(LoggedOut) as refused:
                await credentials.current()
            assert "wrong" not in str(refused.value)
        assert len(seen) == 1
        clock.time += later
        assert (await credentials.current()).token == "t1"


async def test_a_server_in_trouble_is_asked_again_for_a_token() -> None:
    answer, _ = logins((502, {}), (200, {"status": "success", "data": {}}), granted("t1"))
    async with server(answer) as (url, session):
        credentials = Credentials(url, session, Clock(), username="bot", password="s3cret")
        for _ in range(2):
            with pytest.raises(Busy):
                await credentials.current()
        assert (await credentials.current()).token == "t1"


async def test_a_fixed_token_is_used_as_it_is_and_cannot_be_renewed() -> None:
    async with aiohttp.ClientSession() as session:
        credentials = Credentials("http://127.0.0.1:1", session, Clock(), user_id="bot1", token="pat")
        login = await credentials.current()
        assert login == Login(login.user, "pat") and not credentials.renewable
        with pytest.raises(LoggedOut):
            await credentials.renew(login)
        assert credentials.second_factor() == {}


@pytest.mark.parametrize(("had", "waits"), [(0.0, 5.0), (8.0, 8.0), (60.0, 60.0), (600.0, 120.0)])
def test_a_server_that_was_long_at_an_upload_is_given_as_long_again_before_it_is_sent_once_more(
    had: float, waits: float
) -> None:
    assert may_still_post(had) == waits
