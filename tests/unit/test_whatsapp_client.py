"""Promises of the 360Dialog client, against the simulator and, for broken wires, a bare socket."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, TCPConnector

from bot.errors import (
    BotError,
    Doubtful,
    InvalidRequest,
    KeyInvalid,
    NotOnWhatsApp,
    NumberBlocked,
    RateLimited,
    Trouble,
    Unreachable,
    Unsure,
    WindowClosed,
)
from bot.model import Hook
from bot.ports import WhatsApp
from bot.sandbox.dialog360 import Dialog360Sandbox
from bot.whatsapp import compose
from bot.whatsapp.client import LARGEST, Dialog360

KEY = "D360key"
BODY = compose.text("491701234567", "Hello", "rc:1#0")
Calls = Callable[[WhatsApp], Awaitable[object]]

READS: dict[str, Calls] = {
    "check": lambda client: client.check(KEY),
    "webhook": lambda client: client.webhook(KEY),
    "set_webhook": lambda client: client.set_webhook(KEY, "https://bot.example/in", {}),
}


@pytest.fixture
async def wa() -> AsyncIterator[Dialog360Sandbox]:
    async with Dialog360Sandbox() as sandbox:
        sandbox.auto_status = False
        sandbox.window_errors = "off"
        sandbox.add_number("+4915112345678", name="Demo Shop", api_key=KEY)
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
def client(wa: Dialog360Sandbox, session: ClientSession) -> Dialog360:
    return Dialog360(session, wa.url + "/")


@asynccontextmanager
async def wire(answer: bytes, *, hold: bool = False, asked: asyncio.Event | None = None) -> AsyncIterator[str]:
    """A server that reads a request, writes these bytes and cuts the connection, or holds it open."""
    released = asyncio.Event()
    asked = asked or asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        writer.write(answer)
        await writer.drain()
        if hold:
            await released.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        released.set()
        server.close()


def http(status: str, body: str, length: int | None = None) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length or len(body)}\r\n\r\n{body}".encode()


# --- sending --------------------------------------------------------------------------------------------------------


async def test_a_text_reaches_the_phone_and_its_wamid_comes_back(wa: Dialog360Sandbox, client: Dialog360) -> None:
    customer = wa.customer("+491701234567")
    sent = await client.send(KEY, BODY)
    assert [(one.wamid, one.text) for one in customer.received] == [(sent.wamid, "Hello")]
    assert sent.wa_id == "491701234567"


async def test_a_customer_without_phone_is_reached_by_user_id(wa: Dialog360Sandbox, client: Dialog360) -> None:
    customer = wa.customer(user_id="DE.1234567890", username="anna")
    sent = await client.send(KEY, compose.text("DE.1234567890", "Hello", "x"))
    assert customer.received[0].wamid == sent.wamid
    assert sent.wa_id == "DE.1234567890"


async def test_one_send_is_one_call_with_the_key_in_its_header_alone(wa: Dialog360Sandbox, client: Dialog360) -> None:
    wa.customer("+491701234567")
    await client.send(KEY, BODY)
    (call,) = wa.calls
    assert (call.method, call.path, dict(call.query)) == ("POST", "/messages", {})
    assert call.api_key_suffix == KEY[-4:]
    assert KEY not in repr(call.body)


async def test_a_refusal_is_told_by_its_class(wa: Dialog360Sandbox, client: Dialog360) -> None:
    body = {"error": {"message": "(#131047) Re-engagement message", "code": 131047}}
    wa.levers.add("/messages", status=400, body=body)
    with pytest.raises(WindowClosed) as caught:
        await client.send(KEY, BODY)
    assert caught.value.values["said"] == "Re-engagement message"


async def test_a_rate_limit_names_how_long_to_wait(wa: Dialog360Sandbox, client: Dialog360) -> None:
    wa.levers.add("/messages", status=429, headers={"Retry-After": "9"})
    with pytest.raises(RateLimited) as caught:
        await client.send(KEY, BODY)
    assert caught.value.after == 9.0


async def test_an_answer_lost_after_the_effect_is_unsure_and_never_sent_again(
    wa: Dialog360Sandbox, client: Dialog360
) -> None:
    customer = wa.customer("+491701234567")
    wa.levers.add("/messages", when="after", drop=True)
    with pytest.raises(Unsure):
        await client.send(KEY, BODY)
    assert len(customer.received) == 1


async def test_a_connection_that_dies_between_two_sends_is_unsure_rather_than_sent_twice(
    wa: Dialog360Sandbox, client: Dialog360
) -> None:
    customer = wa.customer("+491701234567")
    await client.send(KEY, BODY)
    wa.levers.add("/messages", drop=True)
    with pytest.raises(Unsure):
        await client.send(KEY, BODY)
    assert len(customer.received) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", Unsure),
        (b"\x00nonsense\r\n\r\n", Unsure),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Unsure),
        (http("200 OK", '{"messages":[{"id":"wamid.A"', 900), Unsure),
        (http("200 OK", "<html>fine</html>"), Unsure),
        (http("200 OK", '{"messages":[{}]}'), Unsure),
        (http("200 OK", '{"messages":"x"}'), Unsure),
        (http("200 OK", '{"error":{"code":131026,"message":"m"}}'), NotOnWhatsApp),
        (http("500 Oops", "cut", 900), Unsure),
        (http("504 Gateway Timeout", ""), Unsure),
        (http("503 Busy", "cut", 900), Doubtful),
        (http("502 Bad Gateway", ""), Doubtful),
        (http("500 Oops", '{"error":{"code":131000,"message":"m"}}'), Doubtful),
        (http("400 Bad Request", '{"error":{"code":2,"message":"m"}}'), Trouble),
        (http("403 No", '{"error":"The endpoint is blocked"}'), NumberBlocked),
        (http("403 No", '{"error":"cut', 900), Trouble),
        (http("403 Forbidden", "<html>Access denied</html>"), Trouble),
        (http("404 Not Found", '{"error":"not found"}'), InvalidRequest),
        (http("404 Not Found", "<html>nothing here</html>"), Trouble),
        (http("302 Found", ""), Trouble),
    ],
)
async def test_what_is_left_of_an_answer_decides(
    answer: bytes, expected: type[BotError], session: ClientSession
) -> None:
    async with wire(answer) as url:
        with pytest.raises(BotError) as caught:
            await Dialog360(session, url).send(KEY, BODY)
    assert type(caught.value) is expected


async def test_silence_after_the_request_is_unsure(session: ClientSession) -> None:
    async with wire(b"", hold=True) as url:
        with pytest.raises(Unsure):
            await Dialog360(session, url, answer_timeout=0.05).send(KEY, BODY)


async def test_no_connection_means_that_nothing_was_handed_over(session: ClientSession) -> None:
    async with wire(b"") as url:
        pass
    for call in (lambda client: client.send(KEY, BODY), *READS.values()):
        with pytest.raises(Unreachable):
            await call(Dialog360(session, url))
    with pytest.raises(Unreachable):
        await Dialog360(session, "http://").send(KEY, BODY)


async def test_waiting_for_a_free_connection_hands_nothing_over() -> None:
    asked = asyncio.Event()
    async with ClientSession(connector=TCPConnector(limit=1)) as session, wire(b"", hold=True, asked=asked) as url:
        busy = asyncio.create_task(Dialog360(session, url).check(KEY))
        await asked.wait()
        with pytest.raises(Unreachable):
            await Dialog360(session, url, connect_timeout=0.05).send(KEY, BODY)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def test_redirects_are_not_followed_because_the_key_would_go_with_them(
    wa: Dialog360Sandbox, client: Dialog360
) -> None:
    async with Dialog360Sandbox() as elsewhere:
        wa.levers.add("/", times=-1, status=307, headers={"Location": elsewhere.url + "/messages"})
        for call in (lambda client: client.send(KEY, BODY), *READS.values()):
            with pytest.raises(Trouble):
                await call(client)
        assert elsewhere.calls == []


async def test_an_answer_without_end_is_cut(session: ClientSession) -> None:
    async with wire(http("400 No", '{"error":"' + "x" * (LARGEST + 70_000), 10**9), hold=True) as url:
        with pytest.raises(Trouble) as caught:
            await Dialog360(session, url).send(KEY, BODY)
    assert len(caught.value.said) <= 300


@pytest.mark.parametrize("key", ["", "two words", "a\r\nX-Evil: 1", "“curly”", "ключ", "x" * 5000])
async def test_what_cannot_be_a_key_is_refused_before_it_travels(
    key: str, wa: Dialog360Sandbox, client: Dialog360
) -> None:
    with pytest.raises(KeyInvalid):
        await client.check(key)
    assert wa.calls == []


async def test_a_server_that_repeats_the_key_does_not_bring_it_into_errors(
    wa: Dialog360Sandbox, client: Dialog360
) -> None:
    wa.levers.add("/messages", status=400, body={"error": f"no such key {KEY}"})
    wa.levers.add("/health_status", times=-1, drop=True)
    for call in (lambda: client.send(KEY, BODY), lambda: client.check(KEY)):
        with pytest.raises(BotError) as caught:
            await call()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.values)
        assert KEY not in told


# --- the number -----------------------------------------------------------------------------------------------------


async def test_check_tells_what_360dialog_says_of_the_number(client: Dialog360) -> None:
    health = await client.check(KEY)
    assert (health.can_send, health.phone, health.name) == ("AVAILABLE", "+4915112345678", "Demo Shop")
    assert health.phone_number_id
    assert health.quality == "GREEN"


async def test_check_lists_problems_of_every_entity_once(wa: Dialog360Sandbox, client: Dialog360) -> None:
    blocked = {"error_code": 141006, "error_description": "Payment is due.", "possible_solution": "Pay."}
    entities = [
        {"entity_type": "PHONE_NUMBER", "id": "106", "additional_info": ["Name not approved.", 7, None]},
        {"entity_type": "WABA", "errors": [blocked, blocked, "odd"]},
        "odd",
    ]
    answer = {"health_status": {"can_send_message": "BLOCKED", "entities": entities}}
    wa.levers.add("/health_status", status=200, body=answer)
    health = await client.check(KEY)
    assert (health.can_send, health.phone_number_id) == ("BLOCKED", "106")
    assert health.problems == ("Name not approved.", "7", "Payment is due. Pay.")


@pytest.mark.parametrize("answer", [{}, {"health_status": []}, {"health_status": {"entities": {"id": 1}}}])
async def test_check_reads_any_object(answer: object, wa: Dialog360Sandbox, client: Dialog360) -> None:
    wa.levers.add("/health_status", status=200, body=answer)
    assert (await client.check(KEY)).can_send == ""


async def test_a_dead_key_is_invalid_everywhere(wa: Dialog360Sandbox, client: Dialog360) -> None:
    wa.rotate_key(wa.numbers[KEY])
    for call in (lambda client: client.send(KEY, BODY), *READS.values()):
        with pytest.raises(KeyInvalid):
            await call(client)


@pytest.mark.parametrize("status", [404, 200])
async def test_a_number_without_webhook_has_none(status: int, wa: Dialog360Sandbox, client: Dialog360) -> None:
    wa.unset_webhook_status = status
    assert await client.webhook(KEY) is None


async def test_a_webhook_that_is_set_can_be_read_back(wa: Dialog360Sandbox, client: Dialog360) -> None:
    await client.set_webhook(KEY, "https://bot.example/in/abc", {"X-Webhook-Secret": "s"})
    assert await client.webhook(KEY) == Hook("https://bot.example/in/abc", {"X-Webhook-Secret": "s"})
    assert wa.numbers[KEY].webhook == {"url": "https://bot.example/in/abc", "headers": {"X-Webhook-Secret": "s"}}


async def test_an_address_that_360dialog_refuses_is_an_invalid_request(client: Dialog360) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await client.set_webhook(KEY, "https://bot_1.example:8443/in", {})
    assert caught.value.said


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("answer", [b"", http("500 Oops", ""), http("504 Late", ""), http("502 Bad", "<html>")])
async def test_what_can_be_repeated_is_never_unsure(read: Calls, answer: bytes, session: ClientSession) -> None:
    async with wire(answer) as url:
        with pytest.raises(Trouble):
            await read(Dialog360(session, url))


@pytest.mark.parametrize("read", ["check", "webhook"])
async def test_a_page_instead_of_an_answer_is_trouble(read: str, session: ClientSession) -> None:
    async with wire(http("200 OK", "<html>Please log in</html>")) as url:
        with pytest.raises(Trouble):
            await READS[read](Dialog360(session, url))
