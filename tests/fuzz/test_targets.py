"""The three ways in that read what strangers send: spoilt deliveries, requests and frames, and what was once found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.shapes import DELIVERIES, FRAMES, REQUEST, spoilt
from tests.fuzz.targets import TARGETS, ddp, found, template, webhook


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_by_long_runs_still_passes(name: str) -> None:
    corpus = list(found(name))
    assert corpus, "the folder has what a run of some minutes kept"
    for data in corpus:
        TARGETS[name](data)


@pytest.mark.parametrize("good", DELIVERIES)
def test_every_kind_is_read(good: Any) -> None:
    webhook(written(good))


@settings(max_examples=300)
@given(spoilt(DELIVERIES))
def test_a_spoilt_delivery_is_kept_and_does_nothing(delivery: Any) -> None:
    webhook(written(delivery))


@settings(max_examples=200)
@given(spoilt([REQUEST]))
def test_a_spoilt_request_is_refused_with_a_text(request: Any) -> None:
    template(written(request))


@settings(max_examples=200)
@given(st.lists(spoilt(FRAMES), min_size=1, max_size=4))
def test_spoilt_frames_break_nothing(frames: list[Any]) -> None:
    ddp(b"\n".join(map(written, frames)))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000, b"[" + b"9" * 5000 + b"]", b"1e999",
        b"-", b'"\\ud800"', b'{"entry":' + b"[" * 900 + b"]" * 900 + b"}", b"NaN", b'{"a":1,"a":2}', b"null",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
def test_bombs_and_rubbish_are_taken(name: str, data: bytes) -> None:
    TARGETS[name](data)
