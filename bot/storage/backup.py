"""A bot's folder as one file: the journal as it stood in one moment, the registry, the key file.

Written beside a running bot: the journal is read in one transaction and writers go on. The archive is a gzipped tar of
mode 0600 whose first member, `manifest.json`, names the others with size and SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bot import VERSION
from bot.config import Storage
from bot.storage import journal_schema
from bot.storage.files import StorageError, sync_folder
from bot.storage.inspection import REGISTRY
from bot.storage.journal_sqlite import FILE as JOURNAL
from bot.storage.secrets import Vault

MANIFEST = "manifest.json"
KEY = "secret.key"
FORMAT = 1
_SHARED = (
    "[storage] database_url is set, so everything but the key file is in PostgreSQL. Back it up with PostgreSQL's own "
    "tools: pg_dump --schema=whatsapp_360d --format=custom …, and copy the key file {key} to where you keep secrets. "
    "After pg_restore: python -m bot restore, without a file."
)


def backup(config: Storage, target: Path, *, with_key: bool = True) -> Path:
    """Writes the archive, beside a running bot too; `target` is a new file, or a folder. Returns the file.

    Raises StorageError; then there is no file, not even a part of one."""
    only_sqlite(config)
    journal = config.data_dir / JOURNAL
    if not journal.exists():
        raise StorageError(f"There is nothing to back up: {journal} does not exist. Is [storage] data_dir right?")
    file = target / time.strftime("whatsapp-bot-%Y%m%d-%H%M%S.tar.gz", time.gmtime()) if target.is_dir() else target
    if file.exists():
        raise StorageError(f"{file} exists already, and a backup is never written over. Choose another name.")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as folder:
            parts = _collect(config, Path(folder), with_key=with_key)
            part = Path(folder) / "archive"
            _write_archive(part, parts)
            part.rename(file)
        sync_folder(file.parent)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}.") from None
    return file


def _collect(config: Storage, folder: Path, *, with_key: bool) -> dict[str, Path]:
    """The key file is read first and last: while it is being changed the copies would not belong together."""
    key = _read_key(config)
    parts = {JOURNAL: folder / JOURNAL}
    _copy_journal(config.data_dir / JOURNAL, parts[JOURNAL])
    if (config.data_dir / REGISTRY).exists():
        parts[REGISTRY] = folder / REGISTRY
        shutil.copyfile(config.data_dir / REGISTRY, parts[REGISTRY])
    if _read_key(config) != key:
        raise StorageError(f"The key file {config.key_file} was changed meanwhile. Do it once more.")
    if with_key:
        parts[KEY] = folder / KEY
        parts[KEY].write_bytes(key)
    return parts


def _read_key(config: Storage) -> bytes:
    if not config.key_file.exists():
        raise StorageError(f"The key file {config.key_file} is missing: without it a backup could not be read.")
    Vault(config.key_file)
    return config.key_file.read_bytes()


def _copy_journal(source: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)  # all pages in one transaction: what is committed meanwhile is not in it
            new.execute("PRAGMA journal_mode = DELETE")
            check(new, source)
    except sqlite3.Error as error:
        raise StorageError(f"The journal {source} cannot be read: {error}.") from None


def check(db: sqlite3.Connection, path: Path) -> None:
    """Raises StorageError when the journal is damaged, not ours or newer than this program."""
    [told] = db.execute("PRAGMA quick_check(1)").fetchone()
    [ours] = db.execute("PRAGMA application_id").fetchone()
    [version] = db.execute("PRAGMA user_version").fetchone()
    if told != "ok" or ours != journal_schema.APPLICATION_ID:
        raise StorageError(f"The journal {path} is damaged: {str(told)[:200]}.")
    if version > len(journal_schema.MIGRATIONS):
        raise StorageError(
            f"The journal in {path} was written by a newer version of the bot (format {version}). Install that first."
        )


def _write_archive(path: Path, parts: Mapping[str, Path]) -> None:
    files = {name: {"size": part.stat().st_size, "sha256": digest(part)} for name, part in parts.items()}
    about = {"format": FORMAT, "bot": VERSION, "made_at": time.time(), "files": files}
    text = json.dumps(about, indent=1).encode()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
            archive.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
            for name, part in parts.items():
                with part.open("rb") as content:
                    archive.addfile(_member(name, part.stat().st_size), content)
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def only_sqlite(config: Storage) -> None:
    if config.database_url.get_secret_value():
        raise StorageError(_SHARED.format(key=config.key_file))
