"""For tests that type a command while a stage runs in the same loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.kept_logging import logging_kept


async def typed(config: Path, capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> tuple[int, str]:
    """`python -m bot command --config … arguments`: its exit code and all that it said."""
    with logging_kept():
        code = await asyncio.to_thread(main, [command, "--config", str(config), *arguments])
    told = capsys.readouterr()
    return code, told.out + told.err
