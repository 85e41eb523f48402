"""Files: what a visitor may upload, what an agent's file looks like, and who may download it."""

import struct
from typing import Any

import aiohttp
import pytest

from tests.sandbox.rocketchat_client import FakeClock, World, workspace

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" + struct.pack(">II", 3, 2) + b"rest"


async def upload(w: World, rid: str, *, token: str | None = "tok-1", name: str = "a.png", mime: str = "image/png",
                 data: bytes = PNG, field: str = "file", **fields: str) -> tuple[int, dict[str, Any]]:  # fmt: skip
    form = aiohttp.FormData(quote_fields=False)
    form.add_field(field, data, filename=name, content_type=mime)
    for key, value in fields.items():
        form.add_field(key, value)
    headers = {"x-visitor-token": token} if token else {}
    return await w.as_bot.call("POST", f"livechat/upload/{rid}", data=form, headers=headers)


async def download(w: World, path: str, headers: dict[str, str] | None, **query: str) -> tuple[int, bytes]:
    async with w.session.get(w.rc.url + path, params=query, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.read()


async def test_a_visitor_s_file_comes_back_as_a_message_without_a_wrapper() -> None:
    async with workspace(clock=FakeClock()) as w:
        rid = await w.chat()
        status, message = await upload(w, rid, description="look", name="my pic.png")
        assert status == 200
        file = message["file"]
        link = f"/file-upload/{file['_id']}/my%20pic.png"
        assert file == {"_id": file["_id"], "name": "my pic.png", "type": "image/png"}
        assert message["files"] == [file]
        assert message["attachments"] == [
            {
                "title": "my pic.png",
                "type": "file",
                "description": "look",
                "title_link": link,
                "title_link_download": True,
                "image_url": link,
                "image_type": "image/png",
                "image_size": len(PNG),
                "image_dimensions": {"width": 3, "height": 2},
            }
        ]
        assert (message["msg"], message["token"], message["alias"], message["groupable"]) == (
            "",
            "tok-1",
            "Maria",
            False,
        )
        assert (message["rid"], message["newRoom"], message["showConnecting"], message["success"]) == (
            rid,
            False,
            False,
            True,
        )
        assert (await upload(w, rid))[1]["_id"] != message["_id"], "a second try is a second message"


async def test_everything_about_visitor_and_room_is_403() -> None:
    async with workspace() as w:
        rid, other = await w.chat(), await w.chat("tok-2")
        assert (await upload(w, rid, token=None))[0] == 403
        assert (await upload(w, rid, token="unknown"))[0] == 403
        assert (await upload(w, other))[0] == 403
        await w.rc.close_room(w.anna, rid)
        assert (await upload(w, rid))[0] == 403


async def test_what_may_not_be_uploaded() -> None:
    async with workspace() as w:
        rid = await w.chat()
        before = len(w.rc.messages(rid))
        reason = {"success": False, "reason": "error-type-not-allowed"}
        assert await upload(w, rid, mime="image/svg+xml") == (400, reason)
        assert (await upload(w, rid, customFields="{}"))[1]["error"] == "Match error: Unknown key in field customFields"
        assert (await upload(w, rid, field="photo"))[1]["errorType"] == "invalid-field"
        w.rc.settings["FileUpload_MaxFileSize"] = 3
        assert (await upload(w, rid))[1]["errorType"] == "error-file-too-large"
        w.rc.settings["FileUpload_MediaTypeWhiteList"] = "audio/*,application/pdf"
        w.rc.settings["FileUpload_MaxFileSize"] = -1
        assert (await upload(w, rid))[1]["reason"] == "error-type-not-allowed"
        assert (await upload(w, rid, mime="audio/ogg"))[0] == 200
        w.rc.settings["FileUpload_Enabled"] = False
        assert (await upload(w, rid, mime="audio/ogg"))[1]["reason"] == "error-file-upload-disabled"
        assert len(w.rc.messages(rid)) == before + 1


async def test_an_agent_s_image_shows_a_thumbnail_and_links_the_original() -> None:
    async with workspace() as w:
        rid = await w.chat()
        message = await w.rc.upload(w.anna, rid, "pic.png", "image/png", PNG, text="see")
        original, thumb = message["files"]
        assert message["file"] == original
        assert original == {**original, "name": "pic.png", "type": "image/png", "size": len(PNG), "format": "png"}
        assert thumb["name"] == "thumb-pic.png"
        (attachment,) = message["attachments"]
        assert attachment["title_link"] == f"/file-upload/{original['_id']}/pic.png"
        assert attachment["image_url"] == f"/file-upload/{thumb['_id']}/pic.png"
        assert (message["msg"], message["u"]["username"]) == ("see", "anna")


async def test_a_document_carries_format_and_size() -> None:
    async with workspace() as w:
        rid = await w.chat()
        message = await w.rc.upload(w.anna, rid, "a.pdf", "application/pdf", b"%PDF")
        (attachment,) = message["attachments"]
        assert (attachment["format"], attachment["size"], "image_url" in attachment) == ("PDF", 4, False)


async def test_a_manager_who_is_no_member_downloads_with_the_visitor_s_token_only() -> None:
    async with workspace() as w:
        rid = await w.chat()
        message = await w.rc.upload(w.anna, rid, "a.pdf", "application/pdf", b"%PDF")
        link = message["attachments"][0]["title_link"]
        key = {"rc_room_type": "l", "rc_rid": rid, "rc_token": "tok-1"}
        assert await download(w, link, None) == (403, b"")
        assert (await download(w, link, w.as_bot.headers))[0] == 403
        assert await download(w, link, w.as_anna.headers) == (200, b"%PDF")
        login = {"rc_uid": w.anna.id, "rc_token": w.as_anna.headers["X-Auth-Token"]}
        assert (await download(w, link, None, **login))[0] == 200
        assert await download(w, link, None, **key) == (200, b"%PDF")
        assert (await download(w, link, None, **{**key, "rc_token": "tok-2"}))[0] == 403
        await w.rc.close_room(w.anna, rid)
        assert await download(w, link, None, **key) == (200, b"%PDF"), "also when the room is closed"
        assert (await download(w, link, w.as_anna.headers))[0] == 403, "her membership ended with the chat"
        assert await download(w, "/file-upload/none/a.pdf", None, **key) == (404, b"")


@pytest.mark.parametrize(
    ("settings", "statuses"),
    [
        ({"FileUpload_ProtectFiles": False}, (200, 200)),
        (
            {
                "FileUpload_Restrict_to_room_members": False,
                "FileUpload_Restrict_to_users_who_can_access_room": True,
            },
            (200, 403),
        ),
    ],
)
async def test_other_protections(settings: dict[str, bool], statuses: tuple[int, int]) -> None:
    async with workspace() as w:
        rid = await w.chat()
        message = await w.rc.upload(w.anna, rid, "a.pdf", "application/pdf", b"%PDF")
        for name, value in settings.items():
            w.rc.settings[name] = value
        link, eve = message["attachments"][0]["title_link"], w.rest(w.rc.add_user("eve"))
        found = ((await download(w, link, w.as_bot.headers))[0], (await download(w, link, eve.headers))[0])
        assert found == statuses


async def test_a_bucket_answers_with_a_redirect() -> None:
    async with workspace() as w:
        rid = await w.chat()
        message = await w.rc.upload(w.anna, rid, "a.pdf", "application/pdf", b"%PDF")
        w.rc.core.files.redirect_to = "http://127.0.0.1:9/bucket"
        link, id = message["attachments"][0]["title_link"], message["file"]["_id"]
        async with w.session.get(w.rc.url + link, headers=w.as_anna.headers, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, f"http://127.0.0.1:9/bucket/{id}")


async def test_a_user_uploads_in_two_steps() -> None:
    async with workspace() as w:
        rid = (await w.as_bot.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"]
        form = aiohttp.FormData()
        form.add_field("file", b"%PDF", filename="a.pdf", content_type="application/pdf")
        _, answer = await w.as_bot.call("POST", f"rooms.media/{rid}", data=form)
        file = answer["file"]
        assert file["url"] == f"/file-upload/{file['_id']}/a.pdf"
        assert w.rc.messages(rid) == []
        confirmed = await w.as_bot.ok("POST", f"rooms.mediaConfirm/{rid}/{file['_id']}", {"msg": "here"})
        assert confirmed["message"]["msg"] == "here"
        assert confirmed["message"]["file"]["_id"] == file["_id"]
        assert (await w.as_bot.post(f"rooms.mediaConfirm/{rid}/none", {}))[0] == 400
