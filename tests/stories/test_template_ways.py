"""Templates off the straight road: headers with files and places, wrong calls, failures that come later."""

import base64
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from bot.stage import Stage, staged
from bot.stage_page import Page, link_in
from tests.stories.test_templates import said, sends

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def add(stage: Stage, name: str, *components: dict[str, Any], **more: Any) -> None:
    template = {"name": name, "language": "en", "category": "UTILITY", "components": list(components), **more}
    stage.wa.templates(stage.number).add(template)


async def with_file(stage: Stage, name: str, content: bytes, kind: str) -> tuple[Page, int, str]:
    """The page of a template with a picture, filled and sent with this file: it, and the status and text of the answer.
    As a browser does, the file goes before what stands below it."""
    page = await stage.open(link_in(await stage.command("!whatsapp-360d-cloud send-template")))
    page = await stage.submit(page, template="new_catalogue|en", recipients=stage.customer.phone)
    form = aiohttp.FormData()
    form.add_field("header_media", "")
    form.add_field("header_media", BytesIO(content), filename=name, content_type=kind)
    for field, value in {**page.fields, "body_1": "Ana", "button_0": "SPRING25", "act": "submit"}.items():
        if field != "header_media":
            form.add_field(field, value)
    async with stage.http.post(page.url, data=form) as answer:
        return page, answer.status, await answer.text()


async def test_an_image_is_uploaded_on_the_page_and_sent_by_its_id() -> None:
    async with staged() as stage:
        await stage.connect()
        page, status, shown = await with_file(stage, "cover.png", PIXEL, "image/png")
        assert status == 200 and "[Image: cover.png]" in shown
        page = await stage.submit(await stage.open(page.url))
        page = await stage.submit(page)

        assert "sent to 1 of 1" in page.text
        [body] = sends(stage)
        header = body["template"]["components"][0]["parameters"][0]
        assert header["type"] == "image"
        assert list(header["image"]) == ["id"]


async def test_a_file_of_the_wrong_kind_is_refused_with_the_right_ones() -> None:
    async with staged() as stage:
        await stage.connect()
        _, status, refused = await with_file(stage, "note.txt", b"text", "text/plain")
        assert status == 422 and "Possible: JPEG, PNG." in refused


async def test_what_was_typed_besides_a_file_that_is_too_large_stays() -> None:
    async with staged() as stage:
        await stage.connect()
        page, status, refused = await with_file(stage, "large.png", bytes(20 * 1024 * 1024), "image/png")
        assert status == 422
        assert 'id="header_media-wrong">The file is larger than 16 MB. Give a link to it instead.' in refused
        assert 'value="Ana"' in refused and 'value="SPRING25"' in refused

        page = await stage.submit(await stage.open(page.url), header_media="https://s.example/cover.png")
        page = await stage.submit(page)
        assert "sent to 1 of 1" in page.text


async def test_an_image_may_also_be_a_link() -> None:
    async with staged() as stage:
        await stage.connect()
        line = f"send-template new_catalogue {stage.customer.phone} https://s.example/cover.png Ana SPRING25"
        answer = await stage.command(f"!whatsapp-360d-cloud {line}")

        assert "sent to 1 of 1" in answer["msg"]
        components = sends(stage)[0]["template"]["components"]
        assert components[0]["parameters"] == [{"type": "image", "image": {"link": "https://s.example/cover.png"}}]
        assert components[2]["parameters"] == [{"type": "coupon_code", "coupon_code": "SPRING25"}]


async def test_a_place_in_the_header_and_every_button() -> None:
    async with staged() as stage:
        await stage.connect()
        buttons = [
            {"type": "QUICK_REPLY", "text": "Yes"},
            {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+491"},
        ]
        header = {"type": "HEADER", "format": "LOCATION"}
        add(stage, "meet_here", header, {"type": "BODY", "text": "Meet us."}, {"type": "BUTTONS", "buttons": buttons})
        line = f"send-template meet_here en {stage.customer.phone} 52.52 13.405 name=Office button_0=yes-42"
        answer = await stage.command(f"!whatsapp-360d-cloud {line}")

        assert "[Location: Office]" in answer["msg"]
        assert sends(stage)[0]["template"]["components"] == [
            {"type": "header", "parameters": [
                {"type": "location", "location": {"latitude": "52.52", "longitude": "13.405", "name": "Office"}}
            ]},
            {"type": "button", "sub_type": "quick_reply", "index": "0",
             "parameters": [{"type": "payload", "payload": "yes-42"}]},
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no_such +491701234567", "There is no template"),
        ("order_update fr +491701234567", "exists in other languages: de, en."),
        ("free_gift en +491701234567", "REJECTED"),
        ("order_update en +491701234567 a b c d e", "more values than the template has places"),
        ("new_catalogue en +491701234567 not-a-link Ana X", "link that begins with https"),
    ],
)
async def test_a_wrong_line_says_what_is_wrong_and_sends_nothing(line: str, told: str) -> None:
    async with staged() as stage:
        await stage.connect()
        answer = await stage.command(f"!whatsapp-360d-cloud send-template {line}")

        assert told in answer["msg"]
        assert sends(stage) == []


async def test_what_a_line_leaves_open_is_asked() -> None:
    async with staged() as stage:
        await stage.connect()
        line = f"send-template appointment_reminder {stage.customer.phone} Ana"
        answer = await stage.command(f"!whatsapp-360d-cloud {line}")

        assert "12 May" in answer["msg"]
        await stage.command("Friday", stage.setup_room)
        summary = await stage.command("10:30", stage.setup_room)
        assert "> Hi Ana, see you on Friday at 10:30." in summary["msg"]
        assert sends(stage) == []


async def test_with_several_numbers_the_one_that_has_the_template_sends() -> None:
    async with staged() as stage:
        second = stage.wa.add_number("+4915187654321", name="Second Shop", waba_id="another")
        await stage.connect()
        await stage.connect(second)
        page = await stage.open(link_in(await stage.command("!whatsapp-360d-cloud send-template")))
        assert len(page.choices["connected_number"]) == 2

        page = await stage.submit(
            page, connected_number=second.phone, template="hello_world|en_US", recipients=stage.customer.phone
        )
        page = await stage.submit(page)
        assert "sent to 1 of 1" in page.text
        assert stage.customer.received[0].number.phone == second.phone


async def test_a_failure_that_comes_later_is_told_where_the_template_was_sent() -> None:
    async with staged() as stage:
        await stage.connect()
        missing = stage.wa.customer("+491700000099", name="Nobody", on_whatsapp=False)
        await stage.command(f"!whatsapp-360d-cloud send-template hello_world {missing.phone}")

        told = await said(stage, stage.setup_room, "could not deliver the template to +491700000099")
        assert "not on WhatsApp" in told["msg"]


async def test_an_agents_words_before_the_form_and_after_its_end_reach_the_customer() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.rc.write(stage.agent, room, "before")
        await stage.command("!whatsapp-360d-cloud send-template", room, stage.agent)
        wrong = await stage.command("this is no template", room, stage.agent)
        assert "not one of the choices" in wrong["msg"]
        await stage.command("cancel", room, stage.agent)
        await stage.rc.write(stage.agent, room, "after")
        await stage.customer_reads("after")

        assert [one.text for one in stage.customer.received] == ["before", "after"]


async def test_another_agents_words_are_not_taken_for_answers() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.command("!whatsapp-360d-cloud send-template", room, stage.agent)
        await stage.rc.write(stage.admin, room, "I take over")

        await stage.customer_reads("I take over")


async def test_an_answer_to_the_form_that_was_typed_in_a_gap_is_taken_once_and_stays_inside() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.command("!whatsapp-360d-cloud send-template appointment_reminder", room, stage.agent)
        stage.rc.refuse_sockets(True)
        await stage.rc.cut_sockets()
        await stage.rc.write(stage.agent, room, "Ana")
        stage.rc.refuse_sockets(False)
        await said(stage, room, "12 May")
        await stage.command("Friday", room, stage.agent)
        summary = await stage.command("10:30", room, stage.agent)
        assert "> Hi Ana, see you on Friday at 10:30." in summary["msg"]
        await stage.command("cancel", room, stage.agent)
        await stage.rc.write(stage.agent, room, "now to you")
        await stage.customer_reads("now to you")

        assert [one.text for one in stage.customer.received] == ["now to you"]
