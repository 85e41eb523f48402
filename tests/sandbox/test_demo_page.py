"""The demo page's server: what it streams, what people can do on it, and who is kept out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, SandboxNumber
from bot.sandbox.page import DemoPage
from bot.sandbox.rocketchat import RocketChatSandbox, User
from tests.sandbox.dialog360_client import Receiver, receiver

Json = dict[str, Any]


@dataclass
class Show:
    """The page with both simulators and no bot: the test says what a bot would."""

    rc: RocketChatSandbox
    wa: Dialog360Sandbox
    page: DemoPage
    http: aiohttp.ClientSession
    hook: Receiver
    number: SandboxNumber
    customer: Customer
    bot: User
    setup: str

    async def do(self, **act: str) -> int:
        async with self.http.post(self.page.url + "do", json=act, headers={"Origin": self.page.url[:-1]}) as answer:
            return answer.status

    async def bot_says(self, text: str, **fields: Any) -> str:
        message = await self.rc.write(self.bot, self.setup, text, **fields)
        assert message is not None
        return str(message["_id"])


@pytest.fixture
async def show() -> AsyncIterator[Show]:
    async with (
        RocketChatSandbox() as rc,
        Dialog360Sandbox(allow_local_webhooks=True) as wa,
        receiver() as hook,
        aiohttp.ClientSession() as http,
    ):
        admin = rc.add_user("ada", name="Ada", roles=("admin", "user"))
        agent = rc.add_user("ben", name="Ben", roles=("livechat-agent", "user"))
        bot = rc.add_user("bot", name="Bot", roles=("bot", "livechat-manager", "user"))
        setup = rc.direct_room(admin, bot)
        number, customer = wa.add_number("+4915112345678"), wa.customer("+491701234567", name="Maria")
        async with DemoPage(
            rc, wa, number=number, customer=customer, admin=admin, agent=agent, setup_room=setup
        ) as page:
            yield Show(rc, wa, page, http, hook, number, customer, bot, setup)


async def pictures(show: Show) -> AsyncIterator[Json]:
    async with show.http.get(show.page.url + "live") as answer:
        assert answer.content_type == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


async def picture(show: Show) -> Json:
    async for first in pictures(show):
        return first
    raise AssertionError("the stream ended")


async def test_the_stream_begins_with_a_whole_picture_and_goes_on_after_a_change(show: Show) -> None:
    stream = pictures(show)
    first = await anext(stream)
    assert (first["connected"], first["phone"], first["chats"], first["steps"]) == (False, [], [], [False] * 3)
    assert first["number"]["key"] == show.number.api_key
    await show.bot_says("**Hello** :wave:")
    second = await anext(stream)
    assert [message["text"] for message in second["setup"]["messages"]] == ["**Hello** 👋"]


async def test_the_phone_shows_how_far_each_message_came(show: Show) -> None:
    show.number.webhook = {"url": show.hook.url, "headers": {}}
    assert await show.do(do="customer-writes", text="hi") == 204
    assert await show.do(do="customer-photo") == 204
    first, second = (await picture(show))["phone"]
    assert (first["mine"], first["text"], first["state"]) == (True, "hi", "delivered")
    assert second["file"]["image"] is True
    async with show.http.get(show.page.url + second["file"]["url"][1:]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert (await answer.read()).startswith(b"\x89PNG")


async def test_a_button_of_the_bot_is_pressed_as_the_administrator(show: Show) -> None:
    action = {"type": "button", "text": "Yes", "msg": "/x yes", "msg_in_chat_window": True}
    link = {"type": "button", "text": "Open", "url": "https://bot.example/forms/1"}
    id = await show.bot_says("Well?", attachments=[{"actions": [action, link]}])
    (message,) = (await picture(show))["setup"]["messages"]
    assert message["parts"][0]["actions"] == [
        {"label": "Yes", "url": ""},
        {"label": "Open", "url": "https://bot.example/forms/1"},
    ]
    assert await show.do(do="admin-presses", message=id, label="Yes") == 204
    assert (await picture(show))["setup"]["messages"][-1]["text"] == "/x yes"
    assert await show.do(do="admin-presses", message=id, label="No") == 409


async def test_an_unknown_slash_command_leaves_a_note_for_its_author_and_nothing_else(show: Show) -> None:
    assert await show.do(do="admin-writes", text="/whatsapp-360d-cloud connect") == 204
    (note,) = (await picture(show))["setup"]["messages"]
    assert (note["note"], note["text"]) == (True, "No such command: `whatsapp-360d-cloud`")
    assert show.rc.messages(show.setup) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 403),
    ],
)
async def test_another_site_in_the_same_browser_can_do_nothing(
    show: Show, headers: dict[str, str], status: int
) -> None:
    own = {"Origin": show.page.url[:-1], "Content-Type": "application/json"}
    body = json.dumps({"do": "admin-writes", "text": "hello"})
    async with show.http.post(show.page.url + "do", data=body, headers=own | headers) as answer:
        assert answer.status == status
    assert show.rc.messages(show.setup) == []


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"do": "format-disk"}', '{"do": []}'])
async def test_an_action_that_makes_no_sense_is_refused(show: Show, body: str) -> None:
    headers = {"Origin": show.page.url[:-1], "Content-Type": "application/json"}
    async with show.http.post(show.page.url + "do", data=body, headers=headers) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("path", ["", "page.js", "draw.js", "markup.js", "style.css", "icon.svg"])
async def test_every_file_comes_with_a_policy_that_allows_only_itself(show: Show, path: str) -> None:
    async with show.http.get(show.page.url + path) as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        text = await answer.text()
    assert "innerHTML" not in text
    assert " style=" not in text


@pytest.mark.parametrize("path", ["photo.png", "../view.py", "nothing.js", "file/wa/1", "file/rc/x"])
async def test_nothing_else_is_served(show: Show, path: str) -> None:
    async with show.http.get(show.page.url + path) as answer:
        assert answer.status == 404


async def test_a_file_that_is_no_picture_is_only_ever_downloaded(show: Show) -> None:
    show.number.webhook = {"url": show.hook.url, "headers": {}}
    await show.customer.send_file(show.number, b"<script>alert(1)</script>", "text/html", filename="a.html")
    url = (await picture(show))["phone"][0]["file"]["url"]
    async with show.http.get(show.page.url + url[1:]) as answer:
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"


async def test_raw_webhook_bodies_of_any_shape_do_not_disturb_the_page(show: Show) -> None:
    show.number.webhook = {"url": show.hook.url, "headers": {}}
    bodies: list[Json | bytes] = [b"junk", {}, {"entry": {}}, {"entry": [{"changes": [{"value": []}]}]}]
    for body in bodies:
        assert await show.wa.deliver(show.number, body) == [200]
    assert (await picture(show))["phone"] == []
