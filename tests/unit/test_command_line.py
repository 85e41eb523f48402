"""The command line as a whole; what each subcommand does is tested where its subject is."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.__main__ import SUBCOMMANDS, main
from bot.doors import SystemClock
from bot.ports import Entry
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
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


def test_without_a_subcommand_all_of_them_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert [one.name for one in SUBCOMMANDS] == re.findall(r"^    ([a-z-]+)", told.err, re.MULTILINE)


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


def test_a_folder_in_place_of_the_configuration_is_said_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["doctor", "--config", str(tmp_path)]) == 2

    assert capsys.readouterr().err == f"{tmp_path} cannot be read: Is a directory\n"


@pytest.mark.parametrize("port", ["65536", "-1", "http", "٨"])
def test_what_is_no_port_is_said(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["demo", f"--port={port}"])

    assert left.value.code == 2
    assert "is no port: write a number up to 65535" in capsys.readouterr().err


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_port_of_the_demo_that_is_taken_is_said(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", f"--port={taken}"]) == 2

    told = capsys.readouterr().err
    assert told == f"The page cannot be shown on port {taken}: Address already in use. Take another --port.\n"


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    config = configured(tmp_path, tmp_path / "file" / "data")

    assert main(["restore", str(tmp_path / "no.tar"), "--config", str(config)]) == 2
    assert "name another place in [storage]." in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "dead", "dead --retry all", "audit", "audit --verify", "keys show", "keys rotate", "keys prune",
        "trace wamid.X", "contact export +491701234567", "contact erase +491701234567",
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_key", [False, True])
def test_in_a_wrong_folder_nobody_says_that_all_is_delivered_erased_or_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path, command: str, with_key: bool
) -> None:
    """And nothing is made there, which would stand in the way of a restore."""
    data = tmp_path / "data"
    if with_key:
        Vault(data / "secret.key")
    before = sorted(data.rglob("*"))

    assert main([*command.split(), "--config", str(config)]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert f"Nothing is stored in {data}. Is [storage] data_dir right?" in told.err
    assert sorted(data.rglob("*")) == before


async def test_the_audit_log_is_read_beside_the_running_bot(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    data = tmp_path / "data"
    async with SqliteJournal(data, Vault(data / "secret.key"), SystemClock()):
        assert await asyncio.to_thread(main, ["audit", "--config", str(config)]) == 0
        assert await asyncio.to_thread(main, ["audit", "--verify", "--config", str(config)]) == 0
    assert capsys.readouterr().out == (
        "Nobody has changed or sent anything yet.\nThe log is whole: no record was changed or taken out.\n"
    )


async def test_dead_letters_are_listed_beside_the_running_bot_and_retried_without_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    data, command = tmp_path / "data", ["dead", "--config", str(config)]
    async with SqliteJournal(data, Vault(data / "secret.key"), SystemClock()) as journal:
        assert await asyncio.to_thread(main, command) == 0
        assert "No dead letters" in capsys.readouterr().out
        await journal.append(Entry("wa:1", "lane", "wa.message", {}))
        [entry] = await journal.heads(1)
        await journal.park(entry, "NumberGone")

        assert await asyncio.to_thread(main, command) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0].endswith("wa:1  NumberGone")
        assert told[1:] == [
            "To try them again, in Rocket.Chat: /whatsapp-360d-cloud status",
            f"While the bot is stopped: python -m bot dead --config {config} --retry KEY",
            "(--retry all: every one that surely did not arrive)",
        ]
        assert await asyncio.to_thread(main, [*command, "--retry", "wa:1"]) == 2
        assert "Stop that one first" in capsys.readouterr().err
    assert await asyncio.to_thread(main, [*command, "--retry", "wa:1"]) == 0


async def test_what_may_have_arrived_is_sent_again_only_by_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    data, command = tmp_path / "data", ["dead", "--config", str(config), "--retry"]
    async with SqliteJournal(data, Vault(data / "secret.key"), SystemClock()) as journal:
        await journal.append(Entry("rc:1", "a", "rc.message", {}), Entry("rc:2", "b", "rc.message", {}))
        for entry, why in zip(await journal.heads(2), ("Unsure: no answer", "WindowClosed: 131047"), strict=True):
            await journal.park(entry, why)

    assert await asyncio.to_thread(main, [*command, "all"]) == 0
    unsure, closed = capsys.readouterr().out.splitlines()
    assert unsure.endswith("rc:1  Unsure: no answer  → left: it may have arrived, so ask for it by its key")
    assert closed.endswith("rc:2  WindowClosed: 131047  → waits again")
    assert await asyncio.to_thread(main, [*command, "rc:1"]) == 0
    assert capsys.readouterr().out.endswith("→ waits again\n")


async def nothing_happened_yet(data: Path) -> None:
    async with SqliteJournal(data, Vault(data / "secret.key"), SystemClock()):
        """The bot was started once."""


def test_an_unknown_dead_letter_is_said_and_ends_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    asyncio.run(nothing_happened_yet(tmp_path / "data"))
    assert main(["dead", "--config", str(config), "--retry", "wa:1"]) == 1
    assert "no dead letter wa:1" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "left"), [(["wa:1003"], 1003), (["all"], 0)])
def test_dead_letters_wait_again_however_many_there_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path, asked: list[str], left: int
) -> None:
    @asynccontextmanager
    async def journal() -> AsyncIterator[SqliteJournal]:
        async with SqliteJournal(tmp_path / "data", Vault(tmp_path / "data" / "secret.key"), SystemClock()) as opened:
            yield opened

    async def given_up() -> None:
        async with journal() as opened:
            await opened.append(*(Entry(f"wa:{n}", f"lane:{n}", "wa.message", {}) for n in range(1004)))
            await asyncio.gather(*(opened.park(one, "NumberGone") for one in await opened.heads(2000)))

    async def counts() -> Mapping[str, int]:
        async with journal() as opened:
            return await opened.counts()

    asyncio.run(given_up())
    assert main(["dead", "--config", str(config), "--retry", *asked]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1004
    assert told.out.count("waits again") == 1004 - left
    assert asyncio.run(counts())["dead"] == left
