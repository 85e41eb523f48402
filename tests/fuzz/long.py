"""`python -m tests.fuzz.long TARGET [libFuzzer options] [FOLDER …]`: with atheris, for as long as you like.

Atheris is no dependency of the project: `pip install atheris` into an environment of its own that sees the project's.
What it finds goes as a line of base64 into `tests/fuzz/found/<target>.txt`: every run of the tests tries it again.
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    atheris = importlib.import_module("atheris")
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    with atheris.instrument_imports(include=["bot"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    if name not in targets:
        sys.exit(f"usage: python -m tests.fuzz.long {'|'.join(targets)} [-max_total_time=SECONDS] [FOLDER …]")
    atheris.Setup(sys.argv, targets[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
