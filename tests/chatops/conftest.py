"""The scene of the dialogs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chatops.browser import Browser, served, working
from tests.chatops.desk import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
async def quiet(scene: Scene) -> AsyncIterator[Browser]:
    """The pages, with nobody working on what they append."""
    async with served(scene) as browser:
        yield browser


@pytest.fixture
async def browser(quiet: Browser) -> AsyncIterator[Browser]:
    async with working(quiet):
        yield quiet
