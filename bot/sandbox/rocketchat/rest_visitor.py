"""livechat/*: what a visitor does. No login is asked for; a login only lifts the rate limit.

Sources: Rocket.Chat apps/meteor/app/livechat/server/api/v1/{config,visitor,room,message}.ts, api/lib/livechat.ts,
app/livechat/imports/server/rest/upload.ts.
"""

from __future__ import annotations

from bot.sandbox.rocketchat.multipart import read_form
from bot.sandbox.rocketchat.rest import Context, Route
from bot.sandbox.rocketchat.schema import PAGE, Schema
from bot.sandbox.rocketchat.wire import Answer, Doc, MeteorError, PlainError, from_iso, iso, new_id

CLOSED_BY_VISITOR = "Closed by visitor"


def config(c: Context) -> Doc:
    """livechat/config: only `enabled` when Omnichannel is off; guest, room and agent only with a token."""
    world, livechat = c.world, c.core.livechat
    if not world.settings["Livechat_enabled"]:
        return {"config": {"enabled": False}}
    department = c.query.get("department")
    online = (
        bool(livechat.staffed(department) if department else livechat.agents_online())
        or world.settings["Livechat_accept_chats_with_no_agents"]
    )
    shown: Doc = {
        "enabled": True,
        "settings": {
            "registrationForm": True,
            "fileUpload": world.settings["Livechat_fileupload_enabled"] and world.settings["FileUpload_Enabled"],
            "language": "en",
            "limitTextLength": bool(world.settings["Livechat_enable_message_character_limit"])
            and world.settings["Livechat_message_character_limit"],
            "visitorsCanCloseChat": world.settings["Omnichannel_allow_visitors_to_close_conversation"],
        },
        "theme": {},
        "messages": {},
        "triggers": [],
        "departments": [
            {
                "_id": each.id,
                "name": each.name,
                "showOnRegistration": each.show_on_registration,
                "showOnOfflineForm": False,
                "departmentsAllowedToForward": [],
            }
            for each in world.departments.values()
            if each.enabled and each.agents
        ],
        "resources": {"sound": "", "emojis": []},
        "online": online,
    }
    visitor = c.core.visitors.find(c.query.get("token", ""))
    if visitor is not None:
        shown["guest"] = visitor
        if (room := livechat.open_room(visitor["token"])) is not None:
            shown["room"] = room
            served = world.users.get(room.get("servedBy", {}).get("_id", ""))
            if served is not None:
                shown["agent"] = {"_id": served.id, "username": served.username, "name": served.name}
    return {"config": shown}


async def register(c: Context) -> Doc:
    """livechat/visitor: keys that it does not know are tolerated. The token of the answer is the one that counts."""
    given = c.body.get("visitor")
    if not isinstance(given, dict):
        raise PlainError("Match error: Missing key 'visitor'")
    if not isinstance(given.get("token"), str):
        raise PlainError("Match error: Expected string, got undefined in field visitor.token")
    for name in ("name", "email", "department", "phone", "username", "id"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise PlainError(f"Match error: Expected string in field visitor.{name}")
    if not given["token"].strip():
        raise MeteorError("error-invalid-token", "Token cannot be empty", {"method": "livechat/visitor"})
    return {"visitor": await c.core.visitors.register(given)}


def visitor(c: Context) -> Doc:
    found = c.core.visitors.find(c.path["token"])
    if found is None:
        raise MeteorError("invalid-token")
    return {"visitor": found}


async def room(c: Context) -> Doc:
    """livechat/room: the open room, else a new one. With `rid` that room or nothing: it never reopens."""
    query, livechat = c.query, c.core.livechat
    for name in query:
        if name not in ("token", "rid", "agentId"):
            raise PlainError(f"Match error: Unknown key in field {name}")
    if not isinstance(query.get("token"), str):
        raise PlainError("Match error: Missing key 'token'")
    guest = c.core.visitors.find(query["token"])
    if guest is None:
        raise PlainError("invalid-token")
    if query.get("rid"):
        asked = livechat.room(query["token"], query["rid"])
        if asked is None or not asked.get("open"):
            raise PlainError("invalid-room")
        return {"room": asked, "newRoom": False}
    found = livechat.open_room(query["token"])
    if found is not None:
        return {"room": found, "newRoom": False}
    agent = c.world.users.get(query.get("agentId", ""))
    opened, new = await livechat.get_room(guest, new_id(), agent)
    return {"room": opened, "newRoom": new}


def _room_of(c: Context, token: str, rid: str) -> tuple[Doc, Doc]:
    """Visitor and room, in the order the routes check them."""
    guest = c.core.visitors.find(token)
    if guest is None:
        raise PlainError("invalid-token")
    found = c.core.livechat.room(token, rid)
    if found is None:
        raise PlainError("invalid-room")
    return guest, found


async def send(c: Context) -> Doc:
    """livechat/message: idempotent by `_id`, whichever room holds that id. A room closed in between is made anew."""
    body, world, livechat = c.body, c.world, c.core.livechat
    guest, found = _room_of(c, body["token"], body["rid"])
    if not found.get("open"):
        raise PlainError("room-closed")
    limit = world.settings["Livechat_message_character_limit"]
    if world.settings["Livechat_enable_message_character_limit"] and len(body["msg"]) > limit:
        raise PlainError("message-length-exceeds-character-limit")
    id = body.get("_id") or new_id()
    if body["rid"] in livechat.close_before_send:
        livechat.close_before_send.discard(body["rid"])
        livechat.close(found, "", user=world.users.get(found.get("servedBy", {}).get("_id", "")))
    place, _ = await livechat.get_room(guest, body["rid"])
    message: Doc = {"_id": id, "msg": body["msg"], "token": guest["token"]}
    if guest.get("name"):
        message["alias"] = guest["name"]
    await c.core.messages.send(guest, message, place)
    return {"message": world.messages[id]}


def read(c: Context) -> Doc:
    """livechat/message/:_id, for open and closed rooms."""
    _room_of(c, c.query["token"], c.query["rid"])
    return {"message": _message(c)}


def _message(c: Context) -> Doc:
    found = c.world.messages.get(c.path["id"])
    if found is None:
        raise PlainError("invalid-message")
    return found


def edit(c: Context) -> Doc:
    guest, _ = _room_of(c, c.body["token"], c.body["rid"])
    original = _message(c)
    if original["u"]["_id"] != guest["_id"] or not c.world.settings["Message_AllowEditing"]:
        reason = "Message editing not allowed"
        raise MeteorError("error-action-not-allowed", reason, {"method": "livechatUpdateMessage"})
    c.core.messages.update(guest, original, c.body["msg"])
    return {"message": original}


def delete(c: Context) -> Doc:
    guest, _ = _room_of(c, c.body["token"], c.body["rid"])
    original = _message(c)
    if original["u"]["_id"] != guest["_id"] or not c.world.settings["Message_AllowDeleting"]:
        reason = "Message deleting not allowed"
        raise MeteorError("error-action-not-allowed", reason, {"method": "livechatDeleteMessage"})
    c.core.messages.delete(original, guest)
    return {"message": {"_id": original["_id"], "ts": iso(c.world.now())}}


def history(c: Context) -> Doc:
    """livechat/messages.history: newest first, `limit` of them; `count` is taken and ignored."""
    if not c.query.get("token"):
        raise PlainError("error-token-param-not-provided")
    _room_of(c, c.query["token"], c.path["rid"])
    end = from_iso(c.query["end"]) if c.query.get("end") else None
    hidden = c.world.settings["Hide_System_Messages"]
    found = [
        message
        for message in reversed(c.world.of_room(c.path["rid"]))
        if not message.get("_hidden") and message.get("t") not in hidden and (end is None or message["ts"] < end)
    ]
    offset, limit = int(c.query.get("offset") or 0), int(c.query.get("limit") or 20)
    return {"messages": found[offset : offset + limit]}


async def upload(c: Context) -> Doc:
    """livechat/upload/:rid: one part named `file`; everything about visitor and room is 403 without a word."""
    token, rid = c.request.headers.get("x-visitor-token", ""), c.path["rid"]
    guest, found = c.core.visitors.find(token), c.core.livechat.room(token, rid)
    if guest is None or found is None or not found.get("open"):
        raise Answer(403, {"success": False, "error": "unauthorized"})
    fields, file = await read_form(c)
    if file is None:
        raise Answer(400, {"reason": "error-no-file-uploaded", "success": False})
    for name in fields:
        if name not in ("description", "msg", "avatar", "emoji", "alias"):
            raise PlainError(f"Match error: Unknown key in field {name}")
    c.core.files.check(file[1], len(file[2]), livechat=True)
    await c.core.files.work()
    stored = c.core.files.store(rid, *file)
    message = await c.core.files.post_visitor(found, guest, stored, fields)
    return {**message, "newRoom": False, "showConnecting": False}


def close(c: Context) -> Doc:
    guest, found = _room_of(c, c.body["token"], c.body["rid"])
    if not c.world.settings["Omnichannel_allow_visitors_to_close_conversation"]:
        raise PlainError("error-not-allowed-to-close-conversation")
    if not found.get("open"):
        raise PlainError("room-closed")
    c.core.livechat.close(found, CLOSED_BY_VISITOR, visitor=guest)
    return {"rid": c.body["rid"], "comment": CLOSED_BY_VISITOR}


def status(c: Context) -> Doc:
    guest = c.core.visitors.find(c.body["token"])
    if guest is None:
        raise PlainError("invalid-token")
    guest["status"] = c.body["status"]
    for each in c.world.rooms.having("open of guest", guest["_id"]):
        each["v"]["status"] = c.body["status"]
        c.world.touch_room(each["_id"])
    return {"token": c.body["token"], "status": c.body["status"]}


_TIGHT = (5, 60000)
_KEY = {"token": "text", "rid": "text"}

ROUTES = [
    Route(
        "GET", "livechat/config", config, login=False,
        query=Schema({"token?": "str", "department?": "str", "businessUnit?": "str"}),
    ),
    Route("POST", "livechat/visitor", register, login=False, rate=_TIGHT),
    Route("GET", "livechat/visitor/:token", visitor, login=False),
    Route("POST", "livechat/visitor.status", status, login=False, body=Schema({"token": "str", "status": "str"})),
    Route("GET", "livechat/room", room, login=False, rate=_TIGHT),
    Route(
        "POST", "livechat/message", send, login=False,
        body=Schema({"token": "str", "rid": "str", "msg": "str", "_id?": "str", "agent?": "dict"}),
    ),
    Route("GET", "livechat/message/:id", read, login=False, query=Schema(dict(_KEY))),
    Route("PUT", "livechat/message/:id", edit, login=False, body=Schema({**_KEY, "msg": "text"})),
    Route("DELETE", "livechat/message/:id", delete, login=False, body=Schema(dict(_KEY))),
    Route(
        "GET", "livechat/messages.history/:rid", history, login=False,
        query=Schema({**PAGE, "token": "str", "limit?": "num", "end?": "str", "ls?": "str", "searchText?": "str"}),
    ),
    Route("POST", "livechat/upload/:rid", upload, login=False),
    Route("POST", "livechat/room.close", close, login=False, body=Schema({"token": "str", "rid": "str"})),
]  # fmt: skip
