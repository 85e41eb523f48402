"""The scene of the dialogs."""

from pathlib import Path

import pytest

from tests.chatops.desk import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)
