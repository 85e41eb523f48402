"""This machine: the key file, the disk, what is stored, and whether the languages are complete."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config import Storage
from bot.doctor.facts import HouseFacts
from bot.storage.files import StorageError
from bot.storage.inspection import Inspected, existing_vault, in_use, inspect
from bot.storage.secrets import Vault
from bot.translations import FALLBACK, catalogues, is_known_language

_WRITES = 5


@dataclass(frozen=True, slots=True)
class House:
    facts: HouseFacts
    stored: Inspected
    vault: Vault | None


async def look(config: Storage, language: str) -> House:
    vault, key, key_said = None, "fine", ""
    try:
        vault = await asyncio.to_thread(existing_vault, config)
        key = "fine" if vault else "new"
    except StorageError as error:
        key, key_said = "bad", str(error)
    stored, store, said = Inspected(""), "fine", ""
    try:
        stored = await inspect(config, vault)
        store = "new" if stored.new else "fine" if stored.checked else "unchecked"
    except StorageError as error:
        store, said = "bad", str(error)
    free, write_ms, disk = await asyncio.to_thread(_disk, config.data_dir)
    everything = await asyncio.to_thread(_texts)
    facts = HouseFacts(
        folder=str(config.data_dir),
        free=free,
        write_ms=write_ms,
        disk=disk,
        store=store,  # type: ignore[arg-type]  # one of the words above
        where=stored.where,
        format=stored.format,
        said=said,
        waiting=stored.waiting,
        dead=stored.dead,
        key=key,  # type: ignore[arg-type]  # same
        key_file=str(config.key_file),
        key_said=key_said,
        running=await asyncio.to_thread(in_use, config.data_dir),
        incomplete={name: len(lacks) for name, texts in everything.items() if (lacks := everything[FALLBACK] - texts)},
        languages=len(everything),
        unknown_language="" if is_known_language(language) else language,
    )
    return House(facts, stored, vault)


def _texts() -> Mapping[str, frozenset[object]]:
    """The keys of each language."""
    return {name: frozenset(message.id for message in one if message.id) for name, one in catalogues().items()}


def _disk(folder: Path) -> tuple[int, float, str]:
    """Free bytes, median milliseconds of a small write that reaches the disk, and what went wrong.

    A folder that is not there yet is not made: its nearest parent stands for it."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free, taken = shutil.disk_usage(place).free, []
        with tempfile.NamedTemporaryFile(dir=place, prefix="doctor-") as file:
            for _ in range(_WRITES):
                began = time.perf_counter()
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
                taken.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        return 0, 0.0, error.strerror or type(error).__name__
    return free, statistics.median(taken), ""
