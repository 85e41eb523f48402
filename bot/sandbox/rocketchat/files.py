"""Files: uploads by visitors and users, and who may download them.

Sources: Rocket.Chat apps/meteor/app/file-upload/server/{lib/FileUpload.ts,lib/requests.ts,methods/sendFileMessage.ts},
app/livechat/server/methods/sendFileLivechatMessage.ts, app/livechat/imports/server/rest/upload.ts.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.messages import Messages
from bot.sandbox.rocketchat.state import User, World
from bot.sandbox.rocketchat.wire import Answer, Doc, MeteorError, new_id


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    rid: str
    name: str
    mime: str
    data: bytes = field(repr=False)
    at: datetime

    @property
    def path(self) -> str:
        return f"/file-upload/{self.id}/{quote(self.name, safe='')}"


class Files:
    def __init__(self, world: World, messages: Messages) -> None:
        self.world, self.messages = world, messages
        self.stored: dict[str, StoredFile] = {}
        self.redirect_to: str | None = None
        """Address of a bucket: downloads are then answered with 302, as with S3 storage."""
        self.work_on_next = 0.0
        """Seconds between having all of the next upload and posting it. A client that goes away does not stop it."""
        self.at_work = asyncio.Event()
        """Set while it is at work on such an upload."""

    # --- storing ------------------------------------------------------------------------------------------------

    def store(self, rid: str, name: str, mime: str, data: bytes) -> StoredFile:
        file = StoredFile(new_id(), rid, name, mime, data, self.world.now())
        self.stored[file.id] = file
        return file

    async def work(self) -> None:
        seconds, self.work_on_next = self.work_on_next, 0.0
        if seconds:
            self.at_work.set()
            await asyncio.sleep(seconds)
            self.at_work.clear()

    def check(self, mime: str, size: int, *, livechat: bool) -> None:
        """What an upload may be. Raises the answers of livechat/upload."""
        settings = self.world.settings
        if not settings["FileUpload_Enabled"] or (livechat and not settings["Livechat_fileupload_enabled"]):
            raise Answer(400, {"reason": "error-file-upload-disabled", "success": False})
        limit = settings["FileUpload_MaxFileSize"]
        if limit >= 0 and size > limit:
            raise MeteorError("error-file-too-large", "File exceeds allowed size limit")
        if not self._type_allowed(mime):
            raise Answer(400, {"reason": "error-type-not-allowed", "success": False})

    def _type_allowed(self, mime: str) -> bool:
        def listed(setting: str) -> list[str]:
            return [each.strip() for each in self.world.settings[setting].split(",") if each.strip()]

        def match(patterns: list[str]) -> bool:
            group = mime.partition("/")[0] + "/*"
            return any(pattern in (mime, group, "*/*") for pattern in patterns)

        if match(listed("FileUpload_MediaTypeBlackList")):
            return False
        white = listed("FileUpload_MediaTypeWhiteList")
        return not white or match(white)

    # --- messages -----------------------------------------------------------------------------------------------

    async def post_visitor(self, room: Doc, visitor: Doc, file: StoredFile, fields: Mapping[str, str]) -> Doc:
        """sendFileLivechatMessage: `file` has neither size nor format, image_url is the original."""
        short = {"_id": file.id, "name": file.name, "type": file.mime}
        attachment = self._attachment(file, fields.get("description"))
        if file.mime.startswith("image/"):
            attachment["image_url"] = file.path
        message: Doc = {
            "msg": fields.get("msg", ""),
            "file": short,
            "files": [short],
            "groupable": False,
            "attachments": [attachment],
            "token": visitor["token"],
        }
        if visitor.get("name"):
            message["alias"] = visitor["name"]
        for extra in ("alias", "avatar", "emoji"):
            if fields.get(extra):
                message[extra] = fields[extra]
        sent = await self.messages.send(visitor, message, room)
        assert sent is not None
        return sent

    async def post_user(self, room: Doc, user: User, file: StoredFile, text: str, **fields: object) -> Doc:
        """sendFileMessage: images get a thumbnail, and `image_url` is the thumbnail's."""
        extension = file.name.rsplit(".", 1)[-1] if "." in file.name else ""
        first = {"_id": file.id, "name": file.name, "type": file.mime, "size": len(file.data), "format": extension}
        files = [first]
        attachment = self._attachment(file, None)
        if file.mime.startswith("image/"):
            thumb = self.store(file.rid, f"thumb-{file.name}", file.mime, file.data)
            files.append({**first, "_id": thumb.id, "name": thumb.name})
            attachment["image_url"] = f"/file-upload/{thumb.id}/{quote(file.name, safe='')}"
        message: Doc = {
            "msg": text,
            "file": first,
            "files": files,
            "groupable": False,
            "attachments": [attachment],
            **fields,
        }
        sent = await self.messages.execute_send(user, {**message, "rid": room["_id"]})
        assert sent is not None
        return sent

    def _attachment(self, file: StoredFile, description: str | None) -> Doc:
        attachment: Doc = {
            "title": file.name,
            "type": "file",
            "title_link": file.path,
            "title_link_download": True,
        }
        if description:
            attachment["description"] = description
        size = len(file.data)
        match file.mime.split("/")[0]:
            case "image":
                attachment.update(image_type=file.mime, image_size=size)
                if dimensions := _png_size(file.data):
                    attachment["image_dimensions"] = {"width": dimensions[0], "height": dimensions[1]}
            case "audio":
                attachment.update(audio_url=file.path, audio_type=file.mime, audio_size=size)
            case "video":
                attachment.update(video_url=file.path, video_type=file.mime, video_size=size)
            case _:
                attachment.update(format=file.name.rsplit(".", 1)[-1].upper(), size=size)
        return attachment

    # --- downloading --------------------------------------------------------------------------------------------

    def may_download(self, file: StoredFile, query: Mapping[str, str], viewer: User | None) -> bool:
        """requestCanAccessFiles: while protected, the visitor's token in the query, else a member's login."""
        settings = self.world.settings
        if not settings["FileUpload_ProtectFiles"]:
            return True
        room = self.world.rooms.get(file.rid)
        if room is None:
            return False
        asked = tuple(query.get(name) for name in ("rc_room_type", "rc_rid", "rc_token"))
        if room["t"] == "l" and asked == ("l", room["_id"], room["v"]["token"]):
            return True
        if viewer is None:
            return False
        if settings["FileUpload_Restrict_to_room_members"]:
            return (room["_id"], viewer.id) in self.world.subscriptions
        if settings["FileUpload_Restrict_to_users_who_can_access_room"]:
            return can_access(self.world, room, viewer.id)
        return True


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)
