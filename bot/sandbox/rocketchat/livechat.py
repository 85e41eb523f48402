"""Omnichannel rooms: when there is one, who serves it, and how a chat ends.

Sources: Rocket.Chat apps/meteor/app/livechat/server/lib/{rooms,QueueManager,RoutingManager,Helper,departmentsLib,
closeRoom}.ts; packages/models/src/helpers/omnichannel/agentStatus.ts.
"""

from __future__ import annotations

from datetime import datetime

from bot.sandbox.rocketchat.messages import Messages
from bot.sandbox.rocketchat.state import User, World
from bot.sandbox.rocketchat.wire import Doc, MeteorError, PlainError, new_id

NO_AGENT = MeteorError("no-agent-online", "Sorry, no online agents")
WAITING_ESTIMATE = 9999999
"""DEFAULT_SLA_CONFIG.ESTIMATED_WAITING_TIME_QUEUE."""


class Livechat:
    def __init__(self, world: World, messages: Messages) -> None:
        self.world, self.messages = world, messages
        self.unique_rooms = True
        """8.x keeps a unique index on open rooms per visitor token; 7.0 does not, and races make two rooms."""
        self.blocked_visitors: set[str] = set()
        """Visitor ids whose contact channel an agent has blocked."""
        self.close_before_send: set[str] = set()
        """Rooms that somebody closes between the route's check and the send (each once)."""

    # --- agents -------------------------------------------------------------------------------------------------

    def online(self, user: User) -> bool:
        """Available, whatever their presence while Livechat_enabled_when_agent_idle. Bot agents always are."""
        if not user.active or "livechat-agent" not in user.roles:
            return False
        if "bot" in user.roles:
            return True
        idle = self.world.settings["Livechat_enabled_when_agent_idle"]
        return user.available and (idle or user.status not in ("offline", "away"))

    def agents_online(self, department: str | None = None) -> list[User]:
        """Agents who can take a chat now."""
        world = self.world
        if department is None:
            return [user for user in world.users.values() if self.online(user)]
        known = world.departments.get(department)
        if known is None:
            return []
        return [world.users[id] for id in known.agents if id in world.users and self.online(world.users[id])]

    def staffed(self, department: str | None) -> str | None:
        """The department if somebody is online there, else the first of its fallbacks that has somebody."""
        tried: set[str] = set()
        while department and department in self.world.departments and department not in tried:
            if self.agents_online(department):
                return department
            tried.add(department)
            department = self.world.departments[department].fallback
        return None

    def _next_agent(self, department: str | None) -> User | None:
        """Auto_Selection: fewest open chats; bots only by Livechat_assign_new_conversation_to_bot."""
        if self.world.settings["Livechat_Routing_Method"] != "Auto_Selection":
            return None
        bots = self.world.settings["Livechat_assign_new_conversation_to_bot"]
        agents = [user for user in self.agents_online(department) if bots or "bot" not in user.roles]
        chats = self.world.rooms.count
        return min(agents, key=lambda user: (chats("open served by", user.id), user.username), default=None)

    # --- rooms --------------------------------------------------------------------------------------------------

    def open_room(self, token: str) -> Doc | None:
        return self.world.rooms.first("open of token", token)

    def room(self, token: str, rid: str) -> Doc | None:
        """findRoom: of that visitor, open or closed."""
        room = self.world.rooms.get(rid)
        return room if room is not None and room["t"] == "l" and room["v"]["token"] == token else None

    async def get_room(self, visitor: Doc, rid: str, agent: User | None = None) -> tuple[Doc, bool]:
        """getRoom: the room if it is open, else a new one in its place. The flag says whether it is new."""
        self._enabled()
        room = self.world.rooms.get(rid)
        if room is not None:
            self._not_blocked(room["v"]["_id"])
        if room is None or not room.get("open"):
            return await self.create_room(visitor, agent), True
        if room["v"]["token"] != visitor["token"]:
            raise MeteorError("cannot-access-room")
        return room, False

    async def create_room(self, visitor: Doc, agent: User | None = None) -> Doc:
        """createRoom and QueueManager.requestRoom: refuses without agents, then routes the new chat."""
        world = self.world
        self._enabled()
        self._not_blocked(visitor["_id"])
        department: str | None = visitor.get("department")
        if agent is None and not department:
            department = self._required_department()
        staffed = self.staffed(department)
        if not world.settings["Livechat_accept_chats_with_no_agents"]:
            free = bool(staffed) if department else bool(self.agents_online())
            if not (self.online(agent) if agent is not None else free):
                raise NO_AGENT
        department = staffed or department
        await world.gap()
        if self.unique_rooms and self.open_room(visitor["token"]) is not None:
            raise PlainError(
                "E11000 duplicate key error collection: rocketchat.rocketchat_room index: v.token_1 dup key: "
                f'{{ v.token: "{visitor["token"]}" }}'
            )
        room = self._new_room(visitor, department)
        world.put_room(room)
        self.messages.system("livechat-started", room, visitor, token=visitor["token"])
        inquiry = self._new_inquiry(room, visitor)
        served = agent if agent is not None and self.online(agent) else self._next_agent(department)
        if served is not None:
            self.take(inquiry, served)
        return room

    def _required_department(self) -> str | None:
        """getRequiredDepartment: the first that visitors may see and where somebody is online."""
        for department in self.world.departments.values():
            if department.enabled and department.show_on_registration and self.agents_online(department.id):
                return department.id
        return None

    def _new_room(self, visitor: Doc, department: str | None) -> Doc:
        now = self.world.now()
        contact = visitor.setdefault("contactId", new_id())
        shown = {key: visitor[key] for key in ("_id", "username", "token", "status", "phone") if visitor.get(key)}
        room: Doc = {
            "_id": new_id(),
            "t": "l",
            "fname": visitor.get("name") or visitor["username"],
            "msgs": 0,
            "usersCount": 1,
            "lm": now,
            "ts": now,
            "open": True,
            "cl": False,
            "waitingResponse": True,
            "verified": False,
            "v": shown,
            "contactId": contact,
            "source": {"type": "api"},
            "queuedAt": now,
            "priorityWeight": 99,
            "estimatedWaitingTimeQueue": WAITING_ESTIMATE,
            "_enforceSingleRoom": True,
        }
        if department:
            room["departmentId"] = department
        return room

    def _new_inquiry(self, room: Doc, visitor: Doc) -> Doc:
        manual = self.world.settings["Livechat_Routing_Method"] == "Manual_Selection"
        inquiry = {
            "_id": new_id(),
            "rid": room["_id"],
            "name": room["fname"],
            "ts": room["ts"],
            "message": "",
            "status": "queued" if manual else "ready",
            "v": room["v"],
            "t": "l",
            "source": room["source"],
            "priorityWeight": 99,
            "estimatedWaitingTimeQueue": WAITING_ESTIMATE,
            "_updatedAt": self.world.now(),
        }
        if room.get("departmentId"):
            inquiry["department"] = room["departmentId"]
        self.world.inquiries[room["_id"]] = inquiry
        self.world.emit("inquiry", inquiry)
        return inquiry

    def _enabled(self) -> None:
        if not self.world.settings["Livechat_enabled"]:
            raise MeteorError("error-omnichannel-is-disabled")

    def _not_blocked(self, visitor_id: str) -> None:
        if visitor_id in self.blocked_visitors:
            raise PlainError("error-contact-channel-blocked")

    # --- serving ------------------------------------------------------------------------------------------------

    def take(self, inquiry: Doc, user: User) -> None:
        """takeInquiry and assignAgent: subscription, servedBy, `command` and `uj`."""
        room = self.world.rooms[inquiry["rid"]]
        if not room.get("open") or room.get("servedBy", {}).get("_id") == user.id:
            return
        inquiry.update(status="taken", takenAt=self.world.now(), _updatedAt=self.world.now())
        self.world.subscribe(room, user, alert=True, unread=1, v=room["v"])
        self.world.touch_room(
            room["_id"],
            servedBy={"_id": user.id, "username": user.username, "ts": self.world.now()},
            queuedAt=None,
            usersCount=room["usersCount"] + 1,
        )
        self.messages.system("command", room, user.short(), "connected")
        self.messages.system("uj", room, user.short())
        self.world.emit("agent-data", {"rid": room["_id"], "data": user.short()})
        self.world.emit("inquiry", inquiry)

    def join(self, room: Doc, user: User) -> None:
        """livechat/room.join: a subscription of one's own, without serving the chat."""
        if (room["_id"], user.id) in self.world.subscriptions:
            return
        self.world.subscribe(room, user, v=room["v"])
        self.world.touch_room(room["_id"], usersCount=room["usersCount"] + 1)
        self.messages.system("uj", room, user.short(), user.username)

    def leave(self, room: Doc, *, but: str = "") -> None:
        """removeAllRoomSubscriptions: everybody but one, each with `ul`."""
        for user in self.world.members(room["_id"]):
            if user.id != but and self.world.unsubscribe(room["_id"], user.id):
                self.world.touch_room(room["_id"], usersCount=room["usersCount"] - 1)
                self.messages.system("ul", room, user.short(), user.username)

    # --- closing ------------------------------------------------------------------------------------------------

    def close(self, room: Doc, comment: str, *, user: User | None = None, visitor: Doc | None = None) -> None:
        """closeRoom: `livechat-close` with the comment, subscriptions and inquiry removed, `open` unset."""
        world, rid = self.world, room["_id"]
        now: datetime = world.now()
        source = user.short() if user is not None else visitor or room["v"]
        by = {key: source[key] for key in ("_id", "username")}
        extra = {} if user is not None else {"token": room["v"]["token"]}
        world.inquiries.pop(rid, None)
        served = {"serviceTimeDuration": (now - room["servedBy"]["ts"]).total_seconds()} if "servedBy" in room else {}
        world.touch_room(
            rid,
            open=None,
            closedAt=now,
            closedBy=by,
            closer="user" if user is not None else "visitor",
            chatDuration=(now - room["ts"]).total_seconds(),
            **served,
        )
        for member in world.members(rid):
            world.unsubscribe(rid, member.id)
        self.messages.system("livechat-close", room, by, comment, transcriptRequested=False, **extra)
        world.emit("room-closed", room)
