"""The command line as a whole; what each subcommand does is tested where its subject is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.__main__ import SUBCOMMANDS, main
from tests.configured import configured
from tests.kept_logging import logging_kept


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The program sets up the log of its process, and here that is the test run's."""
    with logging_kept():
        yield


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path, tmp_path / "data")


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    told = capsys.readouterr().out
    assert left.value.code == 0
    assert [one.name for one in SUBCOMMANDS] == re.findall(r"^    ([a-z-]+)", told, re.MULTILINE)


@pytest.mark.parametrize("one", SUBCOMMANDS, ids=lambda one: str(one.name))
def test_every_subcommand_explains_itself(one: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = getattr(one, "name", "")
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])

    told = capsys.readouterr().out
    assert left.value.code == 0
    assert told.startswith(f"usage: python -m bot {name} ")
    assert ("--config FILE" in told) == getattr(one, "needs_config", None)


def test_a_recording_that_cannot_be_read_ends_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["demo", "--replay", str(tmp_path / "nowhere.json")]) == 2
    told = capsys.readouterr().err
    assert told == f"{tmp_path / 'nowhere.json'} cannot be read: No such file or directory\n"


def test_a_configuration_that_cannot_be_used_ends_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["dead", "--config", str(tmp_path / "nowhere.toml")]) == 2

    assert "Copy config.example.toml" in capsys.readouterr().err


def test_no_dead_letters(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    assert main(["dead", "--config", str(config)]) == 0
    assert "No dead letters" in capsys.readouterr().out


def test_an_unknown_dead_letter_is_said_and_ends_with_1(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    assert main(["dead", "--config", str(config), "--retry", "wa:1"]) == 1
    assert "no dead letter wa:1" in capsys.readouterr().err
