"""Pages that are large, and pages that come slowly."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import pytest
from aiohttp.test_utils import TestServer

from bot.chatops.command import Command, Desk
from bot.chatops.form import Answers, Form, Opening, Uploaded
from bot.web.connections import Limits
from commands import connect
from tests.chatops.browser import Browser, served
from tests.chatops.desk import PHONE, Scene
from tests.chatops.steps import FILLED, opened


async def test_what_is_too_large_is_answered_with_the_form(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    wrong = await browser.submit(address, page, **FILLED, offline_message="?" * 2000)

    refused = await browser.submit(address, wrong, offline_message="?" * 100_000)

    assert refused.status == 413
    assert "nothing of this page was taken" in refused.text
    assert refused.fields["phone_number"] == PHONE
    assert "is now connected" in (await browser.submit(address, refused)).text
    assert (await browser.submit(address, refused, offline_message="?" * 100_000)).status == 410


async def _upload(_: Desk, __: Answers, file: Uploaded) -> str:
    return file.name


def offered(scene: Scene, form: Form) -> None:
    """Instead of the real one."""

    async def open_form(_: Desk, __: tuple[str, ...]) -> Opening:
        return Opening(form)

    scene.use(Command("connect", open_form, "connect.summary", forms=(form,)))


@pytest.mark.parametrize(("form", "status"), [(connect.FORM, 408), (replace(connect.FORM, upload=_upload), 422)])
async def test_a_page_that_may_hold_a_file_has_more_time_to_come_from_a_slow_phone(
    scene: Scene, form: Form, status: int
) -> None:
    offered(scene, form)
    async with served(scene, Limits(request=1.0)) as browser:
        address, page = await opened(scene, browser)
        body = urlencode({**page.fields, "phone_number": "?", "act": "submit"})

        async def slowly() -> AsyncIterator[bytes]:
            for at in range(0, len(body), len(body) // 8):
                yield body[at : at + len(body) // 8].encode()
                await asyncio.sleep(0.2)

        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await browser.client.post(urlsplit(address).path, data=slowly(), headers=kind)

        assert answer.status == status


FILE = "multipart/form-data; boundary=b"


def packed(how: str) -> bytes:
    """A part that would be read as another, larger one."""
    content = zlib.compress(bytes(40_000_000)) if "deflate" in how else b"QUJD"
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n{how}\r\n\r\n'
    return head.encode() + content + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": FILE, "Content-Length": "200000000"}, b"--b\r\n", 413),
        ({"Content-Type": FILE}, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"?" * 70_000, 413),
        ({"Content-Type": FILE}, b"--b\r\nContent-Disposition: form-data\r\n\r\n?\r\n--b--\r\n", 400),
        ({"Content-Type": FILE}, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n', 400),
        ({"Content-Type": FILE}, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 1001, 400),
        ({"Content-Type": FILE}, packed("Content-Encoding: deflate"), 400),
        ({"Content-Type": FILE}, packed("Content-Transfer-Encoding: base64"), 400),
        ({"Content-Type": "multipart/form-data"}, b"", 400),
    ],
    ids=["announced", "much text", "nameless", "no text", "many parts", "packed", "in letters", "no boundary"],
)
async def test_what_is_no_page_with_a_file_is_refused(
    scene: Scene, headers: dict[str, str], body: bytes, status: int
) -> None:
    offered(scene, replace(connect.FORM, upload=_upload))
    async with served(scene) as browser:
        address, _ = await opened(scene, browser)
        server = browser.client.server
        assert isinstance(server, TestServer)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        sent = {"Host": "bot.example", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"POST {urlsplit(address).path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
        await writer.wait_closed()
