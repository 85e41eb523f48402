"""login, me, users, roles, permissions, settings, server info.

Sources: Rocket.Chat apps/meteor/app/api/server/v1/{misc,users,roles,permissions,settings}.ts, app/lib/server/functions/
getFullUserData.ts; meteor packages/accounts-base.
"""

from __future__ import annotations

from bot.sandbox.rocketchat.permissions import ROLES, public_roles
from bot.sandbox.rocketchat.rest import Context, Route
from bot.sandbox.rocketchat.schema import PAGE, Schema
from bot.sandbox.rocketchat.settings import PUBLIC
from bot.sandbox.rocketchat.state import User
from bot.sandbox.rocketchat.wire import Answer, Doc, MeteorError, from_iso, iso, moment

VERSION = "8.3.0"


def login(c: Context) -> Doc:
    """POST login {user|username|email, password} or {resume}. Failure: 401 with a body of its own."""
    body = c.body
    try:
        if body.get("resume"):
            token = c.core.logins.by_resume(body["resume"])
            user = c.world.users[token.user_id]
        else:
            who = body.get("user")
            given = who if isinstance(who, dict) else {}
            if isinstance(who, str):
                given = {"email" if "@" in who else "username": who}
            given = {**given, **{name: body[name] for name in ("username", "email") if body.get(name)}}
            if not given or not body.get("password"):
                raise MeteorError(400, "Match failed")
            user = c.core.logins.by_password(given, body["password"])
            token = c.core.logins.issue(user)
    except MeteorError as error:
        shown = {"status": "error", "error": error.id, "message": error.reason or error.message}
        raise Answer(401, shown) from None
    # the answer has its own `status`; the machine's `success` is not part of it
    raise Answer(200, {"status": "success", "data": {"userId": user.id, "authToken": token.value, "me": profile(user)}})


def logout(c: Context) -> Doc:
    c.core.logins.revoke(c.token.value)
    raise Answer(200, {"status": "success", "data": {"message": "You've been logged out!"}})


def profile(user: User) -> Doc:
    """What a user sees of themselves."""
    shown: Doc = {
        "_id": user.id,
        "username": user.username,
        "name": user.name,
        "active": user.active,
        "status": user.status,
        "statusConnection": user.status,
        "utcOffset": 0,
        "roles": list(user.roles),
        "settings": {"preferences": {}},
        "avatarUrl": f"/avatar/{user.username}",
        "type": "user",
    }
    if user.email:
        shown["emails"] = [{"address": user.email, "verified": True}]
    if "livechat-agent" in user.roles:
        shown["statusLivechat"] = "available" if user.available else "not-available"
    return shown


def me(c: Context) -> Doc:
    return profile(c.user)


def user_info(c: Context) -> Doc:
    """users.info: roles and e-mails of others only with view-full-other-user-info."""
    by_id, by_name = c.query.get("userId"), c.query.get("username")
    user = c.world.users.get(by_id or "") or c.world.user_named(by_name or "")
    if user is None:
        raise MeteorError(
            "error-invalid-user", 'The required "userId" or "username" param provided does not match any users'
        )
    shown = profile(user)
    if user is not c.user and not c.world.allows(c.user.id, "view-full-other-user-info"):
        shown = {key: shown[key] for key in ("_id", "username", "name", "active", "status", "utcOffset", "type")}
    return {"user": shown}


def in_public_roles(c: Context) -> Doc:
    """roles.getUsersInPublicRoles: who holds a role of scope Users that has a description."""
    found = [(user, public_roles(user.roles)) for user in c.world.users.values()]
    return {"users": [{"_id": user.id, "username": user.username, "roles": roles} for user, roles in found if roles]}


def in_role(c: Context) -> Doc:
    users = [profile(user) for user in c.world.users.values() if c.query["role"] in user.roles]
    part, page = c.page(users)
    return {"users": part, **page}


def roles(c: Context) -> Doc:
    return {
        "roles": [
            {"_id": name, "name": name, "scope": scope, "description": text, "protected": True, "mandatory2fa": False}
            for name, (scope, text) in ROLES.items()
        ]
    }


def permissions(c: Context) -> Doc:
    """permissions.listAll: for any logged-in user."""
    since = c.query.get("updatedSince")
    if since and from_iso(since) is None:
        reason = 'The "updatedSince" query parameter must be a valid date.'
        raise MeteorError("error-roomId-param-invalid", reason)
    stamp = iso(moment(0))
    table = c.world.permissions.items()
    listed = [] if since else [{"_id": id, "roles": sorted(held), "_updatedAt": stamp} for id, held in table]
    return {"update": listed, "remove": []}


def personal_token(c: Context) -> Doc:
    name = c.body["tokenName"]
    if any(token.name == name and token.user_id == c.user.id for token in c.world.tokens.values()):
        reason = "A token with this name already exists"
        raise MeteorError("error-token-already-exists", reason, {"method": "personalAccessTokens:generateToken"})
    token = c.core.logins.personal(c.user, name, bypass_two_factor=bool(c.body.get("bypassTwoFactor")))
    return {"token": token.value}


def _setting(c: Context, id: str) -> Doc:
    return {"_id": id, "value": c.world.settings[id], "enterprise": False}


def public_settings(c: Context) -> Doc:
    """settings.public: anyone; unknown and private ids are left out."""
    wanted = (c.query.get("_id") or "").split(",") if c.query.get("_id") else list(PUBLIC)
    found = [_setting(c, id) for id in sorted(PUBLIC) if id in wanted]
    part, page = c.page(found)
    return {"settings": part, **page}


def read_setting(c: Context) -> Doc:
    id = c.path["id"]
    if not c.world.allows(c.user.id, "view-privileged-setting"):
        raise Answer(403, {"success": False, "error": "unauthorized"})
    if id not in c.world.settings:
        raise Answer(400, {"success": False})
    return {"_id": id, "value": c.world.settings[id]}


def write_setting(c: Context) -> Doc:
    id = c.path["id"]
    if id not in c.world.settings:
        raise Answer(400, {"success": False})
    if "value" not in c.body:
        raise MeteorError("invalid-params", "must have required property 'value'")
    old, new = c.world.settings[id], c.body["value"]
    if isinstance(old, bool) != isinstance(new, bool):
        raise MeteorError(400, f"Match error: Expected {'boolean' if isinstance(old, bool) else 'string'}")
    c.world.settings[id] = new
    return {}


def info(c: Context) -> Doc:
    """GET /api/info: the full version only with view-statistics."""
    full = c.caller is not None and c.world.allows(c.caller.id, "view-statistics")
    return {"version": VERSION if full else VERSION.rpartition(".")[0], "minimumClientVersions": {}}


ROUTES = [
    Route("POST", "login", login, login=False),
    Route("POST", "logout", logout),
    Route("GET", "me", me),
    Route("GET", "info", info, login=False),
    Route(
        "GET", "users.info", user_info,
        query=Schema({"userId?": "text", "username?": "text", "includeUserRooms?": "str", "fields?": "str"},
                     one_of=[("userId", "username")]),
    ),
    Route(
        "POST", "users.generatePersonalAccessToken", personal_token, permissions=("create-personal-access-tokens",),
        second_factor=True, body=Schema({"tokenName": "text", "bypassTwoFactor?": "bool"}),
    ),
    Route("GET", "roles.getUsersInPublicRoles", in_public_roles),
    Route(
        "GET", "roles.getUsersInRole", in_role, permissions=("access-permissions",),
        query=Schema({**PAGE, "role": "text", "roomId?": "str"}),
    ),
    Route("GET", "roles.list", roles),
    Route("GET", "permissions.listAll", permissions, query=Schema({"updatedSince?": "str"})),
    Route("GET", "settings.public", public_settings, login=False, query=Schema({**PAGE, "_id?": "str"})),
    Route("GET", "settings/:id", read_setting),
    Route("POST", "settings/:id", write_setting, any_permission=("edit-privileged-setting",), second_factor=True),
]  # fmt: skip
