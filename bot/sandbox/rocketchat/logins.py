"""Tokens, passwords and the second factor.

Sources: meteor/meteor packages/accounts-base/accounts_server.js; Rocket.Chat apps/meteor/app/2fa/server/code/index.ts,
imports/personal-access-tokens/server/api/methods/generateToken.ts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from bot.sandbox.rocketchat.state import DAY, Token, User, World
from bot.sandbox.rocketchat.wire import Doc, MeteorError, new_token

WRONG = "Something went wrong. Please check your credentials."
"""Meteor 3 does not say whether the user or the password was wrong."""


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


class Logins:
    def __init__(self, world: World) -> None:
        self.world = world

    # --- tokens -------------------------------------------------------------------------------------------------

    def issue(self, user: User) -> Token:
        """A login token; runs out after Accounts_LoginExpiration days."""
        days = self.world.settings["Accounts_LoginExpiration"]
        return self._keep(Token(new_token(), user.id, self.world.clock() + days * DAY))

    def personal(self, user: User, name: str, *, bypass_two_factor: bool = False) -> Token:
        """A personal access token; never runs out."""
        return self._keep(Token(new_token(), user.id, None, name, bypass_two_factor))

    def _keep(self, token: Token) -> Token:
        self.world.tokens[token.value] = token
        return token

    def revoke(self, value: str) -> None:
        """The token is gone, and with it every socket that logged in with it."""
        token = self.world.tokens.pop(value, None)
        if token is not None:
            self.world.emit("token-removed", {"token": value, "userId": token.user_id})

    def of_headers(self, headers: Mapping[str, str]) -> tuple[User, Token] | None:
        """Who X-User-Id and X-Auth-Token stand for."""
        token = self.world.token(headers.get("X-Auth-Token", ""))
        if token is None or token.user_id != headers.get("X-User-Id"):
            return None
        user = self.world.users.get(token.user_id)
        return (user, token) if user is not None and user.active else None

    # --- logging in ---------------------------------------------------------------------------------------------

    def by_password(self, who: Mapping[str, Any], password: Any) -> User:
        """`password`: plain text, or `{digest, algorithm: "sha-256"}`. Raises 403."""
        user = self._find(who)
        if isinstance(password, dict):
            shown = password.get("digest") if password.get("algorithm") == "sha-256" else None
        else:
            shown = digest(password) if isinstance(password, str) else None
        if user is None or user.password is None or not isinstance(shown, str):
            raise MeteorError(403, WRONG)
        if digest(user.password) != shown.lower():
            raise MeteorError(403, WRONG)
        if not user.active:
            raise MeteorError("error-user-is-not-activated", "User is not activated")
        return user

    def _find(self, who: Mapping[str, Any]) -> User | None:
        for user in self.world.users.values():
            if who.get("username") == user.username or (user.email and who.get("email") == user.email):
                return user
        return None

    def by_resume(self, value: Any, *, dot: str = ".") -> Token:
        token = self.world.tokens.get(value) if isinstance(value, str) else None
        if token is None or token.user_id not in self.world.users:
            raise MeteorError(403, f"You've been logged out by the server. Please log in again{dot}")
        if self.world.token(token.value) is None:
            raise MeteorError(403, f"Your session has expired. Please log in again{dot}")
        return token

    # --- second factor ------------------------------------------------------------------------------------------

    def second_factor(self, user: User, token: Token, headers: Mapping[str, str], ip: str) -> None:
        """twoFactorRequired: with defaults a user without TOTP confirms with the password (sha256 as x-2fa-code).

        A user without a password has no method and passes. A right code is remembered for the token, agent and
        address. The real server also trusts accounts in their first half hour; here all are older.
        Raises totp-required or totp-invalid."""
        settings = self.world.settings
        if not settings["Accounts_TwoFactorAuthentication_Enabled"] or token.bypass_two_factor:
            return
        if not settings["Accounts_TwoFactorAuthentication_Enforce_Password_Fallback"] or user.password is None:
            return
        client = (headers.get("User-Agent", ""), ip)
        if token.second_factor_until.get(client, 0.0) > self.world.clock():
            return
        code, method = headers.get("x-2fa-code"), headers.get("x-2fa-method")
        named = code and method in ("totp", "email")
        details: Doc = {"method": method if named else "password", "codeGenerated": False, "availableMethods": []}
        if not code or not method:
            raise MeteorError("totp-required", "TOTP Required", details)
        if named or code != digest(user.password):
            raise MeteorError("totp-invalid", "TOTP Invalid", details)
        remember = settings["Accounts_TwoFactorAuthentication_RememberFor"]
        token.second_factor_until[client] = self.world.clock() + remember
