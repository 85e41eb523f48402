"""No text is missing: every key that chat, pages and commands name is in the English catalogue; none is left over."""

import re
from pathlib import Path

from bot.chatops.command import Command
from bot.chatops.dialogue import WORDS
from bot.config import App
from bot.translations import catalogues
from commands import ALL
from commands.connect import MESSAGES

ROOT = Path(__file__).parents[2]
GROUPS = (
    "command|help|account|key|form|connect|numbers|disconnect|health|page|setup"
    "|edit|reconnect|quality|settings|support|endpoints"
)
KEY = re.compile(rf'"((?:{GROUPS})\.[a-z0-9_.]*[a-z0-9_])"')
LIVE = ROOT / "bot" / "relay" / "live_settings.py"
NO_TEXTS = {
    "form.page", "form.question", "form.summary", "help.list", "numbers.list", "setup.instructions", "form.submit",
    "settings.list", "support.list",
}  # fmt: skip
"""Names of replies that a layout draws, and of a kind of entry."""


def named() -> set[str]:
    """Keys that stand in the sources as they are."""
    sources = [*(ROOT / "bot" / "chatops").glob("*.py"), *(ROOT / "commands").glob("*.py"), LIVE]
    sources += [*(ROOT / "bot" / "web").glob("*.py"), *(ROOT / "templates").rglob("*.j2")]
    return {key for path in sources for key in KEY.findall(path.read_text(encoding="utf-8"))} - NO_TEXTS


def computed(commands: tuple[Command, ...]) -> set[str]:
    """Keys that are put together from names."""
    forms = [form.name for command in commands for form in command.forms]
    keys = {f"{name}.{part}" for name in forms for part in ("title", "intro", "submit", "cancelled", "page_intro")}
    keys |= {f"form.words.{word}" for word in WORDS}
    keys |= {f"form.button.{word}" for word in ("cancel", "back", "skip", "clear", "keep", "rest", "again")}
    keys |= {f"settings.{name}{part}" for name in App.model_fields for part in ("", ".help")}
    keys |= {f"connect.{name}{part}" for name in MESSAGES for part in ("", ".help")}
    keys |= {f"{key}_plain" for key in named() if key.startswith("health.") and not key.endswith("_plain")}
    return keys | {f"{key}.title" for key in named() if key.startswith("page.") and f"{key}.title" in texts()}


def texts() -> set[str]:
    return {str(message.id[0] if isinstance(message.id, tuple) else message.id) for message in catalogues()["en"]}


def test_every_text_that_is_used_exists() -> None:
    assert (named() | computed(ALL)) - texts() == set()


def test_every_page_that_only_says_something_has_a_title() -> None:
    source = (ROOT / "bot" / "web" / "forms.py").read_text(encoding="utf-8")
    pages = set(re.findall(r'_message\(\s*"(page\.[a-z_]+)"', source))

    assert len(pages) >= 6
    assert {f"{page}.title" for page in pages} - texts() == set()


def test_no_text_of_ours_is_left_over() -> None:
    ours = {key for key in texts() if re.match(rf"(?:{GROUPS})\.", key)}

    assert ours - named() - computed(ALL) == set()
