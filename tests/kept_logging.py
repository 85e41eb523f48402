"""For tests that set up logging as the program does: afterwards all is as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bot.logs import OURS


@contextmanager
def logging_kept() -> Iterator[None]:
    root, names = logging.getLogger(), ("", *OURS)
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in names}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
