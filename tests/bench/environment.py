"""The environment of pywa: made once beside the project's own, from pinned versions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.bench.machine import ROOT

FOLDER = ROOT / ".venv-bench"
PINNED = ("pywa==4.5.0", "fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0")


async def pywa_python() -> Path | None:
    """Its interpreter; None when it cannot be made (no network)."""
    python = FOLDER / "bin" / "python"
    ready = FOLDER / "ready"
    if not ready.exists():
        steps = ((sys.executable, "-m", "venv", str(FOLDER)), (str(python), "-m", "pip", "install", "-q", *PINNED))
        for step in steps:
            process = await asyncio.create_subprocess_exec(
                *step, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            if await process.wait():
                return None
        ready.touch()
    return python
