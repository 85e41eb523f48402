"""The bot's login, shared by everything that talks to Rocket.Chat: a fixed token, or one obtained with the password.

The password goes to REST `POST /api/v1/login` only: ddp-streamer refuses password logins on the socket, while a token
from REST is good for both. A fixed token (personal access token) never expires and cannot be renewed.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from bot.errors import LoggedOut, NotAllowed, Trouble
from bot.model import UserId
from bot.ports import Clock
from bot.rocketchat.http import ask

_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Login:
    user: UserId
    token: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"X-User-Id": self.user, "X-Auth-Token": self.token}


class Memory(Protocol):
    """Keeps the token of a password login over restarts: Rocket.Chat allows ten logins a minute, and remembers each."""

    async def recall(self) -> Login | None: ...

    async def keep(self, login: Login) -> None: ...


class Credentials:
    """Gives the present login and renews it; many may ask at once, one of them logs in.

    A refused password is not sent again for five minutes: Rocket.Chat blocks an account after ten failures.
    """

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        user_id: str = "",
        token: str = "",
        username: str = "",
        password: str = "",
        memory: Memory | None = None,
    ) -> None:
        self._url, self._session, self._clock = url.rstrip("/"), session, clock
        self._username, self._password = username, password
        self._login = Login(UserId(user_id), token) if user_id and token else None
        self._memory = memory
        self._refused = ("", -math.inf)
        self._lock = asyncio.Lock()

    @property
    def renewable(self) -> bool:
        return bool(self._username and self._password)

    async def current(self) -> Login:
        """Raises LoggedOut when Rocket.Chat does not take the password, Busy when it cannot be asked."""
        return self._login or await self.renew(None)

    async def renew(self, stale: Login | None) -> Login:
        """A login other than `stale`. Raises LoggedOut when there is no other to be had, else as `current`."""
        async with self._lock:
            if self._login is not None and self._login != stale:
                return self._login
            if stale is None and self._memory is not None:
                self._login = await self._memory.recall()
                if self._login is not None:
                    return self._login
            if not self.renewable:
                raise LoggedOut("user_id and auth_token of [rocketchat] are refused")
            said, at = self._refused
            if 0 <= self._clock.now() - at < _PAUSE:
                raise LoggedOut(said)
            try:
                self._login = await self._log_in()
            except (NotAllowed, LoggedOut) as error:
                said = f"username and password of [rocketchat] are refused: {error.said}"
                self._refused = (said, self._clock.now())
                raise LoggedOut(said) from None
            if self._memory is not None:
                await self._memory.keep(self._login)
            return self._login

    def second_factor(self) -> Mapping[str, str]:
        """Headers that confirm a guarded change by password (Rocket.Chat 8.3 `app/2fa/server`); empty without one."""
        if not self._password:
            return {}
        digest = hashlib.sha256(self._password.encode()).hexdigest()
        return {"x-2fa-code": digest, "x-2fa-method": "password"}

    async def _log_in(self) -> Login:
        body = {"user": self._username, "password": self._password}
        answer = await ask(self._session, "POST", f"{self._url}/api/v1/login", body=body)
        data = answer.get("data")
        user, token = (data.get("userId"), data.get("authToken")) if isinstance(data, dict) else (None, None)
        if not (isinstance(user, str) and user and isinstance(token, str) and token):
            raise Trouble("the answer to the login holds no token")
        return Login(UserId(user), token)
