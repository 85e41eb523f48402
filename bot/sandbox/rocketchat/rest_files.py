"""rooms.media and rooms.mediaConfirm: a user uploads a file, then makes it a message.

Source: Rocket.Chat apps/meteor/app/api/server/v1/rooms.ts.
"""

from __future__ import annotations

from bot.sandbox.rocketchat.access import room_to_write
from bot.sandbox.rocketchat.multipart import read_form
from bot.sandbox.rocketchat.rest import Context, Route
from bot.sandbox.rocketchat.schema import Schema
from bot.sandbox.rocketchat.wire import Doc, PlainError, failure


async def media(c: Context) -> Doc:
    room = room_to_write(c.world, c.path["rid"], c.user.id)
    _, file = await read_form(c)
    if file is None:
        raise failure("No file uploaded", "error-no-file")
    c.core.files.check(file[1], len(file[2]), livechat=False)
    stored = c.core.files.store(room["_id"], *file)
    return {"file": {"_id": stored.id, "url": stored.path}}


async def confirm(c: Context) -> Doc:
    room = room_to_write(c.world, c.path["rid"], c.user.id)
    file = c.core.files.stored.get(c.path["id"])
    if file is None or file.rid != room["_id"]:
        raise PlainError("invalid-file")
    extra = {name: c.body[name] for name in ("tmid",) if c.body.get(name)}
    return {"message": await c.core.files.post_user(room, c.user, file, c.body.get("msg") or "", **extra)}


ROUTES = [
    Route("POST", "rooms.media/:rid", media),
    Route(
        "POST",
        "rooms.mediaConfirm/:rid/:id",
        confirm,
        body=Schema(
            {
                "msg?": "str",
                "description?": "str",
                "tmid?": "str",
                "fileName?": "str",
                "groupable?": "bool",
                "customFields?": "dict",
            }
        ),
    ),
]
