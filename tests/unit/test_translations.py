"""Every language says everything.

The catalogues say the same things under the same keys, with the same gaps, commands and addresses, and with the plural
forms and control words that their language needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from gettext import c2py
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import PoFileError, read_po

from bot.chatops.dialogue import WORDS, Dialogue
from bot.translations import FOLDER, Catalogues, catalogues, translator

LANGUAGES = ("ar", "de", "es", "fr", "hi", "it", "pt_BR")

GAP = re.compile(r"\{(\w*)\}")
KEPT = {
    "a command or setting in backticks": re.compile(r"`[^`]*`"),
    "an address": re.compile(r"https?://[\w/-]*(?:\.[\w/-]+)*"),
    "bold": re.compile(r"\*\*"),
    "bold or italic": re.compile(r"(?<!\*)\*(?!\*)|(?<![\w{])_|_(?![\w}])"),
    "a line": re.compile(r"\n"),
    "a name": re.compile(r"WhatsApp|Rocket\.Chat|360Dialog|Omnichannel|Facebook Business Manager"),
}
NAMES = {"setup.title", "connect.business_manager"}
"""Texts that are proper names, the same in every language."""


def texts(language: str) -> dict[str, Message]:
    return {_key(message): message for message in catalogues()[language] if message.id}


def _key(message: Message) -> str:
    return str(message.id[0] if isinstance(message.id, tuple) else message.id)


def forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


# --- the catalogues -------------------------------------------------------------------------------------------------


def test_every_language_of_the_product_has_a_catalogue_that_loads() -> None:
    assert set(catalogues()) == {"en", *LANGUAGES}


def test_a_language_is_read_only_when_it_is_spoken(tmp_path: Path) -> None:
    (tmp_path / "en.po").write_bytes((FOLDER / "en.po").read_bytes())
    (tmp_path / "de.po").write_text("this is no catalogue", encoding="utf-8")
    known = Catalogues(tmp_path)

    assert list(known) == ["de", "en"] and len(known) == 2
    assert known["en"] is known["en"]
    with pytest.raises(PoFileError):
        known["de"]
    with pytest.raises(KeyError):
        known["fr"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_text_of_english_and_no_other(language: str) -> None:
    assert set(texts("en")) - set(texts(language)) == set(), "missing"
    assert set(texts(language)) - set(texts("en")) == set(), "left over"


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_no_text_is_empty_doubtful_or_dead(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue: Catalog = read_po(file, locale=language, abort_invalid=True)

    assert catalogue.obsolete == {}
    assert [
        _key(one) for one in catalogue if one.id and (one.fuzzy or not all(form.strip() for form in forms(one)))
    ] == []
    assert catalogue.header_comment.startswith("#")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_stands_twice_in_a_file(language: str) -> None:
    """`read_po` would keep one of the two in silence."""
    counted = Counter(re.findall(r'^msgid "(.+)"$', (FOLDER / f"{language}.po").read_text(encoding="utf-8"), re.M))

    assert [key for key, n in counted.items() if n > 1] == []


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_the_plural_rule_is_the_one_of_the_language(language: str) -> None:
    count, rule = get_plural(language)
    catalogue = catalogues()[language]

    assert (catalogue.num_plurals, catalogue.plural_expr) == (count, rule)
    written = (FOLDER / f"{language}.po").read_text(encoding="utf-8")
    assert f'"Plural-Forms: nplurals={count}; plural={rule};\\n"' in written


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_has_one_form_for_each_case_of_the_plural_rule(language: str) -> None:
    """A form that stands for several numbers has to name the number, wherever English names it."""
    count, rule = get_plural(language)
    covered = Counter(c2py(rule)(n) for n in range(1000))
    for key, message in texts(language).items():
        english = texts("en")[key]
        assert message.pluralizable == english.pluralizable, key
        if english.pluralizable:
            assert len(forms(message)) == count, key
            for at, form in enumerate(forms(message)):
                assert "{n}" in form or "{n}" not in forms(english)[-1] or covered[at] == 1, (key, at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_gaps_of_the_english_text(language: str) -> None:
    for key, message in texts(language).items():
        wanted = Counter(GAP.findall(forms(texts("en")[key])[-1]))
        for form in forms(message):
            found = Counter(GAP.findall(form))
            if message.pluralizable:
                wanted.pop("n", None), found.pop("n", None)
            assert found == wanted, key
            assert GAP.sub("", form).count("{") == GAP.sub("", form).count("}") == 0, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_commands_addresses_markup_lines_and_names(language: str) -> None:
    for key, message in texts(language).items():
        for what, pattern in KEPT.items():
            wanted = Counter(pattern.findall(forms(texts("en")[key])[-1]))
            for form in forms(message):
                assert Counter(pattern.findall(_visible(form))) == wanted, f"{what} in {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_blanks_around_it(language: str) -> None:
    for key, message in texts(language).items():
        english = forms(texts("en")[key])[-1]
        for form in forms(message):
            assert (form[:1] == " ", form[-1:] == " ") == (english[:1] == " ", english[-1:] == " "), key
            assert "  " not in form, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_was_left_in_english(language: str) -> None:
    """Single words may be the same in two languages, sentences are not."""
    for key, message in texts(language).items():
        if key in NAMES:
            continue
        for english in forms(texts("en")[key]):
            if len(re.findall(r"[A-Za-z]{2,}", _bare(english))) > 2:
                assert english not in forms(message), key


def _bare(text: str) -> str:
    return re.sub(r"`[^`]*`|\{\w*\}|https?://\S+", "", text)


def _visible(text: str) -> str:
    return re.sub("[\u2066-\u2069]", "", text)


OTHER_WORDS = {
    "de": "Gespräch|Unterhaltung|Workspace|Knopf|Knöpf|Administrator|Schrägstrich",
    "es": "charla|área de trabajo|workspace|llave|configuraciones|vídeo",
    "fr": "discussion|workspace|réglage|opérateur|barre oblique|clés? d’API",
    "it": "workspace|botton|operator|dipartimento|spazi di lavoro",
    "pt_BR": "workspace|área de trabalho|atendente|ajuste|papel|papéis",
    "hi": "workspace|प्रशासक|व्यवस्थापक|टेम्प्लेट|पृष्ठ|वार्तालाप",
    "ar": "وكلاء|وكيل|مشرف|زبون|استمارة|دردشات",
}
"""Words for what each catalogue calls by another: an agent, a conversation, a button has one name, or people look for
a second one."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_thing_has_one_name(language: str) -> None:
    other = re.compile(OTHER_WORDS[language], re.IGNORECASE)

    assert [key for key, one in texts(language).items() if any(other.search(_bare(form)) for form in forms(one))] == []


@pytest.mark.parametrize(
    ("language", "foreign"),
    [("en", "„«’"), ("de", "”«»"), ("es", "„“”"), ("fr", "„“”'"), ("it", "„“”'"), ("pt_BR", "„«»")],
)
def test_quotation_marks_and_apostrophes_are_of_one_kind(language: str, foreign: str) -> None:
    assert [key for key, one in texts(language).items() if set(foreign) & set("".join(forms(one)))] == []


@pytest.mark.parametrize("language", ["ar"])
def test_what_reads_from_left_to_right_is_set_apart_in_a_text_from_right_to_left(language: str) -> None:
    """Otherwise `+49 1511` is shown as `1511 49+`. The marks come in pairs, or all that follows would turn."""
    for key, message in texts(language).items():
        for form in forms(message):
            assert len(re.findall("[\u2066-\u2068]", form)) == form.count("\u2069"), key
            for apart in re.findall(r"(.?)(\{(?:phone|number|told|old|new|address)\}|\+49[\d\s]+\d)(.?)", form):
                assert (apart[0], apart[2]) == ("\u2066", "\u2069"), (key, apart)


# --- what the translator makes of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_text_can_be_said_for_any_number(language: str) -> None:
    t = translator(language)
    for key, message in texts(language).items():
        for n in (0, 1, 2, 3, 11, 100, 101, 102, 1000):
            said = t(key, n=n)
            assert said and said != key
            if message.pluralizable and "{n}" in forms(message)[-1]:
                assert "{n}" not in said
                assert str(n) in said or n in (0, 1, 2), said


def test_arabic_and_hindi_count_as_these_languages_do() -> None:
    arabic, hindi = translator("ar"), translator("hi-IN")

    assert len({re.sub(r"\d+", "", arabic("numbers.title", n=n)) for n in (0, 1, 2, 3, 11, 100)}) == 6
    assert arabic("numbers.title", n=103) == arabic("numbers.title", n=3).replace("3", "103")
    assert hindi("numbers.title", n=1) != hindi("numbers.title", n=2).replace("2", "1")


def test_only_arabic_reads_from_right_to_left() -> None:
    assert [one for one in catalogues() if translator(one).right_to_left] == ["ar"]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_control_words_are_clear_in_every_language(language: str) -> None:
    """No word means two things, the English ones always work, and the words that a question offers are among them."""
    t = translator(language)
    dialogue = Dialogue(None, t)  # type: ignore[arg-type]  # reading words needs no sessions
    seen: dict[str, str] = {}
    for word in WORDS:
        assert dialogue.control(word) == word
        for said in t(f"form.words.{word}").split(","):
            assert said.strip(), word
            assert seen.setdefault(said.strip().casefold(), word) == word
            assert dialogue.control(said.strip().upper() + ".") == word
            assert dialogue.control(unicodedata.normalize("NFD", said.strip())) == word
    for hint, meant in (
        ("form.words_when_optional", ["skip", "back", "cancel"]),
        ("form.words_when_required", ["back", "cancel"]),
        ("form.words_when_editing", ["keep", "clear", "rest", "back", "cancel"]),
        ("form.words_when_required_editing", ["keep", "rest", "back", "cancel"]),
    ):
        offered = re.sub(r"\([^)]*\)", "", t(hint).split(":")[-1])
        assert [dialogue.control(one.strip()) for one in re.split(r"[,،]", offered.rstrip(".।"))] == meant


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_typing_what_a_button_says_does_what_the_button_does(language: str) -> None:
    t = translator(language)
    dialogue = Dialogue(None, t)  # type: ignore[arg-type]  # reading words needs no sessions
    buttons = [word for word in WORDS if f"form.button.{word}" in texts("en")]

    assert len(buttons) >= 4
    assert {word: dialogue.control(t(f"form.button.{word}")) for word in buttons} == {word: word for word in buttons}
