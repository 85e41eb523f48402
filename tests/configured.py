"""A configuration for subcommands that need no server."""

from __future__ import annotations

from pathlib import Path

_TEXT = """
[rocketchat]
url = "http://127.0.0.1:1"
user_id = "bot"
auth_token = "secret"
[server]
public_url = "https://bot.example.com"
[storage]
data_dir = "{folder}"
"""


def configured(folder: Path, data: Path) -> Path:
    """The file, in `folder`, of a bot that stores in `data`."""
    path = folder / "config.toml"
    path.write_text(_TEXT.format(folder=data), encoding="utf-8")
    return path
