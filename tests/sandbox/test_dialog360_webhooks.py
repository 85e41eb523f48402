"""Webhooks: what may be registered, how a delivery looks, and that it comes until somebody answers 200."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import pytest

from bot.sandbox.dialog360 import Dialog360Sandbox
from tests.sandbox.conftest import World
from tests.sandbox.dialog360_client import Api, receiver


async def test_a_text_arrives_in_metas_envelope(world: World) -> None:
    wamid = await world.maria.write(world.number, "Hello")
    (hit,) = world.hook.hits
    (entry,) = hit.body["entry"]
    assert (hit.body["object"], entry["id"], entry["changes"][0]["field"]) == (
        "whatsapp_business_account",
        world.number.waba_id,
        "messages",
    )
    (value,), (message,) = world.hook.values(), world.hook.messages()
    assert value["metadata"] == {
        "display_phone_number": "4915112345678",
        "phone_number_id": world.number.phone_number_id,
    }
    assert value["contacts"] == [
        {"profile": {"name": "Maria"}, "wa_id": "491701234567", "user_id": world.maria.user_id}
    ]
    assert message | {"timestamp": ""} == {
        "from": "491701234567",
        "from_user_id": world.maria.user_id,
        "id": wamid,
        "timestamp": "",
        "type": "text",
        "text": {"body": "Hello"},
    }
    assert message["timestamp"].isdigit()


async def test_a_delivery_is_unsigned_and_carries_the_registered_headers(world: World) -> None:
    await world.greet()
    headers = {name.lower(): value for name, value in world.hook.hits[0].headers.items()}
    assert headers["user-agent"] == "python-httpx/0.28.1"
    assert headers["content-type"] == "application/json"
    assert headers["x-token"] == "s3cret"
    assert not [name for name in headers if "signature" in name]


async def test_a_public_address_is_reached_as_through_a_tls_proxy_with_credentials_as_basic_auth() -> None:
    async with receiver() as hook, aiohttp.ClientSession() as http:
        async with Dialog360Sandbox(resolve={"https://bot.example": hook.url}) as wa:
            number = wa.add_number("+4915112345678")
            api = Api(http, wa.url, number.api_key)
            body = {"url": "https://us%40er:pa%3Ass@bot.example/in/abc?x=1"}
            assert await api.call("POST", "/v1/configs/webhook", json=body) == (200, body | {"headers": {}})
            await wa.customer("+491701234567").write(number, "hi")
        (hit,) = hook.hits
        assert hit.path == "/in/abc?x=1"
        assert hit.headers["Host"] == "bot.example"
        assert hit.headers["X-Forwarded-Proto"] == "https"
        assert hit.headers["Authorization"] == "Basic " + base64.b64encode(b"us@er:pa:ss").decode()


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://bot.example/in"},
        {"url": "https://bot.example:8443/in"},
        {"url": "https://bot.example:/in"},
        {"url": "https://my_bot.example/in"},
        {"url": "https:///in"},
        {"url": "http://127.0.0.1:8080/in"},
        {"url": ""},
        {"url": 5},
        {},
        [],
        {"url": "https://bot.example", "headers": ["x"]},
        {"url": "https://bot.example", "headers": {"X": 1}},
        {"url": "https://bot.example", "headers": {"X": "a\r\nY: b"}},
        {"url": "https://bot.example", "headers": {"X Y": "a"}},
    ],
)
async def test_an_address_that_360dialog_would_not_take_is_refused(body: Any) -> None:
    async with Dialog360Sandbox() as wa, aiohttp.ClientSession() as http:
        number = wa.add_number("+4915112345678")
        status, answer = await Api(http, wa.url, number.api_key).call("POST", "/v1/configs/webhook", json=body)
        assert (status, answer["meta"]["success"], answer["meta"]["http_code"]) == (400, False, 400)
        assert answer["meta"]["details"]
        assert number.webhook is None


async def test_only_200_counts_and_the_rest_comes_again(world: World) -> None:
    world.hook.answers = [500, 201, 204]
    wamid = await world.greet()
    await world.wa.settled()
    assert [item["id"] for item in world.hook.messages()] == [wamid] * 4
    assert len({hit.raw for hit in world.hook.hits}) == 1
    assert world.wa.deliveries[0].statuses == [500, 201, 204, 200]
    assert world.wa.deliveries[0].attempts == 4


async def test_an_answer_after_the_limit_counts_as_none() -> None:
    async with (
        receiver() as hook,
        aiohttp.ClientSession() as http,
        Dialog360Sandbox(allow_local_webhooks=True, deliver_timeout=0.05) as wa,
    ):
        number = wa.add_number("+4915112345678")
        await Api(http, wa.url, number.api_key).call("POST", "/v1/configs/webhook", json={"url": hook.url})
        hook.gate = asyncio.Event()
        await wa.customer("+491701234567").write(number, "hi")
        assert wa.deliveries[0].statuses[0] == 0
        hook.gate.set()
        await wa.settled()
        assert wa.deliveries[0].statuses[-1] == 200


async def test_what_is_written_while_no_webhook_is_set_goes_nowhere(world: World) -> None:
    world.number.webhook = None
    await world.greet()
    assert (world.hook.hits, world.wa.deliveries[0].statuses) == ([], [])


async def test_a_raw_body_is_posted_as_often_as_asked_also_at_once(world: World) -> None:
    world.hook.gate = asyncio.Event()
    posting = asyncio.create_task(world.wa.deliver(world.number, b"not json", times=3, concurrently=True))
    await asyncio.wait_for(world.hook.crowd(3), 5)
    world.hook.gate.set()
    assert await posting == [200, 200, 200]
    assert world.hook.most_at_once == 3
    assert {hit.raw for hit in world.hook.hits} == {b"not json"}
    assert await world.wa.deliver(world.number, {"object": "whatever"}, times=2) == [200, 200]


async def test_raw_bodies_are_not_redelivered_unless_asked(world: World) -> None:
    world.hook.answers = [503]
    assert await world.wa.deliver(world.number, {}) == [503]
    await world.wa.settled()
    assert len(world.hook.hits) == 1
    world.hook.answers = [503]
    assert await world.wa.deliver(world.number, {}, redeliver=True) == [503]
    await world.wa.settled()
    assert len(world.hook.hits) == 3


async def test_several_messages_can_share_one_delivery(world: World) -> None:
    otto = world.wa.customer("+491709999999", name="Otto")
    batch = [
        world.maria.compose(world.number, type="text", text={"body": "1"}),
        otto.compose(world.number, type="text", text={"body": "2"}),
        world.maria.compose(world.number, type="text", text={"body": "3"}),
    ]
    await world.wa.carry(world.number, batch)
    (value,) = world.hook.values()
    assert [item["text"]["body"] for item in value["messages"]] == ["1", "2", "3"]
    assert [person["profile"]["name"] for person in value["contacts"]] == ["Maria", "Otto"]


async def test_unicode_travels_as_utf8(world: World) -> None:
    await world.maria.write(world.number, "Grüße 👩‍👩‍👧 עברית")
    assert "Grüße 👩‍👩‍👧 עברית".encode() in world.hook.hits[0].raw


async def test_a_taken_button_comes_back_with_its_id_and_context(world: World) -> None:
    await world.greet()
    await world.api.send(
        "+491701234567",
        type="interactive",
        interactive={
            "type": "button",
            "body": {"text": "Open?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "0", "title": "Yes"}}]},
        },
    )
    await world.maria.tap(world.maria.received[0], "Yes")
    message = world.hook.messages()[-1]
    assert message["interactive"] == {"type": "button_reply", "button_reply": {"id": "0", "title": "Yes"}}
    assert message["context"]["id"] == world.maria.received[0].wamid
    with pytest.raises(LookupError):
        await world.maria.tap(world.maria.received[0], "No")


async def test_until_tells_what_it_was_waiting_in(world: World) -> None:
    await world.greet()
    with pytest.raises(TimeoutError, match=r"deliveries: \[200\]"):
        await world.wa.until(lambda: world.maria.received, timeout=0.01)


async def test_a_lost_answer_leaves_the_message_on_the_phone(world: World) -> None:
    await world.greet()
    world.wa.levers.add("/messages", when="after", drop=True)
    with pytest.raises(aiohttp.ClientError):
        await world.api.text("+491701234567", "Did it arrive?")
    await world.wa.until(lambda: world.maria.received)
    assert world.wa.calls[-1].status == 0
    world.wa.levers.add("/messages", status=502, body="<html>Bad Gateway</html>")
    assert (await world.api.text("+491701234567"))[0] == 502
    assert len(world.maria.received) == 1
