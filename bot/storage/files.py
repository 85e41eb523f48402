"""What every store in `data_dir` needs: a private folder, one process in it, and files that are whole or not there."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import ClassVar

from bot.config import ConfigError

_ATTEMPTS, _BETWEEN = 10, 0.02


class StorageError(ConfigError):
    """What is stored cannot be used. The message names the file and says what to do; nothing was overwritten."""


class StorageHeld(StorageError):
    """It cannot be written at the moment. Once somebody has done what the message says, the bot goes on by itself."""

    lacks: ClassVar[str] = "its journal, which another program holds"


class DiskFull(StorageHeld):
    """There is no space left. What was asked for is not stored; it can be asked for again."""

    lacks = "space on its disk"


def make_private_folder(folder: Path) -> None:
    """Makes the folder and its parents, closed to other users. One that is there already keeps its mode."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(path.parent)
        except OSError as error:
            raise StorageError(
                f"The folder {path} cannot be made: {error.strerror}. Make it for the user that the bot runs as, or "
                "name another place in [storage]."
            ) from None


def sync_folder(folder: Path) -> None:
    """A new or renamed file survives a power cut only when its folder was written too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Replaces the file in one step: whoever reads it, at any moment, finds the old or the new text complete."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _locked(handle: int) -> bool:
    """Tried for a moment: the doctor, who looks whether a bot is there, holds it for as long as a look takes."""
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if attempt < _ATTEMPTS - 1:
                time.sleep(_BETWEEN)
    return False


class FolderLock:
    """One process per folder. The lock dies with the process, however that dies; the file stays and means nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._handle: int | None = None

    def take(self) -> None:
        """Raises StorageError that names the holder."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be opened: {error.strerror}.") from None
        if not _locked(handle):
            holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
            os.close(handle)
            raise StorageError(
                f"{self._path.parent} is in use by {holder}. Stop that one first, or give this one its own data_dir."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._handle = handle

    def free(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
