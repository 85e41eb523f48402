"""Files: uploads are checked, addresses expire, and too many errors close the door for half an hour."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.sandbox.conftest import World
from tests.sandbox.dialog360_client import Api, code_of, wamid_of

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
TO = "+491701234567"


async def upload(
    world: World, data: bytes, mime: str, *, product: str = "whatsapp", file: bool = True
) -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field("messaging_product", product)
    if file:
        form.add_field("file", io.BytesIO(data), content_type=mime, filename="picture.png")
    return await world.api.call("POST", "/media", data=form)


def local(url: str) -> str:
    """The address at 360Dialog: path and query stay byte for byte."""
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "lookaside.fbsbx.com")
    return f"{parts.path}?{parts.query}"


async def test_an_uploaded_picture_is_sent_by_id_and_comes_back_byte_for_byte(world: World) -> None:
    await world.greet()
    status, answer = await upload(world, PNG, "image/png")
    assert status == 200
    wamid_of(await world.api.send(TO, type="image", image={"id": answer["id"], "caption": "Look"}))
    assert world.maria.received[0].text == "[image] Look"
    _, described = await world.api.call("GET", f"/{answer['id']}")
    assert described["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert await world.api.call("GET", local(described["url"])) == (200, PNG)


async def test_slashes_of_the_address_are_escaped_in_the_answer(world: World) -> None:
    _, answer = await upload(world, PNG, "image/png")
    async with aiohttp.ClientSession(headers={"D360-API-KEY": world.api.key}) as http:
        text = await (await http.get(f"{world.wa.url}/{answer['id']}")).text()
    assert r"https:\/\/lookaside.fbsbx.com\/whatsapp_business\/attachments\/?mid=" in text


@pytest.mark.parametrize(
    ("data", "mime", "code"),
    [
        (b"x", "audio/opus", 100),
        (b"x", "text/csv", 100),
        (b"x", "image/gif", 100),
        (b"", "image/png", 100),
        pytest.param(b"x" * (5 * 1024 * 1024 + 1), "image/jpeg", 100, id="a picture over 5 MB"),
        (PNG, "image/jpeg", 131053),
    ],
)
async def test_a_file_that_whatsapp_does_not_take_is_refused(world: World, data: bytes, mime: str, code: int) -> None:
    assert code_of(await upload(world, data, mime)) == code


async def test_a_mime_type_may_have_parameters(world: World) -> None:
    assert (await upload(world, b"OggS...", "audio/ogg; codecs=opus"))[0] == 200


async def test_an_upload_needs_product_and_file(world: World) -> None:
    assert code_of(await upload(world, PNG, "image/png", product="sms")) == 100
    assert code_of(await upload(world, PNG, "image/png", file=False)) == 100


async def test_a_picture_cannot_be_sent_as_sound_nor_an_unknown_id_at_all(world: World) -> None:
    await world.greet()
    _, answer = await upload(world, PNG, "image/png")
    assert code_of(await world.api.send(TO, type="audio", audio={"id": answer["id"]})) == 131053
    assert code_of(await world.api.send(TO, type="image", image={"id": "123"})) == 131009


async def test_a_link_that_meta_cannot_reach_fails_later(world: World) -> None:
    await world.greet()
    for link in ("http://127.0.0.1/a.png", "https://chat.internal/a.png", "https://10.0.0.1/a.png"):
        wamid_of(await world.api.send(TO, type="image", image={"link": link}))
    wamid_of(await world.api.send(TO, type="image", image={"link": "https://example.com/a.png"}))
    await world.wa.settled()
    failed = [item for item in world.hook.statuses() if item["status"] == "failed"]
    assert [item["errors"][0]["code"] for item in failed] == [131053] * 3
    assert len(world.maria.received) == 1


async def test_a_file_of_a_customer_is_announced_and_fetched_in_two_steps(world: World) -> None:
    await world.maria.send_file(world.number, PNG, "image/png", caption="Mine")
    image = world.hook.messages()[0]["image"]
    assert (image["mime_type"], image["caption"]) == ("image/png", "Mine")
    assert base64.b64decode(image["sha256"]) == hashlib.sha256(PNG).digest()
    assert "source=webhook" in image["url"]
    _, described = await world.api.call("GET", f"/{image['id']}")
    assert await world.api.call("GET", local(described["url"])) == (200, PNG)


async def test_kinds_carry_what_belongs_to_them(world: World) -> None:
    await world.maria.send_file(world.number, b"OggS", "audio/ogg; codecs=opus", voice=True)
    await world.maria.send_file(world.number, b"%PDF-", "application/pdf", filename="Currículum café.pdf")
    await world.maria.send_file(world.number, b"RIFF", "image/webp")
    voice, document, sticker = world.hook.messages()
    assert voice["audio"]["voice"] is True
    assert document["document"]["filename"] == "Currículum café.pdf"
    assert sticker["sticker"]["animated"] is False


async def test_an_address_lives_five_minutes_and_the_file_seven_days(world: World) -> None:
    await world.maria.send_file(world.number, PNG, "image/png")
    image = world.hook.messages()[0]["image"]
    world.wa.clock_offset = 301
    assert (await world.api.call("GET", local(image["url"])))[0] == 404
    _, fresh = await world.api.call("GET", f"/{image['id']}")
    assert (await world.api.call("GET", local(fresh["url"])))[0] == 200
    world.wa.clock_offset = 7 * 86400 + 1
    assert (await world.api.call("GET", f"/{image['id']}"))[1]["error"]["error_subcode"] == 33


async def test_an_address_is_no_use_without_its_hash_or_with_another_key(world: World) -> None:
    await world.maria.send_file(world.number, PNG, "image/png")
    path = local(world.hook.messages()[0]["image"]["url"])
    assert (await world.api.call("GET", path[:-1] + ("0" if path[-1] != "0" else "1")))[0] == 404
    assert (await world.api.call("GET", path.replace("ext=", "ext=9")))[0] == 404
    other = world.wa.add_number("+4915112345679")
    async with aiohttp.ClientSession() as http:
        assert (await Api(http, world.wa.url, other.api_key).call("GET", path))[0] == 404
        assert (await Api(http, world.wa.url, "none").call("GET", path))[0] == 401


async def test_twenty_errors_in_an_hour_block_the_look_up_for_half_an_hour(world: World) -> None:
    _, answer = await upload(world, PNG, "image/png")
    for _ in range(20):
        assert (await world.api.call("GET", "/999"))[0] == 400
    assert (await world.api.call("GET", f"/{answer['id']}"))[0] == 403
    world.wa.clock_offset = 1801
    assert (await world.api.call("GET", f"/{answer['id']}"))[0] == 200


async def test_more_than_25_uploads_in_a_second_are_refused_by_the_gateway(world: World) -> None:
    world.wa.limits.uploads = 2
    assert [(await upload(world, PNG, "image/png"))[0] for _ in range(3)] == [200, 200, 400]


async def test_a_download_can_break_off(world: World) -> None:
    await world.maria.send_file(world.number, PNG, "image/png")
    world.wa.cut_downloads_after = 3
    with pytest.raises(aiohttp.ClientPayloadError):
        await world.api.call("GET", local(world.hook.messages()[0]["image"]["url"]))


async def test_a_deleted_file_is_gone(world: World) -> None:
    _, answer = await upload(world, PNG, "image/png")
    assert await world.api.call("DELETE", f"/{answer['id']}") == (200, {"success": True})
    assert (await world.api.call("GET", f"/{answer['id']}"))[0] == 400


async def test_the_size_can_be_a_string(world: World) -> None:
    _, answer = await upload(world, PNG, "image/png")
    assert (await world.api.call("GET", f"/{answer['id']}"))[1]["file_size"] == len(PNG)
    world.wa.media.size_as_text = True
    assert (await world.api.call("GET", f"/{answer['id']}"))[1]["file_size"] == str(len(PNG))
