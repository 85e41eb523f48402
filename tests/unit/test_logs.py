"""Log lines: nothing leaks, whatever is logged and however; every line of a message bears its id."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.config import RocketChat, Server, Settings
from bot.logs import Format, about, configure, formatter, secrets_of
from tests.kept_logging import logging_kept

SECRET = "the-token-of-the-account"
WAMID = "wamid.HBgNNDkxNzAxMjM0NTY3FQIAEhgUM0EwMjQ1Njc4OTAxMjM0NTY3ODkA"
numbers = st.integers(10**9, 10**15).map(str)


def written(form: Format, log: Any) -> str:
    """What `log(logger)` writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(form, [SECRET, "", "abc"]))
    logger = logging.Logger("bot.test")
    logger.addHandler(handler)
    log(logger)
    return stream.getvalue()


def test_a_line_for_people() -> None:
    line = written("text", lambda log: log.warning("the %s is %s", "disk", "full"))

    assert line.endswith("Z WARNING bot.test: the disk is full\n")


def test_a_line_for_programs() -> None:
    def log(logger: logging.Logger) -> None:
        with about("rc:abc"):
            logger.info("it is %d", 1, extra={"seconds": 1.5})

    line = json.loads(written("json", log))

    assert {name: line[name] for name in ("event", "level", "logger", "entry")} == {
        "event": "it is 1", "level": "info", "logger": "bot.test", "entry": "rc:abc",
    }  # fmt: skip
    assert line["timestamp"].endswith("Z")


async def test_each_task_has_its_own_id() -> None:
    lines: list[str] = []

    async def work(key: str) -> None:
        with about(key):
            await asyncio.sleep(0)
            lines.append(written("json", lambda log: log.info("done")))

    await asyncio.gather(work("one"), work("two"))
    lines.append(written("json", lambda log: log.info("done")))

    assert [json.loads(line).get("entry") for line in lines] == ["one", "two", None]


@pytest.mark.parametrize("form", ["text", "json"])
@given(number=numbers, before=st.sampled_from(["+", "", "call ", "wa:", "(", "to=", "/"]))
def test_no_phone_number_leaves_wherever_it_stands(form: Format, number: str, before: str) -> None:
    def log(logger: logging.Logger) -> None:
        with about(f"wa:{number}:x"):
            logger.info(f"{before}{number}")
            logger.info("%s and %r and %d", f"{before}{number}", {"to": number}, int(number))
            logger.info("more", extra={"a": number, "b": [{"c": int(number)}], number: 1})
            try:
                raise ValueError(f"no {before}{number}")
            except ValueError:
                logger.exception("failed")

    text = written(form, log)

    assert number not in text
    assert number[-3:] in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_the_configuration_leaves(form: Format) -> None:
    def log(logger: logging.Logger) -> None:
        logger.info("%s", SECRET)
        try:
            raise ValueError(f"https://host/{SECRET}/x")
        except ValueError:
            logger.exception("failed", extra={"headers": {"X-Auth-Token": SECRET}})

    text = written(form, log)

    assert SECRET not in text
    assert "https://host/…/x" in text


def test_a_message_id_keeps_its_end_and_loses_the_number_in_it() -> None:
    def log(logger: logging.Logger) -> None:
        with about(f"wa:4915112345678:{WAMID}"):
            logger.info("done")

    line = json.loads(written("json", log))

    assert line["entry"] == f"wa:…678:wamid.…{WAMID[-8:]}"


def test_what_others_said_cannot_begin_a_line() -> None:
    text = written("text", lambda log: log.info("it said: %s", "x\n2026-01-01 ERROR bot: stolen"))

    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("sign", ["\x1b", "\x9b", "\x07", "\x00", "\r", "\u202e"])
def test_no_line_commands_the_terminal_in_which_it_is_read(sign: str) -> None:
    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError(f"a{sign}[2J")
        except ValueError:
            log.exception("it said: %s", f"b{sign}]0;owned")

    text = written("text", fail)
    assert sign not in text
    assert "[2J" in text and "owned" in text


@pytest.mark.parametrize(
    "login",
    [
        RocketChat(url="https://c", user_id="u", auth_token=SecretStr(SECRET)),
        RocketChat(url="https://c", username="u", password=SecretStr(SECRET)),
    ],
)
def test_every_secret_of_the_configuration_is_known(login: RocketChat) -> None:
    settings = Settings(
        rocketchat=login,
        server=Server(public_url="https://b", api_token=SecretStr("api"), metrics_token=SecretStr("m" * 16)),
    )

    assert {SECRET, "api", "m" * 16} <= set(secrets_of(settings))


def test_configuring_again_replaces_what_was_and_libraries_never_tell_all() -> None:
    with logging_kept():
        configure("ERROR", "text")
        configure("DEBUG", "json")

        assert len(logging.getLogger().handlers) == 1
        assert logging.getLogger("bot.relay.worker").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("websockets.client").isEnabledFor(logging.DEBUG), "they write out every frame"
