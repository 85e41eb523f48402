"""Words for people: gettext catalogues in `i18n/`, one per language, the same keys in each; Python holds keys only.

A catalogue is a `.po` file whose msgid is the key (`numbers.empty`); the text may hold `{placeholders}`. A text with
plural forms is chosen by the value `n`. English is complete and is used wherever another language lacks a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Protocol

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

FOLDER = Path(__file__).resolve().parent.parent / "i18n"
FALLBACK = "en"


class Translate(Protocol):
    def __call__(self, key: str, **values: str | int) -> str: ...


class Translator:
    """Texts in the language that is wanted now. A key that no catalogue has is shown as the key: visible, never an
    exception."""

    def __init__(self, wanted: Callable[[], str], catalogues: Mapping[str, Catalog]) -> None:
        self._wanted = wanted
        self._catalogues = catalogues

    @property
    def language(self) -> str:
        return _closest(self._wanted(), self._catalogues)

    @property
    def right_to_left(self) -> bool:
        return Locale.parse(self.language).text_direction == "rtl"

    def __call__(self, key: str, **values: str | int) -> str:
        for language in (self.language, FALLBACK):
            catalogue = self._catalogues[language]
            message = catalogue.get(key)
            if message is None or not message.string or message.fuzzy:
                continue
            text = message.string
            if not isinstance(text, str):
                text = text[c2py(catalogue.plural_expr)(int(values.get("n", 1)))]
            return str(text).format_map(_Gaps(values))
        return key


class _Gaps(dict[str, "str | int"]):
    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


class Catalogues(Mapping[str, Catalog]):
    """Every language that has a file: `pt_BR.po` → `pt_BR`. A file is read when its language is first asked for: all
    together take longer than everything else that a start does before it takes webhooks."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.stem: path for path in sorted(folder.glob("*.po"))}
        self._read = cache(self._from_file)

    def __getitem__(self, language: str) -> Catalog:
        return self._read(language)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def _from_file(self, language: str) -> Catalog:
        with self._files[language].open("rb") as file:
            return read_po(file, locale=language, abort_invalid=True)


@cache
def catalogues() -> Mapping[str, Catalog]:
    return Catalogues(FOLDER)


def translator(language: str | Callable[[], str] = FALLBACK) -> Translator:
    """A function is asked at each use, so that a change of language counts from the next text on."""
    return Translator(language if callable(language) else lambda: language, catalogues())


def known_language(language: str) -> str:
    """`de-DE`, `de_DE` and `de` all find `de`; what is not there is English."""
    return _closest(language, catalogues())


def is_known_language(language: str) -> bool:
    return _found(language, catalogues()) is not None


def own_names() -> Mapping[str, str]:
    """The languages there are, each by the name that its speakers use."""
    names = {code: Locale.parse(code).get_display_name() or code for code in catalogues()}
    return {code: name[:1].upper() + name[1:] for code, name in names.items()}


def _closest(language: str, known: Mapping[str, object]) -> str:
    return _found(language, known) or FALLBACK


def _found(language: str, known: Mapping[str, object]) -> str | None:
    wanted = language.strip().replace("-", "_")
    main = wanted.split("_")[0].casefold()
    names = {name.casefold(): name for name in known}
    related = (name for name in known if name.casefold().startswith(f"{main}_"))
    return names.get(wanted.casefold()) or names.get(main) or next(related, None)
