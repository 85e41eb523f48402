"""The doctor looks whether a bot is there, and keeps none from starting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bot.storage.files import FolderLock, StorageError
from bot.storage.inspection import in_use


def test_looking_again_and_again_keeps_no_bot_from_starting(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            in_use(tmp_path)

    doctor = threading.Thread(target=look)
    doctor.start()
    try:
        for _ in range(50):
            lock = FolderLock(tmp_path)
            lock.take()
            assert in_use(tmp_path)
            lock.free()
    finally:
        stop.set()
        doctor.join()


def test_a_folder_in_use_is_in_use_for_a_second_bot(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.take()
    try:
        with pytest.raises(StorageError, match="in use by process"):
            FolderLock(tmp_path).take()
    finally:
        lock.free()
    assert not in_use(tmp_path)
