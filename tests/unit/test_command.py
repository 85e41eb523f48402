"""Reading chat messages as commands: what people type, on whatever keyboard, is understood or not for us."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chatops.command import Call, Press, Reply, Words, mistyped, nearest, read, split, typed, visible
from commands import ALL

BOT = "wa.bot"


@pytest.mark.parametrize(
    "text",
    [
        "/whatsapp-360d-cloud numbers disconnect +49151",
        "!whatsapp-360d-cloud numbers disconnect +49151",
        "  /WhatsApp-360D-Cloud  Numbers disconnect +49151 ",
        "@wa.bot numbers disconnect +49151",
        "@wa.bot: numbers disconnect +49151",
        "@wa.bot, numbers disconnect +49151",
        "\u200b/whatsapp-360d-cloud\u00a0numbers\u2003disconnect \u202a+49151\u202c",
        '/whatsapp-360d-cloud numbers "disconnect" “+49151”',
    ],
)
def test_every_way_to_address_the_bot_is_the_same_call(text: str) -> None:
    assert read(text, BOT) == Call("numbers", ("disconnect", "+49151"), addressed=True)


@pytest.mark.parametrize(
    "text",
    [
        "numbers",
        "hello all",
        "",
        "/whatsapp-360d-cloudy numbers",
        "/whatsapp numbers",
        "@wa.bottle numbers",
        "@someone numbers",
        "see /whatsapp-360d-cloud numbers",
    ],
)
def test_other_talk_is_not_for_us(text: str) -> None:
    assert read(text, BOT) is None


def test_an_address_alone_is_a_call_without_a_name() -> None:
    assert read("/whatsapp-360d-cloud", BOT) == Call("", (), addressed=True)
    assert read("@wa.bot", BOT) == Call("", (), addressed=True)


def test_bare_words_are_a_call_in_a_direct_message() -> None:
    assert read("Numbers", BOT, direct=True) == Call("numbers", (), addressed=False)
    assert read(" \u200b ", BOT, direct=True) == Call("", (), addressed=False)


def test_an_unknown_bot_name_is_no_wildcard() -> None:
    assert read("@ numbers", "") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('to "Ana Maria" now', ["to", "Ana Maria", "now"]),
        ("to „Ana Maria“ now", ["to", "Ana Maria", "now"]),
        ("to «Ana Maria» now", ["to", "Ana Maria", "now"]),
        ("to ‘Ana Maria’", ["to", "Ana Maria"]),
        ("it's Ana's", ["it's", "Ana's"]),
        ("'it's fine'", ["it's fine"]),
        ('"no end', ['"no', "end"]),
        ('"" x', ["", "x"]),
        ('5" screen', ['5"', "screen"]),
        ('"a"b c"', ['a"b c']),
    ],
)
def test_quotes_hold_words_together(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize("quote", ['"', "“", "„", "«", "'", "‘"])
def test_a_flood_of_quotes_that_nobody_closes_is_read_in_passing(quote: str) -> None:
    """Looked for anew behind each of them, the end would take minutes not to be found."""
    assert split(f"{quote}a " * 50_000) == [f"{quote}a"] * 50_000


@settings(max_examples=150)
@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    call = read(text, BOT, direct=True)

    assert call is not None
    assert not any(c.isspace() for c in call.name) or any(quote in text for quote in "\"'‘“„«")


@settings(max_examples=150)
@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), max_size=5))
def test_what_a_button_posts_is_read_as_it_was_meant(words: list[str]) -> None:
    call = read(typed("numbers", *words), BOT)

    assert call == Call("numbers", tuple(words), addressed=True)


def test_joiners_inside_a_word_stay_and_other_invisible_characters_go() -> None:
    assert visible("می\u200cخواهم \ufeff👩\u200d👧\u2066 x\u2069") == "می\u200cخواهم 👩\u200d👧 x"


def test_a_misspelt_command_finds_its_neighbour() -> None:
    found = {word: nearest(word, ALL) for word in ("conect", "number", "HELLP", "zzz", "c")}

    assert {word: command and command.name for word, command in found.items()} == {
        "conect": "connect",
        "number": "numbers",
        "HELLP": "help",
        "zzz": None,
        "c": None,
    }


def test_a_reply_survives_storage() -> None:
    reply = Reply(
        "a.key",
        {"n": 3, "reason": Words("b", {"x": Words("c")})},
        rows=({"label": "Sales", "value": Words("d")},),
        buttons=(Press(Words("e", {"f": "g"}), "!x"), Press(Words("h"), opens="https://x.example")),
        link="https://y.example",
        layout="question",
    )

    assert Reply.of(reply.document()) == reply


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("/whatsapp-360d-clod numbers", "numbers"),
        ("!whatsap-360d-cloud", "help"),
        ("/whatsapp-360-cloud connect +49", "connect +49"),
        ("/whatsapp-360d-cloud", "help"),
        ("/whatsapp", None),
        ("whatsapp-360d-clod numbers", None),
        ("", None),
    ],
)
def test_a_name_that_is_nearly_ours_is_a_slip_of_the_hand(text: str, meant: str | None) -> None:
    assert mistyped(text) == meant
