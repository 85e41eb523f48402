"""The demo page's server: what it streams, what people can do on it, and who is kept out."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, SandboxNumber
from bot.sandbox.page import DemoPage
from bot.sandbox.rocketchat import RocketChatSandbox, User
from tests.sandbox.dialog360_client import Api, Receiver, receiver
from tests.sandbox.rocketchat_client import Rest

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
        async with self.http.post(self.page.url + "do", json=act, headers=self.from_here) as answer:
            return answer.status

    async def do_with_file(self, name: str, mime: str, data: bytes, **act: str) -> tuple[int, str]:
        """Status, and what the page says of a refusal."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("act", json.dumps(act))
        form.add_field("file", io.BytesIO(data), filename=name, content_type=mime)
        async with self.http.post(self.page.url + "file", data=form, headers=self.from_here) as answer:
            return answer.status, (await answer.json())["error"] if answer.status == 409 else ""

    @property
    def from_here(self) -> dict[str, str]:
        return {"Origin": self.page.url[:-1]}

    async def conversation(self) -> str:
        """As the bot opens one; the agent serves it."""
        rest = Rest(self.rc, self.http, self.bot)
        await rest.ok("POST", "livechat/visitor", {"visitor": {"token": "t", "name": "Maria"}})
        room: str = (await rest.ok("GET", "livechat/room", token="t"))["room"]["_id"]
        return room

    async def bot_sends(self, **parts: Any) -> int:
        """The status of 360Dialog's answer."""
        self.number.webhook = {"url": self.hook.url, "headers": {}}
        api = Api(self.http, self.wa.url, self.number.api_key)
        status, _ = await api.send(self.customer.wa_id, **parts)
        await self.wa.settled()
        return status

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


@pytest.mark.parametrize(
    "path", ["", "page.js", "draw.js", "tools.js", "composer.js", "words.js", "markup.js", "style.css", "icon.svg"]
)
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
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a.html"


async def test_raw_webhook_bodies_of_any_shape_do_not_disturb_the_page(show: Show) -> None:
    show.number.webhook = {"url": show.hook.url, "headers": {}}
    bodies: list[Json | bytes] = [b"junk", {}, {"entry": {}}, {"entry": [{"changes": [{"value": []}]}]}]
    for body in bodies:
        assert await show.wa.deliver(show.number, body) == [200]
    assert (await picture(show))["phone"] == []


def named(pictured: Json, wamid: str) -> Json:
    return next(bubble for bubble in pictured["phone"] if bubble["id"] == wamid)


async def test_the_customer_sends_any_file_with_words_as_an_answer(show: Show) -> None:
    first = await show.customer.write(show.number, "the *first* thing")
    act = {"do": "customer-writes", "text": "here it is", "quote": first}
    assert await show.do_with_file("C:\\plans\\new.odt", "application/x-odt", b"plans", **act) == (204, "")
    sent = (await picture(show))["phone"][-1]
    assert (sent["text"], sent["file"]["name"], sent["file"]["image"]) == ("here it is", "new.odt", False)
    assert sent["quote"] == {"who": "Maria", "text": "the *first* thing"}


async def test_a_location_and_a_contact_are_shown_in_words(show: Show) -> None:
    assert await show.do(do="customer-place") == 204
    assert await show.do(do="customer-card") == 204
    place, card = (await picture(show))["phone"]
    assert place["text"] == "Alexanderplatz\n10178 Berlin"
    assert card["text"] == "Jonas Weber\n+49 30 1234567"


async def test_the_agent_sends_a_file_as_an_answer(show: Show) -> None:
    room = await show.conversation()
    await show.do(do="agent-writes", room=room, text="what I said")
    quoted = (await picture(show))["chats"][0]["messages"][-1]["id"]
    act = {"do": "agent-writes", "room": room, "text": "and this", "quote": quoted}
    assert await show.do_with_file("a b.pdf", "application/pdf", b"%PDF-1.4", **act) == (204, "")
    sent = (await picture(show))["chats"][0]["messages"][-1]
    assert (sent["text"], sent["own"]) == ("and this", True)
    assert sent["quotes"] == [{"who": "ben", "text": "what I said"}]
    assert (sent["parts"][0]["title"], sent["parts"][0]["image"]) == ("a b.pdf", False)
    async with show.http.get(show.page.url + sent["parts"][0]["file"][1:]) as answer:
        assert await answer.read() == b"%PDF-1.4"


async def test_what_the_workspace_does_not_take_is_said_and_leaves_nothing(show: Show) -> None:
    room = await show.conversation()
    before = len(show.rc.messages(room))
    act = {"do": "agent-writes", "room": room, "text": ""}
    assert await show.do_with_file("a.svg", "image/svg+xml", b"<svg/>", **act) == (409, "error-type-not-allowed")
    show.rc.settings["FileUpload_MaxFileSize"] = 3
    status, told = await show.do_with_file("a.txt", "text/plain", b"1234", **act)
    assert (status, told) == (409, "File exceeds allowed size limit [error-file-too-large]")
    assert len(show.rc.messages(room)) == before


async def test_a_file_beyond_what_the_page_takes_is_refused_before_it_is_read_whole(show: Show) -> None:
    status, _ = await show.do_with_file("a", "text/plain", b"0" * (16 * 1024 * 1024 + 1), do="customer-writes", text="")
    assert status == 413
    assert (await picture(show))["phone"] == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_another_site_can_send_no_file(show: Show, origin: str) -> None:
    form = aiohttp.FormData()
    form.add_field("act", json.dumps({"do": "customer-writes", "text": "x"}))
    form.add_field("file", b"x", filename="x", content_type="text/plain")
    async with show.http.post(show.page.url + "file", data=form, headers={"Origin": origin}) as answer:
        assert answer.status == 403
    assert (await picture(show))["phone"] == []


@pytest.mark.parametrize("act", ["", "no json", "[]", "{}", '{"do": "customer-photo"}'])
async def test_a_form_that_makes_no_sense_is_refused(show: Show, act: str) -> None:
    form = aiohttp.FormData()
    form.add_field("act", act)
    form.add_field("file", b"x", filename="x", content_type="text/plain")
    async with show.http.post(show.page.url + "file", data=form, headers=show.from_here) as answer:
        assert answer.status == 400


async def test_a_form_without_its_file_is_refused(show: Show) -> None:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("act", '{"do": "customer-writes"}')
    async with show.http.post(show.page.url + "file", data=form, headers=show.from_here) as answer:
        assert answer.status == 400


async def test_reactions_of_both_sides_are_shown_and_taken_back(show: Show) -> None:
    wamid = await show.customer.write(show.number, "hi")
    assert await show.do(do="customer-reacts", message=wamid, mark="👍") == 204
    assert named(await picture(show), wamid)["reactions"] == [{"mark": "👍", "count": 1, "own": True}]
    assert await show.do(do="customer-reacts", message=wamid, mark="") == 204
    assert named(await picture(show), wamid)["reactions"] == []
    assert await show.bot_sends(type="reaction", reaction={"message_id": wamid, "emoji": "🙏"}) == 200
    assert named(await picture(show), wamid)["reactions"] == [{"mark": "🙏", "count": 1, "own": False}]

    room = await show.conversation()
    await show.do(do="agent-writes", room=room, text="hello")
    id = (await picture(show))["chats"][0]["messages"][-1]["id"]
    assert await show.do(do="agent-reacts", room=room, message=id, mark="❤️") == 204
    assert (await picture(show))["chats"][0]["messages"][-1]["reactions"] == [{"mark": "❤️", "count": 1, "own": True}]
    assert await show.do(do="agent-reacts", room=room, message=id, mark="❤️") == 204
    assert (await picture(show))["chats"][0]["messages"][-1]["reactions"] == []


@pytest.mark.parametrize(
    "act",
    [
        {"do": "customer-reacts", "message": "wamid.nothing", "mark": "👍"},
        {"do": "customer-reacts", "message": "", "mark": "<b>"},
        {"do": "customer-writes", "text": "x", "quote": "wamid.nothing"},
        {"do": "customer-taps", "message": "wamid.nothing", "label": "x"},
        {"do": "agent-reacts", "room": "nowhere", "message": "x", "mark": "👍"},
        {"do": "agent-writes", "room": "nowhere", "text": "x"},
        {"do": "agent-writes", "room": "nowhere", "text": "x", "quote": "y"},
    ],
)
async def test_what_is_not_there_cannot_be_answered_or_reacted_to(show: Show, act: dict[str, str]) -> None:
    assert await show.do(**act) == 409
    assert (await picture(show))["phone"] == []


async def test_the_agents_message_shows_how_far_it_came_on_whatsapp(show: Show) -> None:
    room = await show.conversation()
    await show.customer.write(show.number, "hi")
    await show.do(do="agent-writes", room=room, text="hello")
    await show.do(do="agent-writes", room=room, text="refused")
    known, refused = [m["id"] for m in (await picture(show))["chats"][0]["messages"][-2:]]

    async def states() -> list[str]:
        return [m["state"] for m in (await picture(show))["chats"][0]["messages"][-2:]]

    assert await states() == ["", ""]
    assert await show.bot_sends(type="text", text={"body": "hello"}, biz_opaque_callback_data=f"rc:{known}") == 200
    assert await show.bot_sends(type="text", text={"body": ""}, biz_opaque_callback_data=f"rc:{refused}") == 400
    assert await states() == ["read", "failed"]


async def test_after_a_day_without_a_word_a_text_fails_and_says_so(show: Show) -> None:
    room = await show.conversation()
    await show.customer.write(show.number, "hi")
    assert (await picture(show))["window"] is True
    assert await show.do(do="customer-waits") == 204
    assert (await picture(show))["window"] is False
    await show.do(do="agent-writes", room=room, text="hello")
    id = (await picture(show))["chats"][0]["messages"][-1]["id"]
    assert await show.bot_sends(type="text", text={"body": "hello"}, biz_opaque_callback_data=f"rc:{id}") == 200
    now = await picture(show)
    assert now["chats"][0]["messages"][-1]["state"] == "failed"
    assert [bubble["text"] for bubble in now["phone"]] == ["hi"]


async def test_a_list_on_the_phone_opens_by_its_button(show: Show) -> None:
    await show.customer.write(show.number, "hi")
    rows = [{"id": "1", "title": "An order", "description": "new or sent"}, {"id": "2", "title": "Else"}]
    action = {"button": "Choose", "sections": [{"title": "x", "rows": rows}]}
    part = {"type": "list", "header": {"type": "text", "text": "Hello"}, "body": {"text": "What?"}, "action": action}
    assert await show.bot_sends(type="interactive", interactive=part) == 200
    shown = (await picture(show))["phone"][-1]
    assert (shown["header"], shown["text"], shown["menu"]) == ("Hello", "What?", "Choose")
    assert shown["choices"] == [{"label": "An order", "more": "new or sent"}, {"label": "Else", "more": ""}]
    assert await show.do(do="customer-taps", message=shown["id"], label="An order") == 204
    answer = (await picture(show))["phone"][-1]
    assert (answer["mine"], answer["text"], answer["quote"]["text"]) == (True, "An order", "What?")
    assert await show.do(do="customer-taps", message=shown["id"], label="Nothing") == 409


async def test_a_template_is_shown_as_a_card(show: Show) -> None:
    texts = [{"type": "text", "text": "Maria"}, {"type": "text", "text": "Friday"}]
    components = [
        {"type": "header", "parameters": [{"type": "text", "text": "A-7"}]},
        {"type": "body", "parameters": texts},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "A-7"}]},
    ]
    template = {"name": "order_update", "language": {"code": "en"}, "components": components}
    assert await show.bot_sends(type="template", template=template) == 200
    card = (await picture(show))["phone"][-1]
    assert (card["header"], card["footer"]) == ("Order A-7", "Demo Shop")
    assert card["text"] == "Hello Maria, your order is on its way. It should reach you on Friday."
    assert card["links"] == [{"label": "Track order", "leads": "https://shop.example/orders/A-7"}]
    assert card["choices"] == [{"label": "Talk to us", "more": ""}]


async def test_the_picker_offers_what_is_approved_with_its_examples_in_the_commands_order(show: Show) -> None:
    lines = {(one["name"], one["language"]): one["line"] for one in (await picture(show))["templates"]}
    command = "!whatsapp-360d-cloud send-template"
    assert lines == {
        ("hello_world", "en_US"): f"{command} hello_world en_US",
        ("order_update", "en"): f'{command} order_update en "A-1001" "Maria" "Friday" "A-1001"',
        ("order_update", "de"): f'{command} order_update de "A-1001" "Maria" "Friday" "A-1001"',
        ("appointment_reminder", "en"): f'{command} appointment_reminder en "Maria" "12 May" "10:30"',
        ("new_catalogue", "en"): f'{command} new_catalogue en "https://shop.example/cover.png" "Maria" "SPRING25"',
    }
