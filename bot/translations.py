"""Words for people: gettext catalogues in `i18n/`, one per language, the same keys in each; Python holds keys only.

A catalogue is a `.po` file whose msgid is the key (`numbers.empty`); the text may hold `{placeholders}`. A text with
plural forms is chosen by the value `n`. English is complete and is used wherever another language lacks a key.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Texts in one language. A key that no catalogue has is shown as the key: visible, never an exception."""

    def __init__(self, language: str, catalogues: Mapping[str, Catalog]) -> None:
        self.language = language if language in catalogues else FALLBACK
        self._chain = [catalogues[self.language], catalogues[FALLBACK]]

    @property
    def right_to_left(self) -> bool:
        return Locale.parse(self.language).text_direction == "rtl"

    def __call__(self, key: str, **values: str | int) -> str:
        for catalogue in self._chain:
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


@cache
def catalogues(folder: Path = FOLDER) -> Mapping[str, Catalog]:
    """Every language that has a file: `pt_BR.po` → `pt_BR`."""
    found = {}
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            found[path.stem] = read_po(file, locale=path.stem, abort_invalid=True)
    return found


def translator(language: str = FALLBACK) -> Translator:
    """`de-DE`, `de_DE` and `de` all find `de`; what is not there is English."""
    known = catalogues()
    wanted = language.replace("-", "_")
    return Translator(wanted if wanted in known else wanted.split("_")[0], known)
