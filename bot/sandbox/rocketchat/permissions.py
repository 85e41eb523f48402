"""Who may do what by role.

Source: Rocket.Chat apps/meteor/app/authorization/server/constant/permissions.ts (defaults); only the permissions
that a route of this simulator asks for. Roles of scope Subscriptions (owner, moderator, leader) count inside the room
where they are held.
"""

from __future__ import annotations

from collections.abc import Iterable

_EVERY_AGENT = ("livechat-manager", "livechat-monitor", "livechat-agent", "admin")
_SUPERVISORS = ("livechat-manager", "livechat-monitor", "admin")
_MANAGERS = ("livechat-manager", "admin")
_ROOM_STAFF = ("admin", "owner", "moderator")
_CREATORS = ("admin", "user", "federated-external", "bot", "app")

DEFAULTS: dict[str, tuple[str, ...]] = {
    "access-permissions": ("admin",),
    "add-livechat-department-agents": _SUPERVISORS,
    "add-user-to-any-c-room": ("admin",),
    "add-user-to-any-p-room": (),
    "add-user-to-joined-room": _ROOM_STAFF,
    "api-bypass-rate-limit": ("admin", "bot", "app"),
    "archive-room": ("admin", "owner"),
    "bypass-time-limit-edit-and-delete": ("bot", "app"),
    "close-livechat-room": _EVERY_AGENT,
    "close-others-livechat-room": _SUPERVISORS,
    "create-c": _CREATORS,
    "create-d": _CREATORS,
    "create-p": _CREATORS,
    "create-personal-access-tokens": ("admin", "user"),
    "create-user": ("admin",),
    "delete-message": _ROOM_STAFF,
    "delete-own-message": ("admin", "user", "federated-external"),
    "delete-p": ("admin", "owner"),
    "edit-message": _ROOM_STAFF,
    "edit-omnichannel-contact": ("livechat-manager", "livechat-agent", "admin"),
    "edit-privileged-setting": ("admin",),
    "edit-room": _ROOM_STAFF,
    "force-delete-message": ("admin", "owner"),
    "join-without-join-code": ("admin", "bot", "app"),
    "leave-c": (*_CREATORS, "anonymous"),
    "leave-p": (*_CREATORS, "anonymous"),
    "manage-livechat-agents": _SUPERVISORS,
    "manage-livechat-departments": _SUPERVISORS,
    "manage-livechat-managers": _MANAGERS,
    "manage-selected-settings": ("admin",),
    "mention-all": (*_ROOM_STAFF, "user", "federated-external"),
    "mention-here": (*_ROOM_STAFF, "user", "federated-external"),
    "message-impersonate": ("bot", "app"),
    "pin-message": ("owner", "moderator", "admin"),
    "post-readonly": _ROOM_STAFF,
    "preview-c-room": ("admin", "user", "federated-external", "anonymous"),
    "remove-user": _ROOM_STAFF,
    "save-others-livechat-room-info": _SUPERVISORS,
    "send-many-messages": ("admin", "bot", "app"),
    "set-moderator": ("admin", "owner"),
    "set-owner": ("admin", "owner"),
    "transfer-livechat-guest": _SUPERVISORS,
    "view-c-room": (*_CREATORS, "anonymous"),
    "view-d-room": (*_CREATORS, "guest"),
    "view-full-other-user-info": ("admin",),
    "view-joined-room": ("guest", "bot", "app", "anonymous"),
    "view-l-room": _EVERY_AGENT,
    "view-livechat-departments": _SUPERVISORS,
    "view-livechat-manager": _SUPERVISORS,
    "view-livechat-room-closed-by-another-agent": _SUPERVISORS,
    "view-livechat-room-closed-same-department": _SUPERVISORS,
    "view-livechat-rooms": _SUPERVISORS,
    "view-livechat-webhooks": _MANAGERS,
    "view-other-user-channels": ("admin",),
    "view-outside-room": (*_ROOM_STAFF, "user", "federated-external"),
    "view-p-room": ("admin", "user", "federated-external", "anonymous", "guest"),
    "view-privileged-setting": ("admin",),
    "view-statistics": ("admin",),
}

ROLES: dict[str, tuple[str, str]] = {
    "admin": ("Users", "Admin"),
    "moderator": ("Subscriptions", "Moderator"),
    "leader": ("Subscriptions", "Leader"),
    "owner": ("Subscriptions", "Owner"),
    "user": ("Users", ""),
    "bot": ("Users", ""),
    "app": ("Users", ""),
    "guest": ("Users", ""),
    "anonymous": ("Users", ""),
    "livechat-agent": ("Users", "Livechat Agent"),
    "livechat-manager": ("Users", "Livechat Manager"),
    "livechat-monitor": ("Users", "Livechat Monitor"),
}
"""Role: scope and description. A role of scope Users with a description is public (roles.getUsersInPublicRoles)."""


def public_roles(roles: Iterable[str]) -> list[str]:
    return [role for role in roles if ROLES.get(role, ("", ""))[0] == "Users" and ROLES[role][1]]
