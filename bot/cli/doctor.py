"""`python -m bot doctor`: what may be wrong, why, and what to do."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path

from bot.cli.subcommand import Options, Parser, Subcommand, called, plain, settings
from bot.config import Settings
from bot.doctor.examine import examine
from bot.doctor.judge import worst
from bot.logs import secrets_of
from bot.ports import Finding
from bot.translations import Translate, translator

_PROGRAM = "python -m bot "


def _options(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")


async def _doctor(options: Options) -> int:
    configured = settings(options)
    t = translator(configured.app.preferred_language)
    found = [_with_config(one, options) for one in await examine(configured)]
    if options.config is not None and await asyncio.to_thread(_is_open, options.config, configured):
        found = [_open(options.config) if one.says == "doctor.config_ok" else one for one in found]
    print(_as_json(found, t) if options.json else _as_text(found, t))
    return 1 if worst(found) == "problem" else 0


def _is_open(file: Path, configured: Settings) -> bool:
    """Whether others of this machine can read secrets in it. A group may be meant to: so deploy/README.md does it."""
    text = file.read_text(encoding="utf-8-sig")
    return bool(file.stat().st_mode & stat.S_IROTH) and any(one and one in text for one in secrets_of(configured))


def _open(file: Path) -> Finding:
    return Finding("configuration", "hint", "doctor.config_open", {"file": str(file)}, "doctor.config_open.fix")


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
