"""The table that is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    figure: str
    found: str
    target: str = ""
    ok: bool | None = None
    """None: there is no target, or it was not measured."""

    def __str__(self) -> str:
        verdict = {True: "held", False: "MISSED", None: ""}[self.ok]
        return f"| {self.figure} | {self.found} | {self.target} | {verdict} |"


HEAD = "| figure | found | target | |\n|---|---|---|---|"


def at_least(figure: str, ratio: float, least: float, detail: str) -> Row:
    return Row(figure, f"{_short(ratio)} ({detail})", f"≥ {least}", ratio >= least)


def at_most(figure: str, ratio: float, most: float, detail: str) -> Row:
    return Row(figure, f"{_short(ratio)} ({detail})", f"≤ {most}", ratio <= most)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 or number == 0 else f"{number:.2f}"
