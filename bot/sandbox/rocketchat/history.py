"""Catching up: chat.syncMessages and `messages/get`.

Source: Rocket.Chat apps/meteor/server/publications/messages.ts. A cursor is a moment in milliseconds and compares
strictly: messages of one millisecond that fall on a page border are lost, as in the original.
"""

from __future__ import annotations

from datetime import datetime

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import Doc, MeteorError, moment, to_ms

CONFLICTS = {
    "error-type-param-not-supported": 'The "type" parameter must be either "UPDATED" or "DELETED"',
    "error-type-param-required": 'The "type" parameter is required when using the "next" or "previous" parameters',
    "error-cursor-conflict": 'You cannot provide both "next" and "previous" parameters',
    "error-cursor-and-lastUpdate-conflict": (
        'The attributes "next", "previous" and "lastUpdate" cannot be used together'
    ),
}


def message_history(world: World, rid: str, user_id: str, options: Doc) -> Doc:
    """`updated` and `deleted`: all since `lastUpdate` (newest first by ts), or a page by cursor (oldest first)."""
    room = world.rooms.get(rid)
    if room is None or not can_access(world, room, user_id):
        raise MeteorError("error-not-allowed", "Not allowed", {"method": "messages/get"})
    kind, following, before = options.get("type"), options.get("next"), options.get("previous")
    since: datetime | None = options.get("lastUpdate")
    for id, wrong in (
        ("error-type-param-not-supported", kind and kind not in ("UPDATED", "DELETED")),
        ("error-type-param-required", (following or before) and not kind),
        ("error-cursor-conflict", following and before),
        ("error-cursor-and-lastUpdate-conflict", (following or before) and since),
    ):
        if wrong:
            raise MeteorError(id, CONFLICTS[id])
    if since:
        deleted = [gone for gone in world.trash.values() if gone["rid"] == rid and gone["_deletedAt"] > since]
        deleted.sort(key=lambda gone: gone["ts"], reverse=True)
        updated = [each for each in _visible(world, rid) if each["_updatedAt"] > since]
        return {"updated": updated[::-1], "deleted": [_tombstone(gone) for gone in deleted]}
    if not (following or before):
        return {}
    count = options.get("count") or 20
    return _page(world, rid, gone=kind == "DELETED", count=count, following=following, before=before)


def _page(world: World, rid: str, *, gone: bool, count: int, following: str | None, before: str | None) -> Doc:
    field = "_deletedAt" if gone else "_updatedAt"
    mark = _moment(following or before or "")
    found = [_tombstone(each) for each in world.trash.values() if each["rid"] == rid] if gone else _visible(world, rid)
    found = [each for each in found if (each[field] > mark if following else each[field] < mark)]
    found.sort(key=lambda each: each[field], reverse=not following)
    page, more = found[:count], len(found) > count
    cursor: Doc = {"next": None, "previous": None}
    if page:
        first, last = str(to_ms(page[0][field])), str(to_ms(page[-1][field]))
        cursor["previous" if following else "next"] = first
        cursor["next" if following else "previous"] = last if more else None
    return {"updated": [] if gone else page, "deleted": page if gone else [], "cursor": cursor}


def _visible(world: World, rid: str) -> list[Doc]:
    return [message for message in world.of_room(rid) if not message.get("_hidden")]


def _tombstone(gone: Doc) -> Doc:
    return {"_id": gone["_id"], "_deletedAt": gone["_deletedAt"]}


def _moment(cursor: str) -> datetime:
    try:
        return moment(int(cursor) / 1000)
    except (ValueError, OverflowError, OSError):
        raise MeteorError("error-cursor-not-found", "Invalid Date") from None
