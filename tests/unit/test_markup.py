"""Promises of the markup: agents' formatting arrives, customers' text is inert, and neither side loses a character."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.whatsapp.markup import JOINER, from_rocketchat, inert, inert_line

# --- agents → WhatsApp ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("**b** and *b*", "*b* and *b*"),
        ("__i__ and _i_", "_i_ and _i_"),
        ("~~s~~ and ~s~", "~s~ and ~s~"),
        ("***x***", "*_x_*"),
        ("**bold __it__ ~~s~~**", "*bold _it_ ~s~*"),
        ("__**x**__ **__x__**", "_*x*_ *_x_*"),
        ("** spaced **", " *spaced* "),
        ("**a *b* c**", "*a b c*"),
        ("(**x**), “__y__”.", "(*x*), “_y_”."),
        ("see **[docs](https://d.example)**!", "see *docs (https://d.example)*!"),
        ("[text](https://a.example/c_(d))", "text (https://a.example/c_(d))"),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("[a.example](https://a.example/)", "https://a.example/"),
        ("[](https://a.example)", "https://a.example"),
        ("[https://good.example](https://evil.example)", "https://good.example (https://evil.example)"),
        ("![alt](https://a.example/x.png)", "alt (https://a.example/x.png)"),
        ("<https://a.example|text>", "text (https://a.example)"),
        ("[mail us](mailto:a@b.example) [call](tel:+4912345)", "mail us (a@b.example) call (+4912345)"),
        ("# Title", "*Title*"),
        ("## Title **x** ", "*Title x*"),
        ("text\n#### Title\ntext", "text\n*Title*\ntext"),
        (r"\*no\* \_no\_ \`no\` \#", "*no* _no_ `no` #"),
        (":smile: :+1: :slight_smile: :flag_de: :thumbsup_tone3:", "😄 👍 🙂 🇩🇪 👍🏽"),
        ("**:tada:**(:wink:)", "*🎉*(😉)"),
    ],
)
def test_formatting_means_the_same_on_whatsapp(written: str, sent: str) -> None:
    assert from_rocketchat(written) == sent


@pytest.mark.parametrize(
    "text",
    [
        "__init__ and x.__init__(self)", "snake_case_name a__b__c", "2**3**4", "* item\n* other\n- third\n1. last",
        "> quote", "`**x** :smile:`", "```\n**x** # y\n# z\n```", "https://a.example/__x__?b=**c**#d_e_f", "12:30:45",
        ":no_such_emoji:", "@all #general @anna.b", "[f](x)", "a [b] (c)", "** **", "*", "**", "***", "____", "~~", "",
        "#hashtag", "##### five", "a:smile:b", "a < b | c > d", "5 * 3 * 2", "\U000f0001\U000f0000", "¯\\(ツ)/¯",
    ],
)  # fmt: skip
def test_what_is_no_markup_or_means_the_same_stays(text: str) -> None:
    assert from_rocketchat(text) == text


def test_a_text_longer_than_anybody_may_write_stays_as_it_is() -> None:
    assert from_rocketchat("**x** " * 20_000) == "**x** " * 20_000


@pytest.mark.parametrize("unit", ["*", "**a ", "***a", "__a", "~~", "`", "```", "[", "[a](", "<a.b", ":", "# ", "\\*"])
def test_a_flood_of_markers_is_read_in_passing(unit: str) -> None:
    """A pattern that backtracks over itself would need minutes for this."""
    assert from_rocketchat("a" + unit * (20_000 // len(unit))).startswith("a")


pieces = st.sampled_from(
    ["*", "**", "***", "_", "__", "~~", "`", "```", "[", "](", ")", "<", ">", "|", "\\", "#", " ", "\n", "a", "Bc", "7",
     "https://x.example/", "é", "😀", "\U000f0000"]
)  # fmt: skip


@given(st.lists(pieces, max_size=14).map("".join))
@settings(max_examples=300)
def test_nothing_but_markers_is_ever_lost(written: str) -> None:
    sent = from_rocketchat(written)
    if "](" not in written and "|" not in written:  # an address that says the same as its text is said once
        assert re.sub(r"[^\w😀]|_", "", sent) == re.sub(r"[^\w😀]|_", "", written)
    assert set(re.findall(r"\w|😀", sent)) <= {*re.findall(r"\w|😀", written), "_"}


@given(st.text(st.characters(exclude_characters="*_~`[]<>|\\#:!", exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=100)
def test_a_text_without_markers_arrives_as_it_was_written(text: str) -> None:
    assert from_rocketchat(text) == text


# --- customers → agents ---------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """What an agent sees: the joiner is invisible, and `<host|` is shown as `< host|`."""
    return text.replace(f"<{JOINER} ", "<").replace(JOINER, "")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("@all", "@·all"), ("hi @here!", "hi @·here!"), ("(@anna.b)", "(@·anna.b)"), ("@@all", "@@·all"),
        ("```\n@all\n```", "```\n@·all\n```"), (">@all", ">@·all"), ("+4912345@all", "+4912345@·all"),
        ("https://x.example/(1)@all", "https://x.example/(1)@·all"),
        ("a@b.example@all", "a@b.example@·all"), ("#general", "#·general"), ("see #1234", "see #·1234"),
        ("# Big", "#· Big"), ("a\n### Big", "a\n###· Big"), ("a\r# b", "a\r#· b"),
        ("[good](https://evil.example)", "[good]·(https://evil.example)"),
        ("![x](https://evil.example/x.png)", "![x]·(https://evil.example/x.png)"),
        ("<https://evil.example|good>", "<·https://evil.example|good>"),
        ("<evil.example|good>", "<· evil.example|good>"), ("<+4912345|call>", "<· +4912345|call>"),
        ("<evil.example/\xa0x|good>", "<· evil.example/\xa0x|good>"),
        ("<mailto:a@b.example|good>", "<·mailto:a@b.example|good>"),
        (":smile:", ":·smile:"), ("a :+1: b", "a :·+1: b"), (":100:", ":·100:"), (":a:b:", ":·a:·b:"),
        (r"\(x\) \[y\]", r"\·(x\) \·[y\]"), ("$$x$$", "$·$x$·$"), ("||secret||", "|·|secret|·|"),
        ("<t:1630360800:F>", "<·t:·1630360800:F>"), ("color:#ff0000", "color:#·ff0000"), ("__init__", "_·_init__"),
        ("<b>x</b>", "<·b>x<·/b>"), ('<img src="x">', '<·img src="x">'), ("<br/>", "<·br/>"), ("<!--", "<·!--"),
    ],
)  # fmt: skip
def test_what_would_act_is_broken_in_one_place(text: str, broken: str) -> None:
    assert inert(text) == broken.replace("·", JOINER)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, c3_m17 costs $5, not $6.", "mail a@b.example, <anna.b+x@shop.example.com> (x@y)", "12:30:45", "C#",
        "*bold* _it_ ~no~ `code` ```block```", "> quote\n- one\n* two\n1. three", "https://x.example/@me/a_b#top?c=:d:",
        "https://en.wikipedia.org/wiki/A_(b)#c", "<https://x.example>", "i <3 you :) :D", "a < b > c", "1 | 2", "_",
        "5*3", "(c) [1] {x}", "snake_case __x", "#", "@", "", "…", "日本語 テスト", "👨‍👩‍👧",
    ],
)  # fmt: skip
def test_what_acts_on_nobody_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


# Rocket.Chat's server finds mentions and channels like this (apps/meteor/app/mentions/lib/MentionsParser.ts).
MENTION = re.compile(r"(^|\s|>)[@#][0-9a-zA-Z\-_.]+", re.M)
LIVE = {
    "a mention at the start of a word": re.compile(r"(^|[\s()*_~`\[\]{}])[@#][\w.-]", re.M),
    "a masked link": re.compile(r"\]\("),
    "a masked link in angles": re.compile(r"<[A-Za-z0-9+][^|\s]*\|[^<>|\n]+>"),
    "an emoji": re.compile(r"(^|\s):[a-zA-Z][\w.+-]*:"),
    "a heading": re.compile(r"^#{1,4}[ \t]", re.M),
    "a formula": re.compile(r"\\[(\[]|\$\$"),
    "a spoiler": re.compile(r"\|\|"),
    "a time": re.compile(r"<t:"),
}
alive = st.sampled_from(
    ["@", "#", "@all", "#general", "*", "_", "__", "~", "`", "```", ":", ":smile:", "|", "||", "[", "](", ")", "!", "<",
     ">", "https://evil.example/", "evil.example", "a@b.example", "a", "b1", "ü", " ", "\n", "-", ".", "+", "$", "$$",
     "\\", "\\(", "# ", "<t:1630360800:F>", "color:#ff0000", "<b>", "+4912345", "日本", "👍", "\xa0", JOINER]
)  # fmt: skip


@given(st.lists(alive, max_size=10).map("".join))
@settings(max_examples=300)
def test_nothing_stays_alive_nothing_is_lost_and_twice_is_once(text: str) -> None:
    calm = inert(text)
    assert shown(calm) == shown(text)
    assert inert(calm) == calm
    assert not MENTION.search(calm), calm
    for what, live in LIVE.items():
        assert not live.search(calm), (what, calm)


@given(st.text(max_size=80))
@settings(max_examples=150)
def test_any_text_is_shown_as_it_was_written(text: str) -> None:
    assert shown(inert(text)) == shown(text)


@pytest.mark.parametrize("end", ["", "|", "|a", "@", ">"])
@pytest.mark.parametrize(
    "unit", ["@", "a@", ":", ":a", "<", "<a ", "a-", "https://", "](", "|", "x@y.", "_", "__a_", "$", "+1"]
)
def test_a_flood_is_read_in_passing(unit: str, end: str) -> None:
    """A pattern that backtracks over itself would need minutes for this."""
    flood = "a@b" + unit * (65_536 // len(unit)) + end
    assert shown(inert(flood)) == flood


@pytest.mark.parametrize(
    ("name", "limit", "line"),
    [
        ("  Anna\n Maria\t ", 50, "Anna Maria"), ("@all", 50, "@·all"), ("a\u202eb\u2066c\x00\x07", 50, "abc"),
        ("👨‍👩‍👧👨‍👩‍👧", 5, "👨‍👩‍👧"), ("Anna Maria", 5, "Anna"), ("", 5, ""), ("\u200b\ufeff", 5, ""),
        ("🇩🇪🇩🇪", 3, "🇩🇪"),
        ("**Boss** [x](https://e.example)", 80, "**Boss** [x]·(https://e.example)"), ("علي", 50, "علي"),
    ],
)  # fmt: skip
def test_a_name_is_one_short_line_that_does_nothing(name: str, limit: int, line: str) -> None:
    assert inert_line(name, limit) == line.replace("·", JOINER)


@given(st.text(max_size=60), st.integers(1, 30))
@settings(max_examples=150)
def test_a_line_is_bounded_and_has_no_breaks(text: str, limit: int) -> None:
    line = inert_line(text, limit)
    assert len(shown(line)) <= limit
    assert len(line.splitlines()) <= 1
