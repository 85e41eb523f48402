"""livechat/*: what agents and managers do.

Sources: Rocket.Chat apps/meteor/app/livechat/server/api/v1/{room,agent}.ts, app/livechat/imports/server/rest/{rooms,
departments,users,inquiries}.ts, packages/models/src/models/LivechatRooms.ts (findRoomsWithCriteria).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.rest import FORBIDDEN, Context, Route
from bot.sandbox.rocketchat.schema import PAGE, Schema
from bot.sandbox.rocketchat.state import Department, User
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError, from_iso


def rooms(c: Context) -> Doc:
    """livechat/rooms. `open=true` also asks for an agent and not on hold: queued rooms need `queued`, held ones
    `onhold`. Newest by creation first unless sorted."""
    query = c.query
    agents = query.get("agents") or []
    if not c.world.allows(c.user.id, "view-livechat-rooms") and not (
        c.world.allows(c.user.id, "view-l-room") and agents == [c.user.id]
    ):
        raise FORBIDDEN
    created, closed = _span(query, "createdAt"), _span(query, "closedAt")
    found = [
        room
        for room in c.world.rooms.values()
        if room["t"] == "l"
        and _state_fits(room, query)
        and (not agents or room.get("servedBy", {}).get("_id") in agents)
        and (not query.get("departmentId") or room.get("departmentId") == query["departmentId"])
        and (not query.get("roomName") or _name_fits(room["fname"], query["roomName"]))
        and (not query.get("tags") or set(query["tags"]) & set(room.get("tags", ())))
        and _within(room.get("ts"), created)
        and _within(room.get("closedAt"), closed)
    ]
    for name, direction in reversed(list((c.sort() or {"ts": -1}).items())):
        found.sort(key=lambda room: _sortable(room.get(name)), reverse=direction == -1)
    part, page = c.page(found)
    return {"rooms": [_with_department(c, room) for room in part], **page}


def _state_fits(room: Doc, query: Doc) -> bool:
    opened, held = bool(room.get("open")), bool(room.get("onHold"))
    served = "servedBy" in room
    if query.get("open") == "true" and not (opened and served and not held):
        return False
    if query.get("open") == "false" and opened:
        return False
    if query.get("queued") == "true" and not (opened and not served and not held):
        return False
    return not (query.get("onhold") == "true" and not (opened and held))


def _name_fits(name: str, wanted: str) -> bool:
    if len(wanted) > 1 and wanted[0] == wanted[-1] == '"':
        return name == wanted[1:-1]
    return re.search(re.escape(wanted), name, re.IGNORECASE) is not None


def _span(query: Doc, name: str) -> tuple[datetime | None, datetime | None] | None:
    if not query.get(name):
        return None
    try:
        span = json.loads(query[name])
    except ValueError:
        raise PlainError(f'The "{name}" query parameter must be a valid date.') from None
    if not isinstance(span, dict):
        raise PlainError(f'The "{name}" query parameter must be a valid date.')
    ends = [from_iso(span[end]) if span.get(end) else None for end in ("start", "end")]
    return ends[0], ends[1]


def _within(at: datetime | None, span: tuple[datetime | None, datetime | None] | None) -> bool:
    if span is None:
        return True
    return at is not None and (span[0] is None or at >= span[0]) and (span[1] is None or at <= span[1])


def _sortable(value: Any) -> tuple[int, Any]:
    """Missing sorts before everything, as in the database."""
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, datetime | int | float) else (2, str(value))


def _with_department(c: Context, room: Doc) -> Doc:
    department = c.world.departments.get(room.get("departmentId", ""))
    return {**room, "department": {"_id": department.id, "name": department.name}} if department else room


def departments(c: Context) -> Doc:
    query = c.query
    found = [
        department
        for department in c.world.departments.values()
        if (query.get("enabled") != "true" or department.enabled)
        and department.id != query.get("excludeDepartmentId")
        and (query.get("onlyMyDepartments") != "true" or c.user.id in department.agents)
        and (query.get("text") or "").lower() in department.name.lower()
    ]
    found.sort(key=lambda department: department.name)
    part, page = c.page([department.doc() for department in found])
    return {"departments": part, **page}


def _department(c: Context) -> Department:
    found = c.world.departments.get(c.path["id"])
    if found is None:
        raise MeteorError("error-not-found", "Department not found")
    return found


def department(c: Context) -> Doc:
    found = c.world.departments.get(c.path["id"])
    if found is None:
        return {"department": None, "agents": []}
    return {"department": found.doc(), "agents": _agents_of(c, found)}


def department_agents(c: Context) -> Doc:
    part, page = c.page(_agents_of(c, _department(c)))
    return {"agents": part, **page}


def _agents_of(c: Context, found: Department) -> list[Doc]:
    users = [c.world.users[id] for id in found.agents if id in c.world.users]
    return [
        {"_id": f"{found.id}{user.id}", "agentId": user.id, "departmentId": found.id, "username": user.username,
         "departmentEnabled": found.enabled, "count": 0, "order": 0}
        for user in users
    ]  # fmt: skip


def agents(c: Context) -> Doc:
    wanted = (c.query.get("text") or "").lower()
    found = [
        user
        for user in c.world.users.values()
        if "livechat-agent" in user.roles
        and wanted in f"{user.username} {user.name}".lower()
        and user.id != c.query.get("excludeId")
        and (c.query.get("onlyAvailable") != "true" or c.core.livechat.online(user))
    ]
    part, page = c.page([_agent(user) for user in sorted(found, key=lambda user: user.username)])
    return {"users": part, **page}


def _agent(user: User) -> Doc:
    shown: Doc = {"_id": user.id, "username": user.username, "name": user.name, "status": user.status}
    shown["statusLivechat"] = "available" if user.available else "not-available"
    if user.email:
        shown["emails"] = [{"address": user.email, "verified": True}]
    return shown


def agent_status(c: Context) -> Doc:
    """livechat/agent.status: one's own; others' with manage-livechat-agents. Without `status` it toggles."""
    user = c.world.users.get(c.body.get("agentId") or c.user.id)
    if user is None or "livechat-agent" not in user.roles:
        raise PlainError("error-not-found")
    if user is not c.user and not c.world.allows(c.user.id, "manage-livechat-agents"):
        raise FORBIDDEN
    wanted = c.body.get("status") or ("not-available" if user.available else "available")
    if wanted not in ("available", "not-available"):
        raise MeteorError("invalid-params", "must be equal to one of the allowed values")
    user.available = wanted == "available"
    c.world.emit("agent-status", {"_id": user.id, "status": wanted})
    return {"status": wanted}


def close(c: Context) -> Doc:
    """livechat/room.closeByUser."""
    room = c.world.rooms.get(c.body["rid"])
    if room is None or room["t"] != "l":
        raise PlainError("error-invalid-room")
    if not room.get("open"):
        raise PlainError("error-room-already-closed")
    subscribed = (room["_id"], c.user.id) in c.world.subscriptions
    if not subscribed and not c.world.allows(c.user.id, "close-others-livechat-room"):
        raise PlainError("error-not-authorized")
    comment = c.body.get("comment") or ""
    if c.world.settings["Livechat_request_comment_when_closing_conversation"] and not comment.strip():
        raise PlainError("error-comment-is-required")
    if c.body.get("tags"):
        room["tags"] = c.body["tags"]
    c.core.livechat.close(room, comment, user=c.user)
    return {}


def forward(c: Context) -> Doc:
    room = c.world.rooms.get(c.body["roomId"])
    if room is None or room["t"] != "l":
        raise PlainError("error-invalid-room")
    if not room.get("open"):
        raise PlainError("This_conversation_is_already_closed")
    by = {**c.user.short(), "userType": "agent" if room.get("servedBy", {}).get("_id") == c.user.id else "user"}
    to = c.world.users.get(c.body.get("userId", ""))
    if c.body.get("userId") and to is None:
        raise PlainError("error-user-is-offline")
    department_id, comment = c.body.get("departmentId"), c.body.get("comment") or ""
    c.core.transfer.forward(room, by, to=to, department=department_id, comment=comment)
    return {}


def join(c: Context) -> Doc:
    room = c.world.rooms.get(c.query["roomId"])
    if room is None or room["t"] != "l":
        raise PlainError("error-invalid-room")
    if not room.get("open"):
        raise PlainError("room-closed")
    if not can_access(c.world, room, c.user.id):
        raise PlainError("error-not-allowed")
    c.core.livechat.join(room, c.user)
    return {}


def inquiries(c: Context) -> Doc:
    found = [inquiry for inquiry in c.world.inquiries.values() if inquiry["status"] in ("ready", "queued")]
    part, page = c.page(found)
    return {"inquiries": part, **page}


def inquiry_of_room(c: Context) -> Doc:
    return {"inquiry": c.world.inquiries.get(c.query["roomId"])}


def take(c: Context) -> Doc:
    inquiry = next((each for each in c.world.inquiries.values() if each["_id"] == c.body["inquiryId"]), None)
    if inquiry is None:
        raise MeteorError("error-not-found", "Inquiry not found", {"method": "livechat:takeInquiry"})
    if inquiry["status"] == "taken":
        raise MeteorError("error-not-allowed", "Inquiry already taken", {"method": "livechat:takeInquiry"})
    if not c.core.livechat.online(c.user):
        raise MeteorError(
            "error-agent-status-service-offline", "Agent status is offline or Omnichannel service is not active"
        )
    c.core.livechat.take(inquiry, c.user)
    return {"inquiry": inquiry}


_SEES = ("view-livechat-departments", "view-l-room")

ROUTES = [
    Route(
        "GET", "livechat/rooms", rooms,
        query=Schema({
            **PAGE, "agents?": "list", "roomName?": "str", "departmentId?": "str", "open?": "str", "queued?": "str",
            "onhold?": "str", "createdAt?": "str", "closedAt?": "str", "tags?": "list", "units?": "list",
            "customFields?": "str",
        }),
    ),
    Route(
        "GET", "livechat/department", departments, any_permission=_SEES,
        query=Schema({
            **PAGE, "text?": "str", "enabled?": "str", "onlyMyDepartments?": "str", "excludeDepartmentId?": "str",
            "showArchived?": "str",
        }),
    ),
    Route(
        "GET", "livechat/department/:id", department, any_permission=_SEES,
        query=Schema({"onlyMyDepartments?": "str", "includeAgents?": "str"}),
    ),
    Route("GET", "livechat/department/:id/agents", department_agents, any_permission=_SEES, query=Schema(PAGE)),
    Route(
        "GET", "livechat/users/agent", agents,
        any_permission=("transfer-livechat-guest", "edit-omnichannel-contact"),
        query=Schema({
            **PAGE, "text?": "str", "onlyAvailable?": "str", "excludeId?": "str", "showIdleAgents?": "str",
        }),
    ),
    Route(
        "POST", "livechat/agent.status", agent_status, permissions=("view-l-room",),
        body=Schema({"status?": "str", "agentId?": "str"}),
    ),
    Route(
        "POST", "livechat/room.closeByUser", close, permissions=("close-livechat-room",),
        body=Schema({
            "rid": "str", "comment?": "str", "tags?": "list", "generateTranscriptPdf?": "bool", "forceClose?": "bool",
            "transcriptEmail?": "dict",
        }),
    ),
    Route(
        "POST", "livechat/room.forward", forward, permissions=("view-l-room", "transfer-livechat-guest"),
        body=Schema({
            "roomId": "str", "userId?": "str", "departmentId?": "str", "comment?": "str", "clientAction?": "bool",
        }),
    ),
    Route("GET", "livechat/room.join", join, permissions=("view-l-room",), query=Schema({"roomId": "str"})),
    Route("GET", "livechat/inquiries.list", inquiries, permissions=("view-livechat-manager",), query=Schema({
        **PAGE, "department?": "str",
    })),
    Route("GET", "livechat/inquiries.getOne", inquiry_of_room, permissions=("view-l-room",),
          query=Schema({"roomId": "str"})),
    Route("POST", "livechat/inquiries.take", take, permissions=("view-l-room",),
          body=Schema({"inquiryId": "str", "userId?": "str", "options?": "dict"})),
]  # fmt: skip
