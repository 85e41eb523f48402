"""`doctor`: everything that may be wrong, each with its cause and what to do; what is fine is said too, briefly."""

from __future__ import annotations

from bot.chatops.command import Command, Desk, Press, Reply, Value, Words, typed
from bot.ports import Finding

_MOST_BAD, _MOST = 10, 30
"""Findings of one answer: Rocket.Chat takes 5000 characters, and one with its fix may have 480."""


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    found = await desk.examine()
    groups = {verdict: [one for one in found if one.verdict == verdict] for verdict in ("problem", "hint", "fine")}
    bad = [*groups["problem"], *groups["hint"]][:_MOST_BAD]
    shown = [*bad, *groups["fine"][: max(0, _MOST - 3 * len(bad))]]
    values: dict[str, Value] = {
        "problems": len(groups["problem"]),
        "hints": len(groups["hint"]),
        "fine": len(groups["fine"]),
        "more": len(found) - len(shown),
        "command": "python -m bot doctor",
    }
    buttons = (Press(Words("doctor.again"), typed("doctor")), Press(Words("connect.show_numbers"), typed("numbers")))
    return Reply("doctor.list", values, tuple(map(_row, shown)), buttons, layout="doctor")


def _row(finding: Finding) -> dict[str, Value]:
    return {
        "verdict": finding.verdict,
        "says": Words(finding.says, finding.values),
        "fix": Words(finding.fix, finding.values) if finding.fix else "",
    }


COMMAND = Command(name="doctor", summary="doctor.summary", open=show)
