"""The house has floors, and imports go downwards only (see bot/__init__.py). A climb fails here, not in a review."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("bot", "commands") for path in (ROOT / folder).rglob("*.py"))

FLOORS: list[tuple[str, ...]] = [
    ("bot.model", "bot.errors", "bot.config", "bot.translations", "bot"),
    ("bot.ports_rocketchat",),
    ("bot.ports_journal",),
    ("bot.ports",),
    ("bot.whatsapp", "bot.rocketchat"),
    ("bot.relay", "bot.chatops", "bot.metrics", "bot.logs"),
    ("bot.web", "commands"),
    ("bot.whatsapp.client", "bot.whatsapp.paces", "bot.rocketchat.realtime", "bot.rocketchat.rest",
     "bot.rocketchat.livechat", "bot.rocketchat.credentials", "bot.rocketchat.http", "bot.rocketchat.files",
     "bot.storage", "bot.callbacks"),
    ("bot.startup",),
    ("bot.doors",),
    ("bot.doctor",),
    ("bot.handlers",),
    ("bot.app",),
    ("bot.stage_page",),
    ("bot.stage",),
    ("bot.demo",),
    ("bot.cli",),
    ("bot.__main__",),
]  # fmt: skip
OUTSIDE = {
    "asyncio", "aiohttp", "asyncpg", "websockets", "sqlite3", "tinydb", "requests", "rocketchat_API", "socket",
    "threading",
}  # fmt: skip
PURE = {"bot.doctor.facts", "bot.doctor.judge", "bot.chatops.command", "bot.chatops.form", "bot.relay.retry"}
COMMANDS_MAY_SEE = {
    "bot.chatops.command", "bot.chatops.form", "bot.chatops.template_form", "bot.model", "bot.errors", "bot.ports",
}  # fmt: skip


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def floor_of(module: str) -> int:
    """The longest name that fits decides: an adapter in a pure package stands on its own floor."""
    fits = [
        (len(name), number)
        for number, names in enumerate(FLOORS)
        for name in names
        if module == name or (module.startswith(name + ".") and name != "bot")
    ]
    assert fits, f"{module} stands on no floor: give it one"
    return max(fits)[1]


def imports_of(path: Path) -> set[str]:
    known = {name_of(source) for source in SOURCES}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute here"
            found |= {
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in known else str(node.module)
                for alias in node.names
            }
    return found


def is_ours(module: str) -> bool:
    return module == "bot" or module.startswith(("bot.", "commands"))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    module = name_of(path)
    ours = {name for name in imports_of(path) if is_ours(name)}

    if module.startswith("bot.sandbox"):
        assert {name for name in ours if not name.startswith("bot.sandbox")} == set(), "the judge must not know us"
        return
    climbs = {
        name for name in ours
        if not name.startswith("bot.sandbox") and floor_of(name) > floor_of(module)
    }  # fmt: skip
    assert climbs == set()
    assert module in ("bot.stage", "bot.demo") or not any(name.startswith("bot.sandbox") for name in ours)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_pure_modules_do_no_io(path: Path) -> None:
    module = name_of(path)
    if module.startswith("bot.sandbox") or (floor_of(module) > 3 and module not in PURE):
        return
    outside = {name.split(".")[0] for name in imports_of(path)} & OUTSIDE

    assert outside == set()


@pytest.mark.parametrize("path", [p for p in SOURCES if name_of(p).startswith("commands")], ids=name_of)
def test_commands_see_little(path: Path) -> None:
    ours = {name for name in imports_of(path) if is_ours(name) and not name.startswith("commands")}

    assert ours - COMMANDS_MAY_SEE == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sql_numbers_no_values(path: Path) -> None:
    """Python 3.12.0 to 3.12.3, Ubuntu 24.04's among them, take `?1` for a name and warn of every such statement
    (github.com/python/cpython/issues/117995)."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip

    assert not [text for text in texts if re.search(r"\b(SELECT|INSERT|UPDATE|VALUES|SET)\b", text)
                and re.search(r"[\s(=]\?\d", text)]  # fmt: skip


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
