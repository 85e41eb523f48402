"""Where 360Dialog leads people back to after a sign-up, and the icon of WhatsApp conversations.

`GET /api/apps/private/{app_id}/{key}/authSuccess`: whatever the query holds or lacks, the answer thanks, names the next
step and leads back to the workspace; the setup channel hears of it once per client and channels. 360Dialog sends
`client`, `channels=[a,b]` and `revoked=[a]` with literal or encoded brackets (docs.360dialog.com: integrated
onboarding). The query is never logged.

`GET /api/apps/public/{app_id}/get-sidebar-icon`: our own drawing, free for every page to show.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.chatops.command import Words, typed
from bot.errors import BotError
from bot.ports import Entry, Journal
from bot.relay.api_token import is_token
from bot.relay.notices import SETUP, notice, with_button
from bot.translations import Translator
from bot.web.guessing import Guesses
from bot.web.pages import Pages
from bot.whatsapp.markup import inert_line

log = logging.getLogger(__name__)

ICON = Path(__file__).resolve().parents[2] / "templates" / "icons" / "sidebar.svg"
_ICON_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_CHANNELS = 10
_LONGEST = 2048
"""Characters of one parameter that are looked at."""


class SignUps:
    """`setting`: a public setting of the workspace; the address of the workspace is asked of itself."""

    def __init__(
        self,
        *,
        app_id: str,
        token: str,
        journal: Journal,
        setting: Callable[[str], Awaitable[Any]],
        t: Translator,
        guesses: Guesses,
    ) -> None:
        self._token = token
        self._setting = setting
        self._t = t
        self._guesses = guesses
        self._journal = journal
        self._pages = Pages(t)
        self._icon = ICON.read_bytes()
        self._icon_tag = hashlib.sha256(self._icon).hexdigest()[:16]
        self._private = f"/api/apps/private/{app_id}/{{key}}/authSuccess"
        self._public = f"/api/apps/public/{app_id}/get-sidebar-icon"

    def routes(self) -> list[web.RouteDef]:
        return [web.get(self._private, self._pages.in_words(self.signed_up)), web.get(self._public, self.icon)]

    async def signed_up(self, request: web.Request) -> web.Response:
        """Where 360Dialog leads back to after a sign-up. HEAD changes nothing.

        200 thanks · 404 wrong key · 429 too many wrong keys."""
        self._guesses.check(request)
        if not is_token(request.match_info["key"], self._token):
            self._guesses.wrong(request)
            return self._page("page.no_such_address", 404, [])
        if request.method == "GET":
            await self._journal.append(*self._news(request))
        return self._page("page.signed_up", 200, await self._way_back())

    async def icon(self, request: web.Request) -> web.StreamResponse:
        """The icon of WhatsApp conversations.

        200 the drawing · 304 it has not changed."""
        headers = {**_ICON_HEADERS, "ETag": f'"{self._icon_tag}"'}
        if any(tag.value == self._icon_tag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._icon, content_type="image/svg+xml", charset="utf-8", headers=headers)

    def _news(self, request: web.Request) -> list[Entry]:
        """What the setup channel has to hear. The same sign-up, opened again, has the same keys and is not news."""
        client, channels, revoked = (_ids(request, name) for name in ("client", "channels", "revoked"))
        named = hashlib.sha256(json.dumps([client[:1], channels, revoked]).encode()).hexdigest()[:32]
        news = []
        if revoked:
            news.append(notice(f"revoked:{named}", SETUP, "notice.revoked", revoked=_said(revoked)))
        if channels or not revoked:
            key = "notice.signed_up_as" if client and channels else "notice.signed_up"
            values = {"client": _said(client[:1]), "channels": _said(channels)} if client and channels else {}
            told = notice(f"signed up:{named}", SETUP, key, **values)
            news.append(with_button("account.connect", typed("connect"), told))
        return news

    async def _way_back(self) -> list[tuple[str, str]]:
        try:
            site = await self._setting("Site_Url")
        except BotError as error:
            log.info("Rocket.Chat does not tell its address, so the page has no link to it: %s", error)
            return []
        known = isinstance(site, str) and site.startswith(("https://", "http://"))
        return [(self._t("page.to_workspace"), site)] if known else []

    def _page(self, key: str, status: int, links: list[tuple[str, str]]) -> web.Response:
        return self._pages.page("message", status, key=key, words=Words(key), said=None, links=links)


def _ids(request: web.Request, name: str) -> list[str]:
    """Ids in a parameter such as `[a, "b"]`; what is none is left out."""
    found = _ID.findall(",".join(request.query.getall(name, [])[:_MOST_CHANNELS])[:_LONGEST])
    return list(dict.fromkeys(found))[:_MOST_CHANNELS]


def _said(ids: list[str]) -> str:
    return inert_line(", ".join(ids), 300)
