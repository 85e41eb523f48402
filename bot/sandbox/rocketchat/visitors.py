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
        return self.world.visitors.first("token", token)

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
            found = world.visitors.first("phone", given["phone"])
        if found is None and given.get("email"):
            found = world.visitors.first("email", changes["visitorEmails"][0]["address"])
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
        found.update(changes, _updatedAt=world.now())
        world.visitors[found["_id"]] = found
        world.emit("visitor", found)
        if given.get("name"):
            self._rename_rooms(found)
        return found

    def _department(self, id_or_name: str) -> Department:
        for department in self.world.departments.values():
            if id_or_name in (department.id, department.name):
                return department
        raise PlainError("error-invalid-department")

    def _rename_rooms(self, visitor: Doc) -> None:
        """A new name shows on the visitor's open rooms, their inquiries and subscriptions."""
        for room in self.world.rooms.having("open of guest", visitor["_id"]):
            if room["fname"] == visitor["name"]:
                continue
            self.world.touch_room(room["_id"], fname=visitor["name"])
            if inquiry := self.world.inquiries.get(room["_id"]):
                inquiry["name"] = visitor["name"]
            for subscription in self.world.subscriptions.having("room", room["_id"]):
                subscription.update(name=visitor["name"], fname=visitor["name"])
