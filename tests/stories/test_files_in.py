"""A customer's file, as the agent sees it: itself, once, in its place; or a line that says why it is not there."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from bot.stage import TIMEOUT, Stage, staged

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 100
PDF = b"%PDF-1.7 " + b"words" * 100


def posted(stage: Stage, room: str) -> list[dict[str, Any]]:
    """What the customer sent, as the room has it."""
    return [m for m in stage.rc.messages(room) if m.get("token") and not m.get("t")]


def files(stage: Stage, room: str) -> list[str]:
    return [message["file"]["name"] for message in posted(stage, room) if message.get("file")]


def content(stage: Stage, message: dict[str, Any]) -> bytes:
    return stage.rc.core.files.stored[message["file"]["_id"]].data


def looks(stage: Stage) -> int:
    """Calls of GET /{media-id}."""
    return len([call for call in stage.wa.calls if call.method == "GET" and call.path[1:].isdigit()])


async def test_files_come_with_caption_name_and_type_and_in_order() -> None:
    async with staged() as stage:
        await stage.connect()
        who = stage.customer
        await who.write(stage.number, "look:")
        await who.send_file(stage.number, PNG, "image/png", caption="my *roof*, @all")
        await who.send_file(stage.number, b"OggS" + b"\x00" * 24 + b"OpusHead", "audio/ogg; codecs=opus", voice=True)
        await who.send_file(stage.number, PDF, "application/pdf", filename="../Currículum café.pdf")
        await who.send_file(stage.number, b"RIFF....WEBP", "image/webp")
        await who.send_file(stage.number, b"....ftypmp42", "video/mp4")
        await who.write(stage.number, "that was all")
        room = await stage.agent_reads("that was all")

        first, image, voice, document, sticker, video, last = posted(stage, room)
        assert (first["msg"], last["msg"]) == ("look:", "that was all")
        assert content(stage, image) == PNG
        assert image["msg"].replace("\u2060", "") == "my *roof*, @all"
        assert image["msg"] != "my *roof*, @all", "the mention does not act"
        assert (image["file"]["type"], voice["file"]["type"]) == ("image/png", "audio/ogg")
        assert document["file"]["name"] == "Currículum café.pdf"
        assert content(stage, document) == PDF
        assert sticker["file"]["name"].startswith("sticker-")
        assert video["file"]["name"].endswith(".mp4")


async def test_a_first_message_may_be_a_file() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="hello")
        room = await stage.agent_reads("hello")
        assert content(stage, posted(stage, room)[0]) == PNG


async def test_a_file_waits_for_an_agent_and_is_fetched_once() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.rc.go_online(stage.agent, False)
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="anybody?")
        await stage.rc.until(lambda: len([c for c in stage.rc.calls if c.path.endswith("livechat/room")]) > 1)
        assert looks(stage) == 0
        stage.rc.go_online(stage.agent, True)
        await stage.agent_reads("anybody?")
        assert looks(stage) == 1


async def test_a_file_for_a_closed_room_opens_a_new_one() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "one")
        old = await stage.agent_reads("one")
        await stage.rc.close_room(stage.agent, old, comment="done")
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="two")
        new = await stage.agent_reads("two")
        assert new != old
        assert (len(files(stage, old)), len(files(stage, new))) == (0, 1)


@pytest.mark.parametrize("name", ["", "contract.pdf"])
async def test_an_answer_of_the_upload_that_got_lost_doubles_no_file(name: str) -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename=name, caption="first")
        room = await stage.agent_reads("first")
        stage.rc.levers.add("livechat/upload", when="after", drop=True)
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename=name, caption="second")
        await stage.customer.write(stage.number, "third")
        await stage.agent_reads("third")
        assert stage.from_customer(room) == ["first", "second", "third"]
        assert len(files(stage, room)) == 2


async def test_a_crash_between_upload_and_note_doubles_no_file() -> None:
    async with staged(start=False) as stage:
        await stage.start_process()
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.rc.levers.add("livechat/upload", when="after", delay=60)
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        await stage.rc.until(lambda: files(stage, room), timeout=TIMEOUT)
        await stage.kill()
        stage.rc.levers.clear()
        await stage.start_process()
        await stage.customer.write(stage.number, "and?")
        await stage.agent_reads("and?")
        assert stage.from_customer(room) == ["hi", "look", "and?"]
        left = stage.settings.storage.data_dir / "files"
        assert not left.exists() or not list(left.iterdir()), "what the crash left on disk is gone"


async def test_a_file_that_the_server_is_still_posting_when_the_bot_comes_back_is_not_doubled() -> None:
    """A server that has the whole file goes on with it, whether or not anybody waits for its answer."""
    async with staged(start=False) as stage:
        await stage.start_process()
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.rc.core.files.work_on_next = 6.0
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        await asyncio.wait_for(stage.rc.core.files.at_work.wait(), TIMEOUT)
        await stage.kill()
        await stage.start_process()
        await stage.customer.write(stage.number, "and?")
        await stage.rc.until(lambda: "and?" in stage.from_customer(room), timeout=2 * TIMEOUT)
        await stage.rc.until(lambda: not stage.rc.core.files.at_work.is_set(), timeout=TIMEOUT)
        assert stage.from_customer(room) == ["hi", "look", "and?"]


async def test_an_address_that_has_expired_is_asked_for_once_more() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/whatsapp_business/", status=404)
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        room = await stage.agent_reads("look")
        assert content(stage, posted(stage, room)[0]) == PNG
        assert looks(stage) == 2


async def test_a_file_that_is_gone_is_asked_for_once_and_told() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add(r"^/\d+$", times=-1, status=400, body={"error": {"code": 100, "error_subcode": 33}})
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        room = await stage.agent_reads("look")
        [line] = stage.from_customer(room)
        assert "The file is not shown. WhatsApp does not have this file any more" in line.replace("_", "")
        assert "Ask the customer to send it again" in line
        assert looks(stage) == 1


async def test_trouble_with_the_download_is_tried_again_in_its_place() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/whatsapp_business/", status=503)
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        await stage.customer.write(stage.number, "after")
        room = await stage.agent_reads("after")
        assert stage.from_customer(room) == ["look", "after"]
        assert len(files(stage, room)) == 1


async def test_a_number_whose_files_fail_is_not_locked_and_texts_do_not_wait() -> None:
    """360Dialog locks the look-up after 20 errors within an hour."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.wa.levers.add(r"^/\d+$", times=-1, status=400, body={"error": {"code": 100, "error_subcode": 33}})
        for number in range(18):
            await stage.customer.send_file(stage.number, PNG, "image/png", caption=f"picture {number}")
        await stage.customer.write(stage.number, "after")
        await stage.agent_reads("after")
        lines = stage.from_customer(room)
        assert len(lines) == 20
        assert "Ask the customer to send it again" in lines[16]
        assert "it follows here when it can" in lines[17]
        assert "The bot goes on by itself" in lines[17]
        assert looks(stage) == 16


async def test_a_number_whose_files_are_locked_is_not_asked_again_for_the_time_being() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add(r"^/\d+$", status=403, body={"meta": {"developer_message": "The endpoint is blocked"}})
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="one")
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="two")
        room = await stage.agent_reads("two")
        assert all("it follows here when it can" in line for line in stage.from_customer(room))
        assert looks(stage) == 1


async def test_an_agent_s_quote_of_a_file_is_a_quote_on_the_phone() -> None:
    async with staged() as stage:
        await stage.connect()
        wamid = await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        await stage.customer.write(stage.number, "next")
        room = await stage.agent_reads("next")
        file = posted(stage, room)[0]
        await stage.rc.write(stage.agent, room, f"[ ]({stage.rc.url}/live/{room}?msg={file['_id']}) thanks")
        await stage.customer_reads("thanks")
        assert stage.customer.received[-1].body["context"]["message_id"] == wamid


async def test_a_file_with_another_checksum_is_never_shown() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/whatsapp_business/", times=2, status=200, body=b"\x89PNG\r\n\x1a\nsomething else")
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        room = await stage.agent_reads("look")
        assert "arrived damaged" in stage.from_customer(room)[0]
        assert files(stage, room) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://lookaside.fbsbx.com.evil.test/whatsapp_business/attachments/?mid=1",
        "https://lookaside.fbsbx.com:8443/whatsapp_business/attachments/?mid=1",
        "https://me@lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "http://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
        "https://lookaside.fbsbx.com/messages",
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/../../v1/configs/webhook",
    ],
)
async def test_an_address_of_somebody_else_is_not_visited(url: str) -> None:
    async with staged() as stage:
        await stage.connect()
        told = {"url": url, "mime_type": "image/png", "sha256": hashlib.sha256(PNG).hexdigest(), "file_size": len(PNG)}
        stage.wa.levers.add(r"^/\d+$", status=200, body=told)
        before = len(stage.wa.calls)
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        room = await stage.agent_reads("look")
        assert "an address that the bot does not trust" in stage.from_customer(room)[0]
        assert len(stage.wa.calls) == before + 1


async def test_a_redirect_is_not_followed() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/whatsapp_business/", status=302, headers={"Location": f"{stage.rc.url}/steal"})
        await stage.customer.send_file(stage.number, PNG, "image/png", caption="look")
        room = await stage.agent_reads("look")
        assert "an address that the bot does not trust" in stage.from_customer(room)[0]
        assert not [call for call in stage.rc.calls if call.path == "/steal"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"file_uploads_enabled": False}, "`file_uploads_enabled`"),
        ({"accepted_media_types": "image/*, audio/*"}, "`application/pdf`"),
        ({"max_file_upload_size": 500}, "(509 B) is too large. At most 500 B"),
    ],
)
async def test_a_file_that_our_settings_refuse_becomes_a_line_that_says_which_limit(
    setting: dict[str, Any], says: str
) -> None:
    async with staged(**setting) as stage:
        await stage.connect()
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename="offer.pdf", caption="look")
        room = await stage.agent_reads("look")
        [line] = stage.from_customer(room)
        assert says in line
        assert "offer.pdf" in line
        assert not [call for call in stage.wa.calls if "whatsapp_business" in call.path]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("FileUpload_MediaTypeWhiteList", "image/*", "does not accept “offer.pdf”, because of its type"),
        ("FileUpload_MaxFileSize", 10, "is larger than this workspace accepts"),
        ("Livechat_fileupload_enabled", False, "file uploads switched off"),
    ],
)
async def test_a_file_that_rocket_chat_refuses_becomes_a_line_that_says_why(
    setting: str, value: object, says: str
) -> None:
    async with staged() as stage:
        await stage.connect()
        stage.rc.settings[setting] = value
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename="offer.pdf", caption="look")
        room = await stage.agent_reads("look")
        assert says in stage.from_customer(room)[0]


async def test_a_file_that_rocket_chat_refuses_in_words_of_its_own_becomes_a_line_with_them() -> None:
    """`Invalid file`: 8.3 `app/api/server/lib/MultipartUploadHandler.ts`."""
    async with staged() as stage:
        await stage.connect()
        stage.rc.levers.add("livechat/upload", status=400, body={"success": False, "error": "Invalid file"})
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename="offer.pdf", caption="look")
        room = await stage.agent_reads("look")
        assert "It was refused (Invalid file)" in stage.from_customer(room)[0]


async def test_a_room_that_takes_words_but_no_files_is_not_tried_for_ever() -> None:
    async with staged() as stage:
        await stage.connect()
        refusal = {"success": False, "error": "unauthorized"}
        stage.rc.levers.add("livechat/upload", times=-1, status=403, body=refusal)
        await stage.customer.send_file(stage.number, PDF, "application/pdf", filename="offer.pdf", caption="look")
        room = await stage.agent_reads("look")
        assert "refused “offer.pdf” without saying why" in stage.from_customer(room)[0]
        assert len([call for call in stage.rc.calls if "livechat/upload" in call.path]) == 1


async def test_a_file_that_meta_itself_could_not_fetch_is_told_and_not_asked_for() -> None:
    async with staged() as stage:
        await stage.connect()
        problem = [{"code": 131052, "title": "Media file size too big. Max file size we currently support: 100MB."}]
        video = {"id": "123", "mime_type": "video/mp4", "sha256": "", "caption": "look"}
        await stage.customer.send(stage.number, type="video", video=video, errors=problem)
        room = await stage.agent_reads("look")
        assert "100MB" in stage.from_customer(room)[0]
        assert looks(stage) == 0
