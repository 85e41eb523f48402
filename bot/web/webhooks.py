"""The edge for 360Dialog: checks who calls, stores what came, answers 200. It does not read what the message means.

360Dialog signs nothing for direct clients; the only proof of origin are the unguessable address of the number and the
secret header that we registered with it (docs.360dialog.com: webhook "headers"). Only the status 200 counts as
delivered; anything else is sent again for days, so nothing is ever acknowledged before the disk has it.

360Dialog's API knows no way to take an address away, only to replace it, so it goes on delivering for a number that was
disconnected here. For some days (`days_kept`) that is stored like everything else: it becomes dead letters, which are
shown when the number is connected again. What comes later is answered 200 and let go, and the setup channel is told
every week: 404 would only bring it again for days, and nobody has asked to keep what customers write to a number given
up.
"""

from __future__ import annotations

import hmac
import logging

from aiohttp import web

from bot.config import ConfigError
from bot.logs import about
from bot.model import HOOK_HEADER, Number
from bot.ports import Clock, Entry, Journal, Registry
from bot.relay.notices import SETUP, notice
from bot.web.deadlines import TimeLimit
from bot.web.guessing import Guesses
from bot.web.server import is_compressed
from bot.whatsapp.envelope import entries

log = logging.getLogger(__name__)

_DAY = 86400.0
_PATIENCE = 4.0
"""Seconds for all of a webhook: a slow sender, a database that is away and a disk that is full are waited for, but
360Dialog waits no longer than five."""
_LATE, _GATHER, _AGAIN = 5.0, 3.0, 600.0
"""Seconds. For so long after the bot was away, a message that is that late waits a little for what was written before
it: 360Dialog sends again what it kept all at once, and in any order (Meta: whatsapp/throughput)."""
_KEPT = 7 * _DAY
"""For so long 360Dialog keeps what was not taken; what claims to be older is late for another reason."""


class Webhooks:
    def __init__(
        self, registry: Registry, journal: Journal, clock: Clock, app_id: str, guesses: Guesses, *, days: int
    ) -> None:
        """`days`: for so long what comes in for a number that was disconnected is stored."""
        self._registry = registry
        self._journal = journal
        self._clock = clock
        self._guesses = guesses
        self._days = days
        self._path = f"/api/apps/private/{app_id}/{{key}}/incoming"
        self._patience = TimeLimit(_PATIENCE)
        self._away = clock.now()
        """When a webhook was last not taken."""
        self.closing = False

    def routes(self) -> list[web.RouteDef]:
        return [web.post(self._path, self.incoming)]

    async def incoming(self, request: web.Request) -> web.Response:
        """What happens on WhatsApp, from 360Dialog.

        200 stored, or of a number that was disconnected too many days ago · 401 wrong secret · 404 unknown address ·
        413 too large · 415 compressed · 429 too many wrong guesses · 503 stopping, or it cannot be stored now: send it
        again."""
        try:
            return await self._patience.keep(self._taken(request))
        except (TimeoutError, ConfigError) as error:
            self._away = self._clock.now()
            why = str(error) or type(error).__name__
            log.error("a webhook was not stored, 360Dialog will send it again: %s", why)
            raise web.HTTPServiceUnavailable from None

    async def _taken(self, request: web.Request) -> web.Response:
        number = await self._registry.number_of_hook(request.match_info["key"])
        if number is None:
            self._guesses.wrong(request)
            raise web.HTTPNotFound
        given = request.headers.get(HOOK_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), number.hook_secret.encode()):
            self._guesses.wrong(request)
            log.warning("a webhook for number …%s came without the right secret header", number.id[-3:])
            raise web.HTTPUnauthorized
        if self.closing:
            raise web.HTTPServiceUnavailable
        if is_compressed(request):
            log.error("a webhook is not taken because it is compressed: nothing before the bot may compress requests")
            raise web.HTTPUnsupportedMediaType
        body = await request.read()
        found = entries(body, number.id, self._clock.now())
        if number.disconnected_at and self._clock.now() - number.disconnected_at > self._days * _DAY:
            found = self._let_go(number, found)
        await self._journal.append(*map(self._gathered, found))
        if log.isEnabledFor(logging.DEBUG):
            for entry in found:
                with about(entry.key):
                    log.debug("stored %s", entry.kind)
        return web.Response()  # its status says all

    def _gathered(self, entry: Entry) -> Entry:
        now = self._clock.now()
        if now - self._away > _AGAIN or entry.kind != "wa.message":
            return entry
        return entry._replace(rest=_GATHER) if _LATE < now - entry.at_ms / 1000 < _KEPT else entry

    def _let_go(self, number: Number, found: list[Entry]) -> list[Entry]:
        """What is stored instead: at most that it happened, once a week."""
        if not any(entry.kind == "wa.message" for entry in found):
            return []
        week = int(self._clock.now() // (7 * _DAY))
        key = f"gone:{number.id}:week {week}"
        return [notice(key, SETUP, "notice.gone_not_kept", number=number.phone, n=self._days)]
