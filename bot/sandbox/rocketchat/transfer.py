"""Forwarding a chat to another agent or department.

Sources: Rocket.Chat apps/meteor/app/livechat/server/lib/{transfer,Helper}.ts, api/v1/room.ts (livechat/room.forward).
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.rocketchat.livechat import Livechat
from bot.sandbox.rocketchat.state import User
from bot.sandbox.rocketchat.wire import Doc, PlainError


class Transfer:
    def __init__(self, livechat: Livechat) -> None:
        self.livechat, self.world, self.messages = livechat, livechat.world, livechat.messages

    def forward(self, room: Doc, by: Doc, *, to: User | None, department: str | None, comment: str = "") -> None:
        """`by` is the `u` of who transfers, with its userType. Raises what livechat/room.forward answers."""
        if room.get("onHold"):
            raise PlainError("error-room-onHold")
        if department:
            self._to_department(room, by, to, department, comment)
        elif to is not None:
            self._to_agent(room, by, to, comment)
        else:
            raise PlainError("error-forwarding-chat")

    def _to_agent(self, room: Doc, by: Doc, to: User, comment: str) -> None:
        if not self.livechat.online(to):
            raise PlainError("error-user-is-offline")
        if room.get("servedBy", {}).get("_id") == to.id:
            raise PlainError("error-selected-agent-room-agent-are-same")
        self.livechat.take(self.world.inquiries[room["_id"]], to)
        self._history(room, by, "agent", comment, transferredTo=to.short())
        self.livechat.leave(room, but=to.id)

    def _to_department(self, room: Doc, by: Doc, to: User | None, department: str, comment: str) -> None:
        wanted = self.world.departments.get(department)
        if wanted is None:
            raise PlainError("error-invalid-department")
        if room.get("departmentId") == department:
            raise PlainError("error-forwarding-chat-same-department")
        if to is not None and not self.livechat.online(to):
            raise PlainError("error-user-is-offline")
        if to is not None and to.id not in wanted.agents:
            raise PlainError("error-user-not-belong-to-department")
        agents = [to] if to is not None else self.livechat.agents_online(department)
        if not agents and self.world.settings["Livechat_Routing_Method"] == "Auto_Selection":
            raise PlainError("error-no-agents-available-for-service-on-department")
        details: Doc = {"nextDepartment": {"_id": wanted.id, "name": wanted.name}}
        if old := self.world.departments.get(room.get("departmentId", "")):
            details["previousDepartment"] = {"_id": old.id, "name": old.name}
        self._history(room, by, "department", comment, **details)
        self.world.touch_room(room["_id"], departmentId=department)
        self.world.inquiries[room["_id"]]["department"] = department
        if self.world.settings["Livechat_Routing_Method"] == "Auto_Selection":
            self.livechat.take(self.world.inquiries[room["_id"]], agents[0])
            self.livechat.leave(room, but=agents[0].id)
        else:
            self.to_queue(room)

    def to_queue(self, room: Doc) -> None:
        """unassignAgent: nobody serves the chat any more."""
        self.world.touch_room(room["_id"], servedBy=None, queuedAt=self.world.now())
        self.livechat.leave(room)
        self.world.inquiries[room["_id"]]["status"] = "queued"

    def _history(self, room: Doc, by: Doc, scope: str, comment: str, **details: Any) -> None:
        data: Doc = {"transferredBy": by, "scope": scope, "ts": self.world.now(), **details}
        if comment:
            data["comment"] = comment
        self.messages.system("livechat_transfer_history", room, by, transferData=data)
