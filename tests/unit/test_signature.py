"""The agent's name in front of a message."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import ChatMessage, MessageId, RoomId, UserId
from bot.whatsapp.signature import signature, signed


def message(name: str = "Anna", username: str = "anna.b", *, automatic: bool = False) -> ChatMessage:
    return ChatMessage(
        MessageId("m"), RoomId("r"), UserId("u"), username, name, "hi", 0, automatic=automatic
    )  # fmt: skip


@pytest.mark.parametrize(("shown", "line"), [("none", ""), ("name", "*Anna:*"), ("username", "*anna.b:*")])
def test_the_setting_says_which_name(shown: Literal["none", "name", "username"], line: str) -> None:
    assert signature(message(), shown) == line


def test_without_a_name_the_user_name_stands_in() -> None:
    assert signature(message(name=" "), "name") == "*anna.b:*"


def test_integrations_sign_nothing() -> None:
    assert signature(message(automatic=True), "name") == ""


@given(st.text(max_size=100))
def test_a_name_never_breaks_out_of_its_line(name: str) -> None:
    line = signature(message(name=name), "name")

    assert line.startswith("*") and line.endswith(":*")
    assert not set(line[1:-2]) & set("*_~`\n")
    assert len(line) <= 63


def test_a_caption_may_be_empty() -> None:
    assert signed("", "*Anna:*") == "*Anna:*"
    assert signed("look", "") == "look"
    assert signed("look", "*Anna:*") == "*Anna:*\nlook"
