"""The templates of each number, kept in the registry: people choose from a list without waiting for 360Dialog.

A list is as old as the setting `template_refresh_interval_minutes` allows, or younger; older ones are read anew when
somebody asks, and when that fails the old one is shown with its age. A webhook that tells of a change makes every list
outdated at once: such webhooks belong to the WhatsApp account, not to the number that they come in on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.config import App
from bot.errors import BotError
from bot.model import Number, NumberId
from bot.ports import Clock, Registry, WhatsApp
from bot.translations import Translate
from bot.whatsapp.template_preview import preview
from bot.whatsapp.template_send import Values
from bot.whatsapp.templates import Template, read

log = logging.getLogger(__name__)

OUTDATED = "templates outdated at"
_PAUSE_AFTER_FAILURE = 60.0
_KEPT = ("name", "language", "status", "category", "components", "parameter_format", "quality_score")


@dataclass(frozen=True, slots=True)
class Shelf:
    """A number's templates as they were at `read_at` (unix seconds), by name and language."""

    templates: tuple[Template, ...]
    read_at: float

    def find(self, id: str) -> Template | None:
        """By `name|language`."""
        return next((one for one in self.templates if one.id == id), None)

    @property
    def offered(self) -> tuple[Template, ...]:
        """What may be sent, and can be filled in here."""
        return tuple(one for one in self.templates if one.approved and not one.not_supported)


class Templates:
    def __init__(
        self, registry: Registry, whatsapp: WhatsApp, clock: Clock, app: Callable[[], App], t: Translate
    ) -> None:
        self._registry = registry
        self._whatsapp = whatsapp
        self._clock = clock
        self._app = app
        self._t = t
        self._shelves: dict[NumberId, tuple[str, str, Shelf]] = {}
        """What was read from which stored text with which key: definitions are not parsed again and again."""
        self._locks: dict[NumberId, asyncio.Lock] = {}
        self._failed_at: dict[NumberId, float] = {}

    async def of(self, number: Number) -> Shelf:
        """Young enough, or the old list when 360Dialog cannot be asked. Raises only when there is no list at all."""
        async with self._alone(number):
            known = await self._known(number)
            if known is not None and (await self._is_young(known) or self._failed_just_now(number)):
                return known
            try:
                return await self._read(number)
            except BotError as error:
                self._failed_at[number.id] = self._clock.now()
                if known is None:
                    raise
                log.warning("the templates of …%s are shown as they were: %s", number.id[-4:], error)
                return known

    async def refresh(self, number: Number) -> Shelf:
        """Reads them now."""
        async with self._alone(number):
            return await self._read(number)

    async def known(self, number: Number) -> Shelf | None:
        """What is stored, however old; nobody is asked."""
        return await self._known(number)

    async def outdate(self) -> None:
        """Something has changed: every list is read anew before it is shown again."""
        await self._registry.set_fact(OUTDATED, repr(self._clock.now()))

    def preview(self, template: Template, values: Values) -> str:
        """What the customer will see, as WhatsApp markup."""
        return preview(template, values, self._t)

    def _alone(self, number: Number) -> asyncio.Lock:
        return self._locks.setdefault(number.id, asyncio.Lock())

    async def _is_young(self, shelf: Shelf) -> bool:
        outdated = float(await self._registry.fact(OUTDATED) or 0.0)
        age = self._clock.now() - shelf.read_at
        return shelf.read_at > outdated and 0 <= age < self._app().template_refresh_interval_minutes * 60

    def _failed_just_now(self, number: Number) -> bool:
        return 0 <= self._clock.now() - self._failed_at.get(number.id, 0.0) < _PAUSE_AFTER_FAILURE

    async def _read(self, number: Number) -> Shelf:
        started = self._clock.now()
        found = [_slim(item) for item in await self._whatsapp.templates(number.api_key)]
        stored = json.dumps({"at": started, "key": _fingerprint(number), "items": _packed(found)})
        await self._registry.set_fact(_fact(number), stored)
        self._failed_at.pop(number.id, None)
        return self._shelf(number, stored, started, found)

    async def _known(self, number: Number) -> Shelf | None:
        """None also when it belongs to an earlier key, which may be that of another account."""
        stored = await self._registry.fact(_fact(number))
        if stored is None:
            return None
        parsed = self._shelves.get(number.id)
        if parsed is not None and parsed[:2] == (stored, number.api_key):
            return parsed[2]
        document = json.loads(stored)
        if document["key"] != _fingerprint(number):
            return None
        return self._shelf(number, stored, float(document["at"]), _unpacked(document["items"]))

    def _shelf(self, number: Number, stored: str, at: float, found: list[Mapping[str, Any]]) -> Shelf:
        templates = sorted(filter(None, map(read, found)), key=lambda one: (one.name, one.language))
        shelf = Shelf(tuple(templates), at)
        self._shelves[number.id] = (stored, number.api_key, shelf)
        return shelf


def _fact(number: Number) -> str:
    return f"templates of {number.id}"


def _fingerprint(number: Number) -> str:
    return hashlib.sha256(number.api_key.encode()).hexdigest()[:16]


def _slim(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: item[name] for name in _KEPT if name in item}


def _packed(found: list[Mapping[str, Any]]) -> str:
    """Some accounts have thousands of templates; they compress well."""
    return base64.b64encode(zlib.compress(json.dumps(found).encode())).decode()


def _unpacked(text: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found
