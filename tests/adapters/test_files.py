"""Files on the wire: streamed, bounded, and credentials only where they belong."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.errors import (
    BotError,
    FileRefused,
    KeyInvalid,
    MediaRefused,
    NotAllowed,
    NotFound,
    RateLimited,
    RoomClosed,
    Trouble,
    Unreachable,
)
from bot.model import FileRef, RoomId, VisitorToken
from bot.relay.spool import OverLimit, Spool, fill
from bot.rocketchat import files
from bot.sandbox.dialog360 import Dialog360Sandbox
from bot.whatsapp import media
from bot.whatsapp.client import Dialog360
from tests.adapters.rocketchat_stage import stage

KEY = "D360key"
PNG = b"\x89PNG\r\n\x1a\npixels"
MB = 1024 * 1024
BIG = 30 * MB
ROOM, TOKEN = RoomId("r1"), VisitorToken("secret-token")


@asynccontextmanager
async def serving(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def everything(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def generous(request: web.Request) -> web.StreamResponse:
    """30 MB, made while they are sent."""
    answer = web.StreamResponse(headers={"Content-Type": "video/mp4", "Content-Length": str(BIG)})
    await answer.prepare(request)
    for _ in range(BIG // 65536):
        await answer.write(b"\0" * 65536)
    return answer


# --- 360Dialog ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def wa() -> AsyncIterator[Dialog360Sandbox]:
    async with Dialog360Sandbox() as sandbox:
        sandbox.add_number("+4915112345678", api_key=KEY)
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(wa: Dialog360Sandbox, session: aiohttp.ClientSession) -> Dialog360:
    return Dialog360(session, wa.url, connect_timeout=2, answer_timeout=2)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(PNG)
    return path


async def test_an_upload_names_type_and_length_and_comes_back_whole(
    client: Dialog360, wa: Dialog360Sandbox, png: Path
) -> None:
    for size_as_text in (False, True):
        wa.media.size_as_text = size_as_text
        id = await client.upload(KEY, png, name="file.png", mime_type="image/png")
        told = await client.media(KEY, id)
        assert (told.mime_type, told.size) == ("image/png", len(PNG))
        assert await everything(client.fetch(KEY, told.url)) == PNG


async def test_a_voice_message_names_its_codec_on_the_wire_byte_for_byte(
    session: aiohttp.ClientSession, png: Path
) -> None:
    """WhatsApp takes `audio/ogg; codecs=opus`; the same with quotes is another text to a server that compares."""
    asked = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"Content-Length: (\d+)", head)
        asked.extend(await reader.readexactly(int(length)))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"id": "137"}')
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Dialog360(session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await client.upload(KEY, png, name="voice-1.ogg", mime_type=media.upload_type("audio/ogg", "voice"))

    disposition = b'Content-Disposition: form-data; name="file"; filename="voice-1.ogg"'
    assert b"\r\nContent-Type: audio/ogg; codecs=opus\r\n" + disposition in bytes(asked)
    assert b'codecs="' not in bytes(asked)


async def test_what_whatsapp_says_of_an_upload_is_the_reason(
    client: Dialog360, wa: Dialog360Sandbox, png: Path
) -> None:
    with pytest.raises(MediaRefused, match="following types"):
        await client.upload(KEY, png, name="f", mime_type="video/webm")
    with pytest.raises(MediaRefused, match="Content-Type says"):
        await client.upload(KEY, png, name="f", mime_type="image/jpeg")
    with pytest.raises(KeyInvalid):
        await client.upload("another", png, name="f", mime_type="image/png")
    wa.limits.uploads = 1
    with pytest.raises(RateLimited):
        await client.upload(KEY, png, name="f", mime_type="image/png")


async def test_a_lost_answer_of_an_upload_is_trouble_and_no_doubt(
    client: Dialog360, wa: Dialog360Sandbox, png: Path
) -> None:
    wa.levers.add("/media", when="after", drop=True)
    with pytest.raises(Trouble):
        await client.upload(KEY, png, name="f", mime_type="image/png")


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (302, FileRefused), (503, Trouble), (500, Trouble), (401, KeyInvalid)]
)
async def test_what_a_failed_download_means(
    client: Dialog360, wa: Dialog360Sandbox, png: Path, status: int, error: type[BotError]
) -> None:
    told = await client.media(KEY, await client.upload(KEY, png, name="f", mime_type="image/png"))
    wa.levers.add("whatsapp_business", status=status, body=f"not for {KEY}", headers={"Location": wa.url})
    with pytest.raises(error) as raised:
        await everything(client.fetch(KEY, told.url))
    assert KEY not in str(raised.value)


async def test_a_download_that_breaks_off_is_trouble(client: Dialog360, wa: Dialog360Sandbox, png: Path) -> None:
    told = await client.media(KEY, await client.upload(KEY, png, name="f", mime_type="image/png"))
    wa.cut_downloads_after = 3
    with pytest.raises(Trouble):
        await everything(client.fetch(KEY, told.url))


async def test_an_id_that_is_none_and_an_address_of_others_are_not_asked_for(
    client: Dialog360, wa: Dialog360Sandbox
) -> None:
    for id in ("", "../messages", "1?x=y", "ü"):
        with pytest.raises(NotFound):
            await client.media(KEY, id)
    with pytest.raises(FileRefused):
        await everything(client.fetch(KEY, f"{wa.url}/messages"))
    assert wa.calls == []


async def test_thirty_megabytes_take_no_thirty_megabytes_of_memory(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    taken = 0

    async def swallow(request: web.Request) -> web.Response:
        nonlocal taken
        assert request.content_length is not None, "no server has to guess"
        async for chunk in request.content.iter_chunked(65536):
            taken += len(chunk)
        return web.json_response({"id": "1"})

    app = web.Application()
    app.add_routes([web.get("/whatsapp_business/attachments/", generous), web.post("/media", swallow)])
    path = tmp_path / "film"
    async with serving(app) as url:
        client = Dialog360(session, url)
        tracemalloc.start()
        try:
            filled = await fill(path, client.fetch(KEY, f"{url}/whatsapp_business/attachments/?mid=1"), BIG)
            assert await client.upload(KEY, path, name="f.mp4", mime_type="video/mp4") == "1"
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (filled.size, path.stat().st_size) == (BIG, BIG)
    assert taken > BIG
    assert peak < 8 * MB


async def test_a_stream_is_given_up_at_the_limit_whatever_its_length_says(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    app = web.Application()
    app.add_routes([web.get("/whatsapp_business/attachments/", generous)])
    async with serving(app) as url:
        client = Dialog360(session, url)
        with pytest.raises(OverLimit):
            await fill(tmp_path / "film", client.fetch(KEY, f"{url}/whatsapp_business/attachments/"), MB)
    assert (tmp_path / "film").stat().st_size <= MB


async def test_a_place_on_disk_ends_with_its_work_and_what_a_crash_left_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    spool = Spool(folder)
    async with spool.place() as place:
        (place / "file").write_bytes(b"x")
        assert place.stat().st_mode & 0o077 == 0
    assert list(folder.iterdir()) == []
    (folder / "left").mkdir()
    Spool(folder)
    assert not folder.exists()


# --- Rocket.Chat ----------------------------------------------------------------------------------------------------


async def test_a_visitor_s_file_is_posted_under_its_own_name_with_its_words(png: Path) -> None:
    async with stage() as on:
        await on.livechat.register(TOKEN, name="Maria")
        room = await on.livechat.open_room(TOKEN)
        id = await on.livechat.upload(
            room, TOKEN, png, name="Übersicht 100%.png", mime_type="image/png", text="look — at *this*"
        )
        message = next(one for one in on.rc.messages(room) if one["_id"] == id)
        assert message["file"]["name"] == "Übersicht 100%.png"
        assert (message["file"]["type"], message["msg"]) == ("image/png", "look — at *this*")


async def test_a_login_that_ended_is_renewed_for_an_upload(png: Path) -> None:
    async with stage(password=True) as on:
        await on.livechat.register(TOKEN, name="Maria")
        room = await on.livechat.open_room(TOKEN)
        on.rc.revoke((await on.credentials.current()).token)
        on.rc.levers.add("livechat/upload", status=401, body={"status": "error", "message": "You must be logged in"})
        await on.livechat.upload(room, TOKEN, png, name="a.png", mime_type="image/png", text="")
        assert on.asked("login") == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"success": False, "error": "unauthorized"}, RoomClosed),
        (403, "<html>Forbidden", Trouble),
        (413, "<html>Request Entity Too Large", FileRefused),
        (400, {"success": False, "reason": "error-type-not-allowed"}, FileRefused),
        (400, {"success": False, "error": "too large", "errorType": "error-file-too-large"}, FileRefused),
        (502, "<html>", Trouble),
        (200, {"success": True}, Trouble),
    ],
)
async def test_what_a_refused_upload_means(png: Path, status: int, body: object, error: type[BotError]) -> None:
    async with stage() as on:
        on.rc.levers.add("livechat/upload", status=status, body=body)
        with pytest.raises(error):
            await on.livechat.upload(ROOM, TOKEN, png, name="a.png", mime_type="image/png", text="")


async def test_an_agent_s_file_is_opened_by_the_visitor_s_token_alone(png: Path) -> None:
    async with stage() as on:
        await on.livechat.register(TOKEN, name="Maria")
        room = await on.livechat.open_room(TOKEN)
        message = await on.rc.upload(on.agent, room, "a/b ü.png", "image/png", PNG)
        file = FileRef(message["file"]["_id"], message["file"]["name"])
        assert await everything(on.livechat.download(room, TOKEN, file)) == PNG
        with pytest.raises(NotAllowed):
            await everything(on.livechat.download(room, VisitorToken("another"), file))
        with pytest.raises(NotFound):
            await everything(on.livechat.download(room, TOKEN, FileRef("none", "a")))


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_page_that_refuses_an_agent_s_file_is_not_rocketchats(status: int, png: Path) -> None:
    """Its own refusals of a file have no body (8.3 `app/file-upload/server`)."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>Forbidden", content_type="text/html")

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    async with serving(app) as url, aiohttp.ClientSession() as session:
        with pytest.raises(Trouble):
            await everything(files.download(session, url, ROOM, TOKEN, FileRef("f1", "a.png", "image/png")))


def own_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server on 127.0.0.1, and for a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bucket")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_a_bucket_gets_its_signed_address_byte_for_byte_and_no_credential(tmp_path: Path) -> None:
    asked: list[web.Request] = []

    async def bucket(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(body=PNG)

    inside = web.Application()
    inside.router.add_get("/{path:.*}", bucket)
    server, trusting = await asyncio.to_thread(own_certificate, tmp_path)
    connector = aiohttp.TCPConnector(ssl=trusting)
    async with serving(inside, server) as url, aiohttp.ClientSession(connector=connector) as session:
        signed = "/b/%C3%BC%2Fx?X-Signature=a%2Bb%3D&n=1+2"

        async def away(request: web.Request) -> web.Response:
            raise web.HTTPFound(f"{url}{signed}")

        outside = web.Application()
        outside.router.add_get("/{path:.*}", away)
        async with serving(outside) as chat:
            assert await everything(files.download(session, chat, ROOM, TOKEN, FileRef("f", "a"))) == PNG
    [request] = asked
    assert request.raw_path == signed
    assert TOKEN not in str(request.headers) + request.raw_path
    assert not {"Authorization", "Cookie", "X-Auth-Token", "X-User-Id"} & set(request.headers)


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/bucket", "//127.0.0.1:9/x", "", "https://me:pw@127.0.0.1:9/x"])
async def test_a_redirect_to_a_place_that_is_not_safe_is_refused(session: aiohttp.ClientSession, where: str) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": where})

    app = web.Application()
    app.router.add_get("/{path:.*}", away)
    async with serving(app) as chat:
        with pytest.raises(FileRefused):
            await everything(files.download(session, chat, ROOM, TOKEN, FileRef("f", "a")))


async def test_redirects_that_never_end_are_left(session: aiohttp.ClientSession) -> None:
    asked = 0

    async def round_and_round(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        raise web.HTTPFound(f"/again/{asked}")

    app = web.Application()
    app.router.add_get("/{path:.*}", round_and_round)
    async with serving(app) as chat:
        with pytest.raises(FileRefused):
            await everything(files.download(session, chat, ROOM, TOKEN, FileRef("f", "a")))
    assert asked == 3


async def test_a_server_that_is_not_there_is_unreachable(session: aiohttp.ClientSession, png: Path) -> None:
    with pytest.raises(Unreachable):
        await everything(files.download(session, "http://127.0.0.1:9", ROOM, TOKEN, FileRef("f", "a")))
    with pytest.raises(Unreachable):
        await Dialog360(session, "http://127.0.0.1:9").upload(KEY, png, name="f", mime_type="image/png")
