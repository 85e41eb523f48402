"""An agent's files, as the customer's phone shows them; or why not, before anything was sent."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from bot.sandbox.dialog360 import Received
from bot.stage import Stage, staged
from tests.nemesis.clocks import FastClock

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 100
PDF = b"%PDF-1.7 " + b"words" * 100
OPUS = b"OggS" + b"\x00" * 24 + b"OpusHead" + b"sound" * 50
MP3 = b"ID3" + b"sound" * 100


def drawn(format: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 128 if mode == "L" else None).save(out, format, **how)
    return out.getvalue()


async def talking(stage: Stage) -> str:
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def arrived(stage: Stage, count: int) -> list[Received]:
    return await stage.wa.until(lambda: stage.customer.received if len(stage.customer.received) >= count else [])


def content(stage: Stage, received: Received) -> bytes:
    kind = received.body["type"]
    return stage.wa.media.require(stage.number, received.body[kind]["id"], stage.wa.now()).data


def uploads(stage: Stage) -> list[dict[str, Any]]:
    return [call.body for call in stage.wa.calls if call.path == "/media"]


def bodies(stage: Stage) -> list[dict[str, Any]]:
    return [one.body for one in stage.customer.received]


async def test_a_picture_goes_with_its_words_as_caption_in_one_upload_and_one_send() -> None:
    async with staged() as stage:
        room = await talking(stage)
        before = len(stage.wa.calls), len(stage.rc.calls)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG, text="your **roof**")
        [picture] = await arrived(stage, 1)
        assert picture.text == "[image] your *roof*"
        assert content(stage, picture) == PNG
        assert [call.path for call in stage.wa.calls[before[0] :]] == ["/media", "/messages"]
        assert len([call for call in stage.rc.calls[before[1] :] if "file-upload" in call.path]) == 1


async def test_each_kind_goes_as_the_phone_shows_it_best() -> None:
    async with staged(accepted_media_types="") as stage:
        room = await talking(stage)
        for name, mime, data in [
            ("Übersicht.pdf", "application/pdf", PDF),
            ("note.ogg", "audio/ogg", OPUS),
            ("Audio record.mp3", "audio/mpeg", MP3),
            ("film.mp4", "video/mp4", b"....ftypmp42"),
        ]:
            await stage.rc.upload(stage.agent, room, name, mime, data)
        await arrived(stage, 4)
        document, voice, sound, film = bodies(stage)
        assert document["document"]["filename"] == "Übersicht.pdf"
        assert (voice["type"], voice["audio"]["voice"]) == ("audio", True)
        assert (sound["type"], "voice" in sound["audio"]) == ("audio", False)
        assert film["type"] == "video"
        assert [one["type"] for one in uploads(stage)] == [
            "application/pdf", "audio/ogg; codecs=opus", "audio/mpeg", "video/mp4",
        ]  # fmt: skip


async def both(stage: Stage, room: str, text: str) -> None:
    """One message with two files."""
    one = stage.rc.core.files.store(room, "one.png", "image/png", PNG)
    two = stage.rc.core.files.store(room, "two.pdf", "application/pdf", PDF)
    listed = [{"_id": file.id, "name": file.name, "type": file.mime, "size": len(file.data)} for file in (one, two)]
    links = [{"title": file.name, "type": "file", "title_link": file.path} for file in (one, two)]
    await stage.rc.write(stage.agent, room, text, files=listed, file=listed[0], attachments=links)


async def test_several_files_of_one_message_all_arrive_in_order_with_the_words_on_the_first() -> None:
    async with staged() as stage:
        room = await talking(stage)
        await both(stage, room, "both")
        await stage.rc.write(stage.agent, room, "the end")
        await arrived(stage, 3)
        assert [one.text for one in stage.customer.received] == ["[image] both", "[document] two.pdf", "the end"]


async def test_words_that_are_no_caption_go_before_the_file() -> None:
    async with staged() as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, "Audio record.mp3", "audio/mpeg", MP3, text="listen")
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG, text="word " * 300)
        await arrived(stage, 4)
        texts = [str(one.text) for one in stage.customer.received]
        assert texts[:2] == ["listen", "[audio]"]
        assert texts[2].startswith("word word")
        assert texts[3] == "[image]"


async def test_the_author_is_named_in_the_caption_when_agents_are_shown() -> None:
    async with staged(agents_display_info="name") as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG)
        [picture] = await arrived(stage, 1)
        assert picture.text == "[image] *Ben Agent:*"


async def test_the_author_is_named_before_a_sound_which_carries_no_caption() -> None:
    async with staged(agents_display_info="name", allow_quote_messages=True) as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, "note.ogg", "audio/ogg", OPUS)
        await stage.rc.upload(stage.agent, room, "note.mp3", "audio/mpeg", MP3, text="listen")
        await arrived(stage, 4)
        assert [one.text for one in stage.customer.received] == [
            "*Ben Agent:*", "[audio]", "*Ben Agent:*\nlisten", "[audio]",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mime", "data", "kind"),
    [
        ("pic.webp", "image/webp", drawn("WEBP"), "image/jpeg"),
        ("pic.bmp", "image/bmp", drawn("BMP"), "image/jpeg"),
        ("still.gif", "image/gif", drawn("GIF"), "image/jpeg"),
        ("clear.webp", "image/webp", drawn("WEBP", mode="RGBA"), "image/png"),
        ("lies.png", "image/png", drawn("JPEG"), "image/jpeg"),
        ("palette.png", "image/png", drawn("PNG", mode="P"), "image/png"),
        ("grey.png", "image/png", drawn("PNG", mode="L"), "image/png"),
        ("deep.png", "image/png", drawn("PNG", mode="I;16"), "image/png"),
        ("press.jpg", "image/jpeg", drawn("JPEG", mode="CMYK"), "image/jpeg"),
        ("scan.tiff", "image/tiff", drawn("TIFF"), "image/jpeg"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_picture_of_another_kind_is_turned_into_one_that_whatsapp_shows(
    name: str, mime: str, data: bytes, kind: str
) -> None:
    async with staged() as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, name, mime, data, text="look")
        [picture] = await arrived(stage, 1)
        assert picture.text == "[image] look"
        assert [one["type"] for one in uploads(stage)] == [kind]
        with Image.open(io.BytesIO(content(stage, picture))) as shown:
            assert shown.mode in ("RGB", "RGBA")


async def test_of_a_moving_picture_the_first_is_sent_and_the_agent_is_told() -> None:
    async with staged() as stage:
        room = await talking(stage)
        more = [Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")]
        moving = drawn("GIF", save_all=True, append_images=more)
        await stage.rc.upload(stage.agent, room, "moves.gif", "image/gif", moving)
        await arrived(stage, 1)
        assert [one["type"] for one in uploads(stage)] == ["image/jpeg"]
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "only the first picture of “moves.gif”" in told["msg"]


async def test_a_picture_over_five_megabytes_is_made_smaller() -> None:
    async with staged() as stage:
        room = await talking(stage)
        noise = Image.effect_noise((2600, 2600), 200).convert("RGB")
        out = io.BytesIO()
        noise.save(out, "JPEG", quality=95)
        assert len(out.getvalue()) > 5 * 1024 * 1024
        await stage.rc.upload(stage.agent, room, "photo.jpg", "image/jpeg", out.getvalue(), text="look")
        [picture] = await arrived(stage, 1)
        assert picture.text == "[image] look"
        assert len(content(stage, picture)) <= 5 * 1024 * 1024
        assert len(uploads(stage)) == 1


@pytest.mark.parametrize(
    ("name", "mime", "data"),
    [
        ("table.csv", "text/csv", b"a,b\n1,2\n"),
        ("windows.csv", "application/vnd.ms-excel", "Größe;Preis\r\n1;2\r\n".encode("cp1252")),
        ("logo.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("data.json", "application/json", b"{}"),
        ("server.log", "application/octet-stream", b"started\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_kind_of_text_goes_as_plain_text_under_its_own_name(name: str, mime: str, data: bytes) -> None:
    async with staged(accepted_media_types="") as stage:
        stage.rc.settings["FileUpload_MediaTypeBlackList"] = ""
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, name, mime, data)
        [text] = await arrived(stage, 1)
        assert text.body["document"]["filename"] == name
        assert content(stage, text) == data
        assert [one["type"] for one in uploads(stage)] == ["text/plain"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"file_uploads_enabled": False}, "`file_uploads_enabled`"),
        ({"accepted_media_types": "image/*"}, "`application/pdf`"),
        ({"max_file_upload_size": 500}, "“offer.pdf” (509 B) is too large. At most 500 B are allowed"),
    ],
)
async def test_a_limit_of_ours_is_told_before_anything_is_fetched_or_sent(setting: dict[str, Any], says: str) -> None:
    async with staged(**setting) as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, "offer.pdf", "application/pdf", PDF, text="here")
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert says in notice["msg"]
        assert not [call for call in stage.rc.calls if "file-upload" in call.path]
        assert bodies(stage) == []


@pytest.mark.parametrize(
    ("name", "mime", "data"),
    [
        ("all.zip", "application/zip", b"PK\x03\x04\x14\x00"),
        ("screen.webm", "video/webm", b"\x1aE\xdf\xa3\x01\x00"),
        ("sound.webm", "audio/webm", b"\x1aE\xdf\xa3\x01\x00"),
        ("sound.wav", "audio/wav", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("sound.flac", "audio/flac", b"fLaC\x00\x00"),
        ("photo.heic", "image/heic", b"\x00\x00\x00\x18ftypheic\x00\x00"),
        ("blob", "application/octet-stream", b"\x00\x01\x02"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_kind_that_whatsapp_does_not_carry_is_told_with_what_it_does_and_nothing_is_tried(
    name: str, mime: str, data: bytes
) -> None:
    async with staged(accepted_media_types="") as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, name, mime, data, text="here")
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert f"no files of the type `{mime}`, so “{name}” was not sent" in notice["msg"]
        assert "PDF, Word, Excel" in notice["msg"]
        assert bodies(stage) == []
        assert uploads(stage) == []


async def test_what_whatsapp_refuses_is_told_with_its_reason_and_nothing_is_sent() -> None:
    async with staged() as stage:
        room = await talking(stage)
        stage.wa.levers.add("/media", times=-1, status=400, body={"error": {"code": 100, "message": "(#100) Not this"}})
        await stage.rc.upload(stage.agent, room, "bill.pdf", "application/pdf", PDF, text="here")
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "WhatsApp does not take “bill.pdf” (type `application/pdf`, 509 B): Not this" in notice["msg"]
        assert bodies(stage) == []


async def test_a_file_that_whatsapp_refuses_later_is_told() -> None:
    async with staged() as stage:
        room = await talking(stage)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG)
        [picture] = await arrived(stage, 1)
        await stage.wa.status(picture.wamid, "failed", code=131053, details="Unsupported codec")
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "Unsupported codec" in notice["msg"]


async def test_an_upload_whose_answer_got_lost_is_repeated_and_the_file_sent_once() -> None:
    async with staged() as stage:
        room = await talking(stage)
        stage.wa.levers.add("^/media", when="after", drop=True)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG, text="look")
        await stage.rc.write(stage.agent, room, "after")
        await stage.customer_reads("after")
        assert [one.text for one in stage.customer.received] == ["[image] look", "after"]


@pytest.mark.parametrize(("status", "body"), [(503, ""), (500, {"error": {"code": 131000, "message": "went wrong"}})])
@pytest.mark.parametrize("before", [0, 1])
async def test_a_file_that_a_failing_server_did_not_take_is_sent_again(before: int, status: int, body: object) -> None:
    """`before`: so many of the two are out already."""
    async with staged(start=False) as stage:
        await stage.start(FastClock(speed=20))
        room = await talking(stage)
        for _ in range(before):
            stage.wa.levers.add("/messages", delay=0.01)
        stage.wa.levers.add("/messages", status=status, body=body, times=2)
        await both(stage, room, "both")
        first, second = await arrived(stage, 2)
        assert [first.text, second.text] == ["[image] both", "[document] two.pdf"]
        assert [content(stage, first), content(stage, second)] == [PNG, PDF]
        assert stage.from_bot(room) == []


async def test_a_send_whose_answer_got_lost_is_settled_by_the_status() -> None:
    async with staged() as stage:
        room = await talking(stage)
        stage.wa.levers.add("/messages", when="after", drop=True)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG, text="look")
        await stage.rc.write(stage.agent, room, "after")
        await stage.customer_reads("after")
        assert [one.text for one in stage.customer.received] == ["[image] look", "after"]
        assert len(uploads(stage)) == 1


async def test_a_file_that_was_deleted_meanwhile_is_told() -> None:
    async with staged() as stage:
        room = await talking(stage)
        stage.rc.levers.add("file-upload", status=404, times=-1)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG)
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "“pic.png” is not in Rocket.Chat any more" in notice["msg"]


async def test_a_page_that_comes_instead_of_the_file_is_not_sent_to_the_customer() -> None:
    async with staged() as stage:
        room = await talking(stage)
        page = {"Content-Type": "text/html; charset=utf-8"}
        stage.rc.levers.add("file-upload", status=200, body=b"<html>Log in</html>", headers=page)
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG, text="look")
        [picture] = await arrived(stage, 1)
        assert content(stage, picture) == PNG


async def test_a_bucket_without_encryption_is_not_followed() -> None:
    async with staged() as stage:
        room = await talking(stage)
        stage.rc.core.files.redirect_to = "http://127.0.0.1:9/bucket"
        await stage.rc.upload(stage.agent, room, "pic.png", "image/png", PNG)
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "an address that the bot does not trust" in notice["msg"]
