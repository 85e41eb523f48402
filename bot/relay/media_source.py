"""A customer's file from WhatsApp to our disk: within the limits, whole, and as it was announced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bot.config import App
from bot.errors import Busy, FileRefused, FilesPaused, NotFound, NumberBlocked, Refused, Unreachable
from bot.model import Media, MediaFile, Number
from bot.ports import Clock, WhatsApp
from bot.relay.spool import Filled, OverLimit, Spool, fill
from bot.whatsapp import media as rules
from bot.whatsapp.media_source import ErrorBudget, digest


class FetchFailed(Exception):
    """WhatsApp did not hand the file over: what it raised."""

    def __init__(self, error: Busy | Refused) -> None:
        super().__init__(str(error))
        self.error = error


class MediaSource:
    def __init__(
        self, whatsapp: WhatsApp, spool: Spool, clock: Clock, app: Callable[[], App], bots: Callable[[], int]
    ) -> None:
        self._whatsapp = whatsapp
        self._spool = spool
        self._clock = clock
        self._app = app
        self._errors = ErrorBudget(bots)

    @asynccontextmanager
    async def file(self, number: Number, media: Media, shown: str) -> AsyncIterator[tuple[Path, str]]:
        """The file on disk, whole and as announced, and its type. Raises FetchFailed and FileRefused."""
        async with self._spool.place() as place:
            path = place / "file"
            try:
                mime_type = await self._fetch(number, media, shown, path)
            except FileRefused:
                raise
            except (Busy, Refused) as error:
                raise FetchFailed(error) from None
            yield path, mime_type

    async def _fetch(self, number: Number, media: Media, shown: str, path: Path) -> str:
        """An address lives five minutes, so an expired or damaged file is asked for once more."""
        for last in (False, True):
            told = await self._look(number, media.media_id)
            mime_type = rules.plain_type(told.mime_type or media.mime_type) or rules.UNKNOWN
            rules.check(self._app(), shown, mime_type, told.size)
            try:
                filled = await fill(path, self._whatsapp.fetch(number.api_key, told.url), rules.largest(self._app()))
            except OverLimit:
                raise rules.too_large(self._app(), shown) from None
            except FileRefused as error:
                error.values["name"] = shown
                raise
            except NotFound:
                if last:
                    raise
                continue
            if _as_announced(filled, media, told):
                return mime_type
        raise FileRefused("file.damaged", name=shown)

    async def _look(self, number: Number, media_id: str) -> MediaFile:
        now = self._clock.now()
        self._errors.check(number.id, now)
        try:
            return await self._whatsapp.media(number.api_key, media_id)
        except Unreachable:
            raise
        except NumberBlocked as error:  # the look-up alone, when the rest of the number works: too many errors
            self._errors.lock(number.id, now)
            raise FilesPaused(error.said, after=self._errors.LOCK) from None
        except (Busy, Refused):
            self._errors.note(number.id, now)
            raise


def _as_announced(filled: Filled, media: Media, told: MediaFile) -> bool:
    digests = {digest(media.sha256), digest(told.sha256)} - {None}
    return digests <= {filled.sha256} and filled.size > 0
