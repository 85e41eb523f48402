"""Python names texts and holds none: no sentence that people in a chat or on a page read, no key without a text.

What the texts say, and in which languages, is the subject of `test_translations`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

import bot.errors
import commands
from bot.chatops.chat_view import LONGEST_LABEL
from bot.chatops.dialogue import WORDS
from bot.config import App
from bot.ports import Kind
from bot.translations import catalogues, translator
from commands.connect import MESSAGES

ROOT = Path(__file__).parents[2]


@cache
def texts() -> frozenset[str]:
    """The keys of the English catalogue."""
    return frozenset(str(one.id[0] if isinstance(one.id, tuple) else one.id) for one in catalogues()["en"] if one.id)


# --- sentences ------------------------------------------------------------------------------------------------------

NOT_FOR_CHAT = {
    "bot/__main__.py": "the command line of whoever runs the bot",
    "bot/cli/": "the command line of whoever runs the bot",
    "bot/demo.py": "a story in the terminal, and its two people are English",
    "bot/stage.py": "the demo's and the tests' own arrangement of simulators",
    "bot/config.py": "explains the configuration file to whoever runs the bot, before any language is known",
    "bot/metrics.py": "explains each metric to whoever reads them in Prometheus",
    "bot/storage/": "tells whoever runs the bot, in the terminal and the log, what is wrong with the disk",
    "bot/sandbox/": "the simulators: not part of the running bot",
    "bot/web/openapi.py": "describes the endpoints to programmers",
    "bot/web/template_api.py": "answers other programs, in the words that the original app answers",
    "bot/web/template_request.py": "answers other programs, in the words that the original app answers",
}
"""Files whose sentences are for operators and programs; everything else speaks to people through the catalogues."""
WIRE = ("bot/rocketchat/", "bot/whatsapp/client.py", "bot/callbacks.py")
"""Where an error's own words stand for what the other server said. Servers speak English, and so do they."""
ASIDE = {
    "link of this form": "what a secret is derived for",
    "templates outdated at": "the name of a stored moment",
    "may not see rooms": "the name of an occasion, by which a notice is said once",
    "the messages that were missed": "what a start waits for, on the health page of operators",
    "(nested too deep)": "stands in a stored webhook body",
    "may have been sent since": "ends a stored reason, by which such entries are known",
}
"""Literals of some words that nobody reads in a chat."""
SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:.]? [A-Za-z]+[,;:.]? [A-Za-z]+")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|WITH)\b")
UNSAID = {"Outcome", "compile", "startswith"}
"""Calls whose words are not said: an outcome is noted in the journal, the others compare."""


@cache
def sources() -> dict[str, ast.Module]:
    files = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "commands").rglob("*.py")]
    names = {path.relative_to(ROOT).as_posix(): path for path in files}
    return {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name, path in sorted(names.items())
        if not name.startswith("bot/sandbox/")
    }


def _called(node: ast.AST) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _is_for_the_log(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "logging", "warnings")
    )


def _is_for_operators(node: ast.AST, wire: bool) -> bool:
    """An error's own words go to the log and the list of dead letters, unless its sentence repeats them to people."""
    if wire and isinstance(node, ast.Raise | ast.Assign):
        return isinstance(node, ast.Raise) or _called(node.targets[0]) == "said"
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        node = node.exc
    if not isinstance(node, ast.Call):
        return False
    name = _called(node)
    kind = getattr(bot.errors, name, None)
    if isinstance(kind, type) and issubclass(kind, bot.errors.BotError):
        return "{said}" not in translator("en")(kind.sentence)
    return name.endswith(("Error", "Exception")) or name in UNSAID


def sentences(tree: ast.AST, wire: bool = False) -> Iterator[ast.Constant]:
    """Literals that read like a sentence and stand where people could come to see them."""
    if _is_for_the_log(tree) or _is_for_operators(tree, wire):
        return
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if SENTENCE.search(child.value) and not SQL.match(child.value) and child.value not in ASIDE:
                yield child
        else:
            yield from sentences(child, wire)


def test_no_text_for_people_stands_in_python() -> None:
    found = [
        f"{name}:{one.lineno}: {one.value!r}"
        for name, tree in sources().items()
        if not name.startswith(tuple(NOT_FOR_CHAT))
        for one in sentences(tree, wire=name.startswith(WIRE))
    ]

    assert found == []


def test_no_exception_to_that_is_left_over() -> None:
    said = {one.value for tree in sources().values() for one in ast.walk(tree) if isinstance(one, ast.Constant)}

    assert set(ASIDE) - said == set()
    assert [name for name in (*NOT_FOR_CHAT, *WIRE) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "code",
    [
        'Post("Hello, how are you?")',
        'web.Response(text="This page is gone")',
        'x = "Please wait a moment"',
        'raise NotAllowed("you may not do that")',
        'say(f"Hello {name}, how are you?")',
    ],
)
def test_a_sentence_in_python_is_found(code: str) -> None:
    assert list(sentences(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ['"""A docstring of some words."""', 'log.info("one two three")', 'raise Unreachable("it is not there")']
)
def test_words_that_no_customer_or_agent_reads_are_left_alone(code: str) -> None:
    assert not list(sentences(ast.parse(code)))


# --- keys -----------------------------------------------------------------------------------------------------------

KEY = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)+")
ROUTES = {"settings.public"}
"""Routes of Rocket.Chat that look like keys."""
PARTS = ("title", "intro", "submit", "cancelled", "page_intro")
"""The texts that every form has."""


def literals() -> Iterator[str]:
    """Keys that stand in the sources as they are."""
    for tree in sources().values():
        drawn = {
            id(node.args[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and any(one.arg == "layout" for one in node.keywords) and node.args
        }  # a reply with a layout has a name, and the layout has the texts
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in drawn:
                yield node.value
    for path in (ROOT / "templates").rglob("*.j2"):
        yield from re.findall(r'"([^"\s]+)"', path.read_text(encoding="utf-8"))


@cache
def named() -> set[str]:
    groups = {key.split(".")[0] for key in texts()}
    keys = {one for one in literals() if KEY.fullmatch(one) and one.split(".")[0] in groups}
    return keys - set(get_args(Kind)) - ROUTES


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """Keys that are put together: `f"room.media.{kind}"` names all that begin so."""
    groups = "|".join(sorted({key.split(".")[0] for key in texts()}))
    found = []
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                pieces = [str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values]
                if re.fullmatch(rf"(?:{groups})\.[a-z0-9_.*]+", "".join(pieces)):
                    found.append(re.compile(re.escape("".join(pieces)).replace(r"\*", "([a-z0-9_]+)")))
    return tuple(found)


@cache
def words() -> set[str]:
    """Every name and every literal of the sources: what a key can be put together from."""
    nodes = [node for tree in sources().values() for node in ast.walk(tree)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


def is_put_together(key: str) -> bool:
    return any((made := one.fullmatch(key)) and words().issuperset(made.groups()) for one in patterns())


def of_names() -> set[str]:
    """Keys that must exist because something bears their name: a form, a control word, a setting, a message."""
    forms = [form.name for command in commands.ALL for form in command.forms]
    keys = {f"{name}.{part}" for name in forms for part in PARTS}
    keys |= {f"form.words.{word}" for word in WORDS}
    keys |= {f"settings.{name}{part}" for name in App.model_fields for part in ("", ".help")}
    return keys | {f"connect.{name}{part}" for name in MESSAGES for part in ("", ".help")}


def derived() -> set[str]:
    """`<key>_plain` and `<key>.title`, made from keys that are named."""
    return {key for key in texts() if key.removesuffix("_plain") in named() or key.removesuffix(".title") in named()}


def test_every_key_that_is_named_exists() -> None:
    assert (named() | of_names()) - texts() == set()
    assert [one.pattern for one in patterns() if not any(one.fullmatch(key) for key in texts())] == []


def test_every_text_is_used() -> None:
    rest = texts() - named() - of_names() - derived()

    assert {key for key in rest if not is_put_together(key)} == set()


def test_every_page_that_only_says_something_has_a_title() -> None:
    source = (ROOT / "bot" / "web" / "forms.py").read_text(encoding="utf-8")
    pages = set(re.findall(r'_message\(\s*"(page\.[a-z_]+)"', source))

    assert len(pages) >= 6
    assert {f"{page}.title" for page in pages} - texts() == set()


def labels() -> set[str]:
    """Keys of what stands on buttons in chat."""
    pressed = [node for tree in sources().values() for node in ast.walk(tree) if _called(node) == "Press"]
    named_there = {one.value for node in pressed for one in ast.walk(node) if isinstance(one, ast.Constant)}
    forms = {f"{form.name}.submit" for command in commands.ALL for form in command.forms}
    return forms | {key for key in texts() if key in named_there or key.startswith("form.button.")}


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_no_label_of_a_button_is_cut(language: str) -> None:
    t = translator(language)
    said = {key: t(key, phone="+4915112345678901", name="view-templates", label="") for key in labels()}

    assert len(said) >= 20
    assert {key: label for key, label in said.items() if len(label) > LONGEST_LABEL} == {}
