"""SECURITY.md promises nothing without a place: every file that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_that_is_named_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:tests|bot|\.ci)/[\w./]+\w", text))

    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
