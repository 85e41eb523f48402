"""`python -m bot doctor`: what may be wrong, why, and what to do."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.cli.subcommand import Options, Parser, Subcommand, called, plain, settings
from bot.doctor.examine import examine
from bot.doctor.judge import worst
from bot.ports import Finding
from bot.translations import Translate, translator

_PROGRAM = "python -m bot "


def _options(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")


async def _doctor(options: Options) -> int:
    configured = settings(options)
    t = translator(configured.app.preferred_language)
    found = [_with_config(one, options) for one in await examine(configured)]
    print(_as_json(found, t) if options.json else _as_text(found, t))
    return 1 if worst(found) == "problem" else 0


def _with_config(finding: Finding, options: Options) -> Finding:
    """A command that it says has to find the same configuration."""
    command = str(finding.values.get("command", ""))
    if not command.startswith(_PROGRAM):
        return finding
    return replace(finding, values={**finding.values, "command": called(command.removeprefix(_PROGRAM), options)})


def _as_json(found: list[Finding], t: Translate) -> str:
    checks = [
        {
            "check": one.check,
            "result": one.verdict,
            "cause": t(one.says, **one.values),
            "fix": t(one.fix, **one.values) if one.fix else "",
        }
        for one in found
    ]
    return json.dumps({"result": worst(found), "checks": checks}, ensure_ascii=False, indent=2)


def _as_text(found: list[Finding], t: Translate) -> str:
    lines = [t("doctor.title", **{verdict: sum(one.verdict == name for one in found) for verdict, name in _COUNTED})]
    marks = {"fine": "✓", "hint": "!", "problem": "✗"}
    for one in found:
        lines.append(f"{marks[one.verdict]} {plain(t(one.says, **one.values))}")
        if one.fix:
            lines.append(f"    → {plain(t(one.fix, **one.values))}")
    return "\n".join(lines)


_COUNTED = (("problems", "problem"), ("hints", "hint"), ("fine", "fine"))


DOCTOR = Subcommand(
    name="doctor",
    help="check everything, with cause and fix",
    description=(
        "Checks the configuration, both servers, the WhatsApp numbers, the public address and this machine; says what "
        "is wrong and what to do. Works beside the running bot and without it. Ends with 0 when all is well, 1 when "
        "there are problems, 2 when the configuration cannot be read."
    ),
    options=_options,
    act=_doctor,
)
