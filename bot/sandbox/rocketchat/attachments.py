"""What the server checks in a message that a client hands it (validateMessage).

Source: Rocket.Chat apps/meteor/app/lib/server/functions/sendMessage.ts. Unknown keys pass; known ones must have their
type.
"""

from __future__ import annotations

import re
from typing import Any

from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import Doc, PlainError

_NUMBER = (int, float)
_MESSAGE: dict[str, type | tuple[type, ...]] = {
    "_id": str, "msg": str, "text": str, "alias": str, "emoji": str, "tmid": str, "tshow": bool, "attachments": list,
    "blocks": list,
}  # fmt: skip
_ATTACHMENT: dict[str, type | tuple[type, ...]] = {
    "color": str, "text": str, "ts": (str, int, float), "button_alignment": str, "actions": list, "collapsed": bool,
    "author_name": str, "title": str, "title_link_download": bool, "image_dimensions": dict, "image_preview": str,
    "image_type": str, "image_size": _NUMBER, "audio_type": str, "audio_size": _NUMBER, "video_type": str,
    "video_size": _NUMBER, "fields": list,
}  # fmt: skip
_LINKS = (
    "thumb_url", "message_link", "author_link", "author_icon", "title_link", "image_url", "audio_url", "video_url",
)  # fmt: skip
_ACTION: dict[str, type | tuple[type, ...]] = {
    "type": str, "text": str, "is_webview": bool, "webview_height_ratio": str, "msg": str, "msg_in_chat_window": bool,
}  # fmt: skip
_FIELD: dict[str, type | tuple[type, ...]] = {"short": bool, "title": str, "value": (str, int, float, bool)}
_FULL_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMES = {str: "string", bool: "boolean", list: "array", dict: "object", int: "number", float: "number"}


def check_message(world: World, message: Doc, room: Doc, sender: Doc) -> None:
    _types(message, _MESSAGE)
    avatar = message.get("avatar")
    if avatar is not None and not str(avatar).startswith("/"):
        _link(avatar)
    if message.get("alias") or avatar:
        guest = not avatar and sender.get("token") and sender["token"] == room.get("v", {}).get("token")
        if not guest and not world.allows(sender["_id"], "message-impersonate", room["_id"]):
            raise PlainError("Not enough permission")
    for attachment in message.get("attachments") or []:
        _attachment(attachment)
    if message.get("customFields") and not world.settings["Message_CustomFields_Enabled"]:
        raise PlainError("Custom fields not enabled")


def _attachment(attachment: Doc) -> None:
    _types(attachment, _ATTACHMENT)
    for name in _LINKS:
        if attachment.get(name) is not None:
            _link(attachment[name])
    for field in attachment.get("fields") or []:
        _types(field, _FIELD)
        if not field.get("value") or not field.get("title"):
            raise PlainError("Invalid attachment field, title and value is required")
    for action in attachment.get("actions") or []:
        _types(action, _ACTION)
        for name in ("url", "image_url"):
            if action.get(name) is not None:
                _link(action[name])


def _types(value: Any, wanted: dict[str, type | tuple[type, ...]]) -> None:
    if not isinstance(value, dict):
        raise PlainError("Match error: Expected object")
    for name, kind in wanted.items():
        found = value.get(name)
        if found is None:
            continue
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise PlainError(f"Match error: Expected {_NAMES[kinds[0]]}, got {type(found).__name__} in field {name}")


def _link(value: Any) -> None:
    if not isinstance(value, str):
        raise PlainError("Match error: Expected string")
    if not (_FULL_URL.match(value) or value.startswith("/file-upload")) or value.lower().startswith("javascript:"):
        raise PlainError("Invalid href value provided")
