"""What a subcommand is, and the options that several of them share."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot import logs
from bot.config import Settings, load

Parser = argparse.ArgumentParser
Options = argparse.Namespace


def nothing(_: Parser) -> None:
    """No options."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """`act` returns the exit code: 0 fine, 1 something is not as it should be. A ConfigError that it raises is shown
    as it is and ends the program with 2."""

    name: str
    help: str
    """One line in the list of subcommands."""
    act: Callable[[Options], Awaitable[int]]
    options: Callable[[Parser], None] = nothing
    """Adds the subcommand's own options."""
    description: str = ""
    """What `--help` of it says; empty: the same as `help`."""
    needs_config: bool = True
    """It takes `--config FILE`; `settings(options)` reads it."""
    log_level: Literal["INFO", "WARNING"] = "WARNING"
    """When `--log-level` is not given."""

    def add_to(self, table: argparse._SubParsersAction[Parser]) -> None:
        parser = table.add_parser(self.name, help=self.help, description=self.description or self.help)
        if self.needs_config:
            parser.add_argument(
                "--config", type=Path, metavar="FILE",
                help="configuration file, see config.example.toml (default: environment variables WA360D_… only)",
            )  # fmt: skip
        self.options(parser)
        parser.set_defaults(subcommand=self)


def called(name: str, options: Options) -> str:
    """How another subcommand is called with the configuration of this one."""
    return f"python -m bot {name}" + (f" --config {shlex.quote(str(options.config))}" if options.config else "")


def settings(options: Options) -> Settings:
    """Of a subcommand that takes `--config`; from here on its log is as configured. Raises ConfigError."""
    configured = load(options.config)
    told = configured.log.level if options.subcommand.log_level == "INFO" else options.subcommand.log_level
    logs.configure(options.log_level or told, options.log_format or configured.log.format, logs.secrets_of(configured))
    return configured


def plain(text: str) -> str:
    """For a terminal: what people typed or other servers said may hold no control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)
