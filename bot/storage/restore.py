"""A backup put back into an empty folder, so that nobody gets a message twice.

Restoring an old backup is a journey into the past, and WhatsApp has no way to recognise what it was given before. So
what was waiting *for WhatsApp* in the backup becomes a dead letter for a person to decide on, and what agents wrote up
to the moment at which the old bot ended is not sent again (mark `FLOOR`, read by the listener). Towards Rocket.Chat
everything is repeated: the id of a message is computed, so the workspace recognises it. `unchanged` says that no bot
has run since; then it goes on exactly where it stopped.

What nobody can recognise: whoever repeats a templateMessage request with an Idempotency-Key from after the backup, and
a welcome message in a conversation that began after it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bot.config import Storage
from bot.errors import SENT_SINCE
from bot.relay.listener import FLOOR
from bot.storage import journal_schema
from bot.storage.backup import FORMAT, KEY, MANIFEST, check, digest, only_sqlite
from bot.storage.files import FolderLock, StorageError, make_private_folder, sync_folder
from bot.storage.inspection import REGISTRY
from bot.storage.journal_sqlite import FILE as JOURNAL
from bot.storage.journal_tables import show_head
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault

HELD_BACK = ("rc.message", "auto.message", "template.order", "template.send", "form.submit", "chat.message")
"""Kinds whose work may hand something to WhatsApp that it would deliver twice."""
_UNFINISHED = ".restoring"
_ALLOWED = {"lock", "files", _UNFINISHED}
_CHUNK = 1024 * 1024
_LARGEST_MANIFEST = 65536
_LANES = "SELECT DISTINCT lane FROM entries WHERE state = 'waiting' AND kind IN (SELECT value FROM json_each(?))"
_HOLD_BACK = """
    UPDATE entries SET state = 'dead', begun = 0, due = 0, why = ?, closed_at = ?
    WHERE state = 'waiting' AND kind IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, slots=True)
class Restored:
    made_at: float
    has_key: bool
    held_back: int
    """Entries that are dead letters now because they may have been sent since."""


def restore(config: Storage, file: Path, *, lost_at: float, unchanged: bool = False) -> Restored:
    """Puts the archive into an empty `data_dir`. `lost_at`: unix seconds at which the old bot ended.

    Raises StorageError; then the folder is as it was. The files come into their places last, the journal first and the
    key at the end: whatever is interrupted cannot start as something else."""
    only_sqlite(config)
    make_private_folder(config.data_dir)
    lock = FolderLock(config.data_dir)
    lock.take()
    try:
        _needs_empty(config)
        with _aside(config.data_dir) as folder:
            about = _unpack(file, folder)
            vault, has_key = _vault_of(config, folder)
            held_back = _prepare(folder, vault, file, None if unchanged else lost_at, about["made_at"])
            for name, place in ((JOURNAL, config.data_dir), (REGISTRY, config.data_dir)):
                if (folder / name).exists():
                    (folder / name).replace(place / name)
                    sync_folder(place)
            if has_key and not config.key_file.exists():
                _place_key(folder / KEY, config.key_file)
    except OSError as error:
        raise StorageError(f"{file} cannot be restored: {error.strerror or error}.") from None
    finally:
        lock.free()
    return Restored(about["made_at"], has_key, held_back)


def _needs_empty(config: Storage) -> None:
    folder = config.data_dir
    there = sorted(one.name for one in folder.iterdir() if one.name not in _ALLOWED and one != config.key_file)
    if there:
        raise StorageError(
            f"{folder} is not empty ({', '.join(there[:3])}). Nothing is written over: move the folder away, or set "
            "[storage] data_dir to another one."
        )


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A place on the same disk, and empty again afterwards."""
    place = folder / _UNFINISHED
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    try:
        with tarfile.open(file, "r:gz") as archive:
            about = _manifest(archive, file)
            for name, told in about["files"].items():
                _extract(archive, name, told, folder / name, file)
    except FileNotFoundError:
        raise StorageError(f"There is no file {file}.") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StorageError(f"{file} cannot be read as a backup: {error}. Nothing was changed.") from None
    return about


def _manifest(archive: tarfile.TarFile, file: Path) -> dict[str, Any]:
    first = archive.next()
    about: Any = None
    if first is not None and first.name == MANIFEST and first.isreg() and first.size <= _LARGEST_MANIFEST:
        content = archive.extractfile(first)
        assert content is not None
        try:
            about = json.loads(content.read())
            if about["format"] > FORMAT:
                raise StorageError(f"{file} was made by a newer bot ({about['bot']}). Install that version first.")
            names = set(about["files"])
            if JOURNAL in names and names <= {JOURNAL, REGISTRY, KEY} and isinstance(about["made_at"], float):
                return dict(about)
        except (ValueError, KeyError, TypeError):
            pass
    raise StorageError(f"{file} is no backup of this bot. Nothing was changed.")


def _extract(archive: tarfile.TarFile, name: str, told: Mapping[str, Any], place: Path, file: Path) -> None:
    try:
        info = archive.getmember(name)
    except KeyError:
        raise StorageError(f"{file} is incomplete: {name} is missing in it. Nothing was changed.") from None
    content = archive.extractfile(info) if info.isreg() and info.size == told["size"] else None
    if content is not None:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as copy:
            _copy(content, copy)
        if digest(place) == told["sha256"]:
            return
    raise StorageError(f"{file} is damaged: {name} is not what was backed up. Nothing was changed.")


def _copy(content: IO[bytes], copy: IO[bytes]) -> None:
    shutil.copyfileobj(content, copy, _CHUNK)
    copy.flush()
    os.fsync(copy.fileno())


def _vault_of(config: Storage, folder: Path) -> tuple[Vault, bool]:
    """The key that is there already counts; it has to be the one of the backup."""
    packed = folder / KEY
    if not config.key_file.exists():
        if not packed.exists():
            raise StorageError(
                f"The backup was made without the key. Put your copy of the key file to {config.key_file} first."
            )
        return Vault(packed), True
    if packed.exists() and Vault(packed).keys[-1] != Vault(config.key_file).keys[-1]:
        raise StorageError(
            f"{config.key_file} is another key than the one in the backup. Move it away: the right one is in there."
        )
    return Vault(config.key_file), packed.exists()


def _prepare(folder: Path, vault: Vault, file: Path, lost_at: float | None, made_at: float) -> int:
    """Looks whether everything belongs together, and makes of the past what may go on now."""
    path = folder / JOURNAL
    try:
        with closing(sqlite3.connect(path)) as db:
            check(db, file)
            known = db.execute("SELECT value FROM marks WHERE name = 'vault'").fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"The journal in {file} cannot be read: {error}. Nothing was changed.") from None
    if known and known[0] != vault.derive("journal").hex():
        raise StorageError(
            f"The key file {vault.path} is not the one that this backup was made with. Nothing was changed."
        )
    if (folder / REGISTRY).exists():
        TinyRegistry(folder / REGISTRY, vault)
    writing, reading = journal_schema.open_journal(path)
    reading.close()
    with closing(writing) as db:
        held_back = 0
        if lost_at is not None:
            db.execute("BEGIN IMMEDIATE")
            held_back = _hold_back(db, made_at)
            db.execute(
                "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (FLOOR, str(lost_at)),
            )
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
    return held_back


def _hold_back(db: sqlite3.Connection, made_at: float) -> int:
    kinds = json.dumps(HELD_BACK)
    lanes = [row[0] for row in db.execute(_LANES, (kinds,))]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(made_at))
    why = f"it waited in the backup of {when} and {SENT_SINCE}"
    held_back = db.execute(_HOLD_BACK, (why, time.time(), kinds)).rowcount
    for lane in lanes:
        show_head(db, lane)
    return held_back


def _place_key(packed: Path, place: Path) -> None:
    make_private_folder(place.parent)
    fresh = place.with_name(f"{place.name}.new")
    shutil.copyfile(packed, fresh)
    fresh.chmod(0o600)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(place)
    sync_folder(place.parent)
