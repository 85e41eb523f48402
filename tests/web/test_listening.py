"""Where nothing can be listened to, an operator reads why, and what to do."""

from __future__ import annotations

import socket

import pytest

from bot.config import ConfigError
from bot.web.server import application, serving

TAKEN = "is used by another program, perhaps another bot: end it, or take another port."
FOREIGN = "is no place of this machine: host is 127.0.0.1, or 0.0.0.0 for all its addresses."


@pytest.mark.parametrize(
    ("host", "advice"),
    [("127.0.0.1", TAKEN), ("192.0.2.1", FOREIGN), ("no host", FOREIGN)],
    ids=["taken", "of documentation (RFC 5737)", "no name"],
)
async def test_why_and_what_to_do_is_said(host: str, advice: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as refused:
            async with serving(application([]), host, port):
                pass

    assert str(refused.value) == f"[server] {host}:{port} {advice}"
