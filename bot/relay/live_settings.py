"""The eleven settings of the app as they stand now: the configuration file, and what was set in chat wins over it.

Whoever needs one is given `live.current`, a plain `bot.config.App`, and asks at use time: a change counts from the next
message on. For commands, which do not know the configuration, it fits the port `AppSettings`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bot.config import App
from bot.errors import Invalid
from bot.ports import Alone, AppSettings, Registry, SettingValue
from bot.translations import known_language, own_names

_FACT = "app settings"


class LiveSettings:
    def __init__(self, registry: Registry, configured: App, alone: Alone) -> None:
        self._registry = registry
        self._alone = alone
        self._configured = configured
        self._chosen: dict[str, Any] = {}
        self._current = configured

    @property
    def current(self) -> App:
        return self._current

    @property
    def values(self) -> Mapping[str, SettingValue]:
        return _plain(self._current)

    @property
    def configured(self) -> Mapping[str, SettingValue]:
        return _plain(self._configured)

    @property
    def languages(self) -> Mapping[str, str]:
        return own_names()

    @property
    def chosen(self) -> frozenset[str]:
        """Names of the settings that were set in chat."""
        return frozenset(self._chosen)

    async def load(self) -> None:
        """At start, and when another bot may have changed them. What another version stored and this one cannot use is
        left out, not fatal."""
        stored = json.loads(await self._registry.fact(_FACT) or "{}")
        self._current, self._chosen = self._configured, {}
        for name, value in stored.items():
            try:
                self._current = self._with(name, value)
                self._chosen[name] = value
            except Invalid:
                continue

    async def change(self, name: str, value: object) -> None:
        """Raises Invalid for a name or a value that the configuration would refuse too."""
        async with self._alone(_FACT):
            await self.load()  # another bot may have changed another one
            await self._store({**self._chosen, name: getattr(self._with(name, value), name)})

    async def reset(self, name: str) -> None:
        """Back to what the configuration says."""
        async with self._alone(_FACT):
            await self.load()
            await self._store({other: value for other, value in self._chosen.items() if other != name})

    async def _store(self, chosen: dict[str, Any]) -> None:
        """It counts once it is stored."""
        await self._registry.set_fact(_FACT, json.dumps(chosen))
        self._chosen, self._current = chosen, self._configured.model_copy(update=chosen)

    def _with(self, name: str, value: object) -> App:
        if name not in App.model_fields:
            raise Invalid("settings.unknown", field=name, name=name)
        try:
            return App.model_validate({**self._current.model_dump(), name: value})
        except ValidationError as error:
            raise Invalid("settings.invalid", field=name, name=name, said=error.errors()[0]["msg"]) from None


def _plain(app: App) -> dict[str, SettingValue]:
    """The language as the catalogue's name: what is configured as `pt-BR` is `pt_BR` to choose from."""
    return {**app.model_dump(), "preferred_language": known_language(app.preferred_language)}


if TYPE_CHECKING:

    def _fits(live: LiveSettings) -> AppSettings:
        return live
