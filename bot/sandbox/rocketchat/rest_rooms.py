"""groups.*, im.*, rooms.*.

Source: Rocket.Chat apps/meteor/app/api/server/v1/{groups,im,rooms}.ts; schemas of @rocket.chat/rest-typings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.rest import Context, Route
from bot.sandbox.rocketchat.rooms import NOT_FOUND
from bot.sandbox.rocketchat.schema import PAGE, Kind, Schema
from bot.sandbox.rocketchat.state import User
from bot.sandbox.rocketchat.wire import Answer, Doc, MeteorError, failure, from_iso

_BY_ID: dict[str, Kind] = {"roomId?": "text", "roomName?": "text"}


def _forbidden() -> Answer:
    return Answer(403, {"success": False, "error": "unauthorized"})


def create(c: Context) -> Doc:
    """groups.create: unknown members are skipped without a word; the creator becomes owner."""
    if not c.world.allows(c.user.id, "create-p"):
        raise _forbidden()
    extra = dict(c.body.get("extraData") or {})
    fields = {name: extra[name] for name in ("topic", "broadcast", "encrypted", "teamId") if extra.get(name)}
    if c.body.get("customFields"):
        fields["customFields"] = c.body["customFields"]
    members = [str(name) for name in c.body.get("members") or []]
    room = c.core.rooms.create("p", c.user, c.body["name"], members, ro=bool(c.body.get("readOnly")), **fields)
    return {"group": room}


def info(c: Context) -> Doc:
    return {"group": c.core.rooms.group(c.user, c.query, archived=True)}


def invite(c: Context) -> Doc:
    """groups.invite looks for the room without asking whether the caller is in it; adding asks."""
    wanted = c.body.get("roomId") or c.body.get("roomName")
    if not wanted:
        raise MeteorError("error-room-param-not-provided", 'The parameter "roomId" or "roomName" is required')
    room = c.world.rooms.get(wanted) or c.world.room_named(wanted)
    if room is None or room["t"] != "p":
        raise NOT_FOUND
    users = _users(c)
    if not users:
        raise MeteorError("error-empty-invite-list", "Cannot invite if no valid users are provided")
    c.core.rooms.invite(c.user, room, [user.username for user in users])
    return {"group": room}


def _users(c: Context) -> list[User]:
    ids = [c.body.get("userId"), *(c.body.get("userIds") or [])]
    names = [c.body.get("username"), c.body.get("user"), *(c.body.get("usernames") or [])]
    found = [c.world.users.get(str(id)) for id in ids if id]
    found += [c.world.user_named(str(name)) for name in names if name]
    return [user for user in found if user is not None]


def _user(c: Context) -> User:
    users = _users(c)
    if not users:
        reason = 'The required "userId" or "username" param provided does not match any users'
        raise MeteorError("error-invalid-user", reason)
    return users[0]


def kick(c: Context) -> Doc:
    c.core.rooms.kick(c.user, c.core.rooms.group(c.user, c.body), _user(c))
    return {}


def grant(role: str) -> Callable[[Context], Doc]:
    def action(c: Context) -> Doc:
        c.core.rooms.grant(c.user, c.core.rooms.group(c.user, c.body), _user(c), role)
        return {}

    return action


def members(c: Context) -> Doc:
    room = c.core.rooms.group(c.user, c.query)
    wanted = (c.query.get("filter") or "").lower()
    users = [user for user in c.world.members(room["_id"]) if wanted in f"{user.username} {user.name}".lower()]
    users.sort(key=lambda user: user.username)
    part, page = c.page([_person(user) for user in users])
    return {"members": part, **page}


def _person(user: User) -> Doc:
    return {"_id": user.id, "username": user.username, "name": user.name, "status": user.status}


def roles(c: Context) -> Doc:
    room = c.core.rooms.group(c.user, c.query)
    held = [
        {"_id": sub["_id"], "rid": sub["rid"], "u": sub["u"], "roles": sub["roles"]}
        for sub in c.world.subscriptions.having("room", room["_id"])
        if sub.get("roles")
    ]
    return {"roles": held}


def listing(c: Context) -> Doc:
    mine = [room for room in c.world.joined(c.user.id) if room["t"] == "p"]
    part, page = c.page(sorted(mine, key=lambda room: str(room["name"])))
    return {"groups": part, **page}


def joined(c: Context) -> Doc:
    """rooms.get: every room that the caller is a member of, or those that changed after `updatedSince`
    (developer.rocket.chat: Get Rooms)."""
    given = c.query.get("updatedSince")
    since = from_iso(given) if given else None
    if given and since is None:
        raise MeteorError("error-updatedSince-param-invalid", 'The "updatedSince" query parameter must be a valid date')
    mine = c.world.joined(c.user.id)
    return {"update": [room for room in mine if since is None or room["_updatedAt"] > since], "remove": []}


def setter(field: str, param: str) -> Callable[[Context], Doc]:
    def action(c: Context) -> Doc:
        room = c.core.rooms.group(c.user, c.body)
        c.core.rooms.edit(c.user, room, field, c.body[param])
        return {"group": room} if field == "readOnly" else {param: c.body[param]}

    return action


def rename(c: Context) -> Doc:
    room = c.core.rooms.group(c.user, c.body)
    c.core.rooms.rename(c.user, room, c.body["name"])
    return {"group": room}


def history(c: Context) -> Doc:
    """groups.history: newest first by `ts`; edits do not move a message."""
    room = c.core.rooms.group(c.user, c.query, archived=True)
    latest = from_iso(c.query["latest"]) if c.query.get("latest") else c.world.now()
    oldest = from_iso(c.query["oldest"]) if c.query.get("oldest") else None
    inclusive = c.query.get("inclusive") in ("true", True)
    found = []
    for message in reversed(c.world.of_room(room["_id"])):
        at = message["ts"]
        before = latest is None or at < latest or (inclusive and at == latest)
        after = oldest is None or at > oldest or (inclusive and at == oldest)
        if before and after and not message.get("_hidden"):
            found.append(message)
    offset, count = int(c.query.get("offset") or 0), int(c.query.get("count") or 20)
    return {"messages": found[offset : offset + count]}


def direct(c: Context) -> Doc:
    """im.create: idempotent; the caller is one of the two unless excludeSelf."""
    if not c.world.allows(c.user.id, "create-d"):
        raise MeteorError("error-not-allowed", "Not allowed", {"method": "createDirectMessage"})
    names = [c.body["username"]] if c.body.get("username") else str(c.body.get("usernames") or "").split(",")
    users = [c.world.user_named(name.strip()) for name in names]
    people = [user for user in users if user is not None]
    if len(people) != len(users):
        raise MeteorError("error-invalid-user", "Invalid user", {"method": "createDirectMessage"})
    if not c.body.get("excludeSelf"):
        people = [c.user, *(user for user in people if user is not c.user)]
    room = c.core.rooms.direct(people)
    return {"room": {**room, "rid": room["_id"]}}


def room_info(c: Context) -> Doc:
    """rooms.info: what one cannot access is not allowed; what is not there is not found."""
    if not c.query.get("roomId") and not c.query.get("roomName"):
        reason = 'The parameter "roomId" or "roomName" is required'
        raise MeteorError("error-roomid-param-not-provided", reason)
    room = c.world.rooms.get(c.query.get("roomId", "")) or c.world.room_named(c.query.get("roomName", ""))
    if room is None:
        reason = 'The required "roomId" or "roomName" param provided does not match any channel'
        raise MeteorError("error-room-not-found", reason)
    if not can_access(c.world, room, c.user.id):
        raise failure("not-allowed", "Not Allowed")
    return {"room": room}


def name_exists(c: Context) -> Doc:
    return {"exists": c.world.room_named(c.query["roomName"]) is not None}


_USER: dict[str, Kind] = {"userId?": "text", "username?": "text", "user?": "text"}
_USERS: dict[str, Kind] = {**_USER, "userIds?": "list", "usernames?": "list"}


def _set(name: str, field: str, param: str, kind: Any = "str") -> Route:
    schema = Schema({**_BY_ID, param: kind}, one_of=[("roomId", "roomName")])
    return Route("POST", name, setter(field, param), body=schema)


ROUTES = [
    Route(
        "POST",
        "groups.create",
        create,
        body=Schema(
            {"name": "str", "members?": "list", "readOnly?": "bool", "excludeSelf?": "bool", "customFields?": "dict",
             "extraData?": "dict"}
        ),
    ),
    Route("GET", "groups.info", info, query=Schema(_BY_ID, one_of=[("roomId", "roomName")])),
    Route("POST", "groups.invite", invite, body=Schema({**_BY_ID, **_USERS}, one_of=[("roomId", "roomName")])),
    Route("POST", "groups.kick", kick, body=Schema({**_BY_ID, **_USERS}, one_of=[("roomId", "roomName")])),
    Route("POST", "groups.addOwner", grant("owner"), body=Schema({**_BY_ID, **_USER})),
    Route("POST", "groups.addModerator", grant("moderator"), body=Schema({**_BY_ID, **_USER})),
    Route(
        "GET",
        "groups.members",
        members,
        query=Schema({**_BY_ID, **PAGE, "filter?": "str", "status?": "list"}, one_of=[("roomId", "roomName")]),
    ),
    Route("GET", "groups.roles", roles, query=Schema(_BY_ID, one_of=[("roomId", "roomName")])),
    Route("GET", "groups.list", listing, query=Schema(PAGE)),
    Route(
        "GET",
        "groups.history",
        history,
        query=Schema({**_BY_ID, **PAGE, "latest?": "str", "oldest?": "str", "inclusive?": "str", "unreads?": "str",
                      "showThreadMessages?": "str"}),
    ),
    _set("groups.setTopic", "topic", "topic"),
    _set("groups.setDescription", "description", "description"),
    _set("groups.setPurpose", "description", "purpose"),
    _set("groups.setAnnouncement", "announcement", "announcement"),
    _set("groups.setReadOnly", "readOnly", "readOnly", "bool"),
    Route("POST", "groups.rename", rename, body=Schema({**_BY_ID, "name": "text"})),
    *(
        Route(
            "POST", name, direct,
            body=Schema({"username?": "str", "usernames?": "str", "excludeSelf?": "bool"},
                        one_of=[("username", "usernames")]),
        )
        for name in ("im.create", "dm.create")
    ),
    Route("GET", "rooms.get", joined, query=Schema({"updatedSince?": "str"})),
    Route("GET", "rooms.info", room_info, query=Schema(_BY_ID)),
    Route("GET", "rooms.nameExists", name_exists, query=Schema({"roomName": "text"})),
]  # fmt: skip
