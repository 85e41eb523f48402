"""chat.*: send, post, read, edit, delete, react, catch up.

Source: Rocket.Chat apps/meteor/app/api/server/v1/chat.ts; schemas of @rocket.chat/rest-typings.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.rocketchat.access import can_access, room_to_write
from bot.sandbox.rocketchat.history import message_history
from bot.sandbox.rocketchat.messages import NORMALIZE_CRASH
from bot.sandbox.rocketchat.rest import Context, Route
from bot.sandbox.rocketchat.schema import Schema
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError, failure, from_iso, to_ms


async def send(c: Context) -> Doc:
    """chat.sendMessage. A known `_id` inserts nothing and crashes afterwards: 400 without errorType."""
    message: Doc = c.body["message"]
    if message.get("t"):
        raise PlainError("Cannot send system messages using 'chat.sendMessage'")
    sent = await c.core.messages.execute_send(c.user, dict(message))
    if sent is None:
        raise PlainError(NORMALIZE_CRASH)
    return {"message": sent}


_MESSAGE = Schema(
    {
        "_id?": "str", "rid": "str", "msg?": ("str", "null"), "tmid?": "str", "tshow?": "bool", "alias?": "str",
        "emoji?": "str", "avatar?": "str", "attachments?": "list", "blocks?": "list", "customFields?": "dict",
    },
    open=True,
)  # fmt: skip


class SendSchema(Schema):
    """isChatSendMessageProps: strict outside, open in the message."""

    def __init__(self) -> None:
        super().__init__({"message": "dict", "previewUrls?": "list"})

    def check(self, params: Any, *, query: bool = False) -> Doc:
        clean = super().check(params, query=query)
        clean["message"] = _MESSAGE.check(clean["message"])
        return clean


async def post(c: Context) -> Doc:
    """chat.postMessage: no `_id`, no `blocks`; an attachments key switches link previews off."""
    body, limit = c.body, c.world.settings["Message_MaxAllowedSize"]
    attachments = body.get("attachments") or []
    if not all(isinstance(each, dict) for each in attachments):
        raise MeteorError("invalid-params", "must be object")
    texts = [body.get("text") or "", *(each.get("text") or "" for each in attachments)]
    if any(isinstance(text, str) and len(text) > limit for text in texts):
        raise failure("error-message-size-exceeded")
    room = _target(c, body["roomId"] if "roomId" in body else body["channel"])
    room_to_write(c.world, room["_id"], c.user.id)
    message: Doc = {"msg": body.get("text") or "", "groupable": False}
    for name in ("alias", "emoji", "avatar", "attachments", "customFields", "tmid"):
        if body.get(name) is not None:
            message[name] = body[name]
    for attachment in message.get("attachments") or []:
        if "msg" in attachment:
            attachment["text"] = attachment.pop("msg")
    sent = await c.core.messages.send(c.user.short(), message, room)
    if sent is None:
        raise failure("unknown-error")
    shown = body.get("channel") or room.get("name") or room["_id"]
    return {"ts": to_ms(c.world.now()), "channel": shown, "message": sent}


def _target(c: Context, wanted: str | list[str]) -> Doc:
    """`#name`, `@user`, a bare name or an id. A public channel is joined on the way; a private one is not."""
    name = next(iter(wanted), "") if isinstance(wanted, list) else wanted
    if not isinstance(name, str):
        raise MeteorError("invalid-params", "must be string")
    if name.startswith("@"):
        other = c.world.user_named(name[1:])
        if other is None:
            raise MeteorError("invalid-channel", "The channel name provided is invalid")
        return c.core.rooms.direct([c.user, other])
    room = c.world.rooms.get(name) or c.world.room_named(name.removeprefix("#"))
    if room is None:
        raise MeteorError("invalid-channel", "The channel name provided is invalid")
    if (
        room["t"] == "c"
        and (room["_id"], c.user.id) not in c.world.subscriptions
        and can_access(c.world, room, c.user.id)
    ):
        c.world.subscribe(room, c.user)
    return room


def get_message(c: Context) -> Doc:
    """chat.getMessage: nothing there and nothing allowed look alike."""
    message = c.world.messages.get(c.query["msgId"])
    room = c.world.rooms.get(message["rid"]) if message else None
    if message is None or room is None:
        raise failure("")
    if not can_access(c.world, room, c.user.id):
        raise MeteorError("error-not-allowed", "Not allowed", {"method": "getSingleMessage"})
    return {"message": message}


def sync(c: Context) -> Doc:
    """chat.syncMessages in both forms: `lastUpdate`, or `type` with a cursor."""
    query = c.query
    since = query.get("lastUpdate")
    if not query.get("roomId"):
        raise MeteorError("error-param-required", 'The required "roomId" query param is missing')
    if not since and not query.get("type"):
        raise MeteorError("error-param-required", 'The "type" or "lastUpdate" parameters must be provided')
    moment = from_iso(since) if since else None
    if since and moment is None:
        wanted = 'The "lastUpdate" query parameter must be a valid date'
        raise MeteorError("error-lastUpdate-param-invalid", wanted)
    found = message_history(c.world, query["roomId"], c.user.id, {**query, "lastUpdate": moment})
    result: Doc = {"updated": found.get("updated", []), "deleted": found.get("deleted", [])}
    if "cursor" in found:
        result["cursor"] = found["cursor"]
    return {"result": result}


def update(c: Context) -> Doc:
    original = _message_in_room(c)
    c.core.messages.execute_update(c.user, original, c.body["text"], c.body.get("customFields"))
    return {"message": original}


def delete(c: Context) -> Doc:
    message = _message_in_room(c)
    user_id = c.user.id
    if c.body.get("asUser") and message["u"]["_id"] != user_id:
        if not c.world.allows(user_id, "force-delete-message", message["rid"]):
            raise failure(
                'Unauthorized. You must have the permission "force-delete-message" to delete other\'s message as them.'
            )
        user_id = message["u"]["_id"]
        if user_id not in c.world.users:
            raise failure("User not found")
    shown = {key: message[key] for key in ("_id", "rid", "u")}
    c.core.messages.execute_delete(user_id, message)
    return {"_id": shown["_id"], "ts": str(to_ms(c.world.now())), "message": shown}


def _message_in_room(c: Context) -> Doc:
    message = c.world.messages.get(c.body["msgId"])
    if message is None:
        raise failure(f'No message found with the id of "{c.body["msgId"]}".')
    if message["rid"] != c.body["roomId"]:
        raise failure("The room id provided does not match where the message is from.")
    return message


def react(c: Context) -> Doc:
    message = c.world.messages.get(c.body["messageId"])
    if message is None:
        reason = 'The provided "messageId" does not match any existing message.'
        raise MeteorError("error-message-not-found", reason)
    name = c.body.get("emoji") or c.body.get("reaction")
    if not name:
        raise MeteorError("error-emoji-param-not-provided", 'The required "emoji" param is missing.')
    c.core.messages.react(c.user, message, name, c.body.get("shouldReact"))
    return {}


ROUTES = [
    Route("POST", "chat.sendMessage", send, body=SendSchema()),
    Route(
        "POST",
        "chat.postMessage",
        post,
        body=Schema(
            {
                "roomId?": ("str", "list"), "channel?": ("str", "list"), "text?": "str", "alias?": "str",
                "emoji?": "str", "avatar?": "str", "attachments?": "list", "customFields?": "dict",
                "parseUrls?": "bool", "tmid?": "str",
            },
            one_of=[("roomId", "channel")],
        ),
    ),
    Route("GET", "chat.getMessage", get_message, query=Schema({"msgId": "text"})),
    Route(
        "GET",
        "chat.syncMessages",
        sync,
        query=Schema(
            {
                "roomId": "str", "lastUpdate?": "str", "count?": "num", "next?": "str", "previous?": "str",
                "type?": "str",
            }
        ),
    ),
    Route(
        "POST",
        "chat.update",
        update,
        body=Schema(
            {"roomId": "str", "msgId": "str", "text": "str", "previewUrls?": "list", "customFields?": "dict"}
        ),
    ),
    Route("POST", "chat.delete", delete, body=Schema({"msgId": "str", "roomId": "str", "asUser?": "bool"})),
    Route(
        "POST",
        "chat.react",
        react,
        body=Schema(
            {"messageId": "text", "emoji?": "text", "reaction?": "text", "shouldReact?": "bool"},
            one_of=[("emoji", "reaction")],
        ),
    ),
]  # fmt: skip
