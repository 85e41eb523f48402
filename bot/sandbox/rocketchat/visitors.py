"""Visitors: the guests behind livechat rooms. Whoever knows a token is that visitor.

Source: Rocket.Chat packages/omni-core/src/visitor/create.ts (registerGuest).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.rocketchat.state import Department, World
from bot.sandbox.rocketchat.wire import Doc, PlainError, new_id


class Visitors:
    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, token: str) -> Doc | None:
        return next((visitor for visitor in self.world.visitors.values() if visitor["token"] == token), None)

    async def register(self, given: Mapping[str, Any]) -> Doc:
        """registerGuest. Found by token; else by the exact phone string (and then keeps its own token); else by e-mail
        (and then takes the token sent); else new. Looking and storing are not one step: concurrent calls make two."""
        world, token = self.world, given["token"]
        changes: Doc = {"status": "online"}
        if given.get("phone"):
            changes["phone"] = [{"phoneNumber": given["phone"]}]
        if given.get("name"):
            changes["name"] = given["name"]
        if given.get("email"):
            changes["visitorEmails"] = [{"address": given["email"].strip().lower()}]
        found = self.find(token)
        if given.get("department") and (found is None or found.get("department") != given["department"]):
            changes["department"] = self._department(given["department"]).id
        if found is None and given.get("phone"):
            found = self._first("phone", "phoneNumber", given["phone"])
        if found is None and given.get("email"):
            found = self._first("visitorEmails", "address", changes["visitorEmails"][0]["address"])
            if found is not None:
                changes["token"] = token
        await world.gap()
        if found is None:
            world.guests += 1
            found = {
                "_id": given.get("id") or new_id(),
                "token": token,
                "username": given.get("username") or f"guest-{world.guests}",
                "ts": world.now(),
            }
            world.visitors[found["_id"]] = found
        found.update(changes, _updatedAt=world.now())
        world.emit("visitor", found)
        if given.get("name"):
            self._rename_rooms(found)
        return found

    def _first(self, field: str, key: str, value: str) -> Doc | None:
        for visitor in self.world.visitors.values():
            if any(each.get(key) == value for each in visitor.get(field, ())):
                return visitor
        return None

    def _department(self, id_or_name: str) -> Department:
        for department in self.world.departments.values():
            if id_or_name in (department.id, department.name):
                return department
        raise PlainError("error-invalid-department")

    def _rename_rooms(self, visitor: Doc) -> None:
        """A new name shows on the visitor's open rooms, their inquiries and subscriptions."""
        for room in self.world.rooms.values():
            if room["t"] == "l" and room.get("open") and room["v"]["_id"] == visitor["_id"]:
                if room["fname"] == visitor["name"]:
                    continue
                self.world.touch_room(room["_id"], fname=visitor["name"])
                if inquiry := self.world.inquiries.get(room["_id"]):
                    inquiry["name"] = visitor["name"]
                for (rid, _), subscription in self.world.subscriptions.items():
                    if rid == room["_id"]:
                        subscription.update(name=visitor["name"], fname=visitor["name"])
