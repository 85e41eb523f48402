"""A customer's file at WhatsApp: the only addresses that are ever visited, and how often it may be asked for."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import FilesPaused
from bot.whatsapp import media_source

BASE = "https://waba-v2.360dialog.io"
GOOD = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=Ab%2Fc-_"


# --- addresses ------------------------------------------------------------------------------------------------------


def test_an_address_changes_its_host_and_nothing_else() -> None:
    assert media_source.download_url(GOOD, BASE + "/") == GOOD.replace("https://lookaside.fbsbx.com", BASE)
    assert media_source.download_url(GOOD, "http://127.0.0.1:99/x") == GOOD.replace(
        "https://lookaside.fbsbx.com", "http://127.0.0.1:99/x"
    )
    own = f"{BASE}/whatsapp_business/attachments/?mid=1"
    assert media_source.download_url(own, BASE) == own


@pytest.mark.parametrize(
    "url",
    [
        "",
        GOOD.replace("https", "http"),
        GOOD.replace(".com/", ".com:443/"),
        GOOD.replace(".com/", ".com.evil.test/"),
        GOOD.replace("lookaside", "me:pw@lookaside"),
        GOOD.replace("lookaside.fbsbx.com", "evil.test/lookaside.fbsbx.com"),
        GOOD.replace("lookaside.fbsbx.com", "evil.test\\@lookaside.fbsbx.com"),
        GOOD.replace("attachments/", "attachments/../../messages"),
        GOOD.replace("attachments/", "attachments/%2e%2e/messages"),
        GOOD.replace("attachments/", "attachments/..%2f..%2fmessages"),
        GOOD.replace("/whatsapp_business", "//whatsapp_business"),
        GOOD.replace("/whatsapp_business", "/v1/whatsapp_business"),
        GOOD + "\r\nX: y",
        GOOD.replace("mid=1", "mid=ü"),
        "https://[::1",
        "file:///whatsapp_business/attachments/",
    ],
)
def test_an_address_of_somebody_else_is_none(url: str) -> None:
    assert media_source.download_url(url, BASE) is None


@given(st.sampled_from(["", "https://lookaside.fbsbx.com", GOOD]), st.text())
@settings(max_examples=300)
def test_whatever_the_address_only_our_host_and_meta_s_path_are_visited(start: str, rest: str) -> None:
    found = media_source.download_url(start + rest, BASE)
    if found is not None:
        parts = urlsplit(found)
        assert (parts.scheme, parts.netloc) == ("https", "waba-v2.360dialog.io")
        assert parts.path.startswith("/whatsapp_business/attachments/")
        assert found.isprintable()
        assert " " not in found


# --- digests --------------------------------------------------------------------------------------------------------


@given(st.binary())
@settings(max_examples=50)
def test_a_digest_is_read_in_hex_and_in_base64(data: bytes) -> None:
    digest = hashlib.sha256(data).digest()
    for written in (digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode()):
        assert media_source.digest(written) == digest
    assert media_source.digest(base64.urlsafe_b64encode(digest).decode().rstrip("=")) == digest


@given(st.text())
def test_what_is_no_digest_is_none(text: str) -> None:
    found = media_source.digest(text)
    assert found is None or len(found) == 32


# --- how often --------------------------------------------------------------------------------------------------------


def test_errors_stop_the_asking_before_360dialog_does_and_an_hour_later_it_goes_on() -> None:
    budget = media_source.ErrorBudget()
    for moment in range(16):
        budget.check("a", moment)
        budget.note("a", moment)
    with pytest.raises(FilesPaused) as paused:
        budget.check("a", 100)
    assert paused.value.after == pytest.approx(3500)
    budget.check("b", 100)
    budget.check("a", 3600)


def test_a_clock_that_is_put_back_locks_nothing_for_longer() -> None:
    budget = media_source.ErrorBudget()
    for moment in range(16):
        budget.note("a", 90_000 + moment)
    budget.lock("b", 90_000)

    budget.check("a", 3600)
    budget.check("b", 3600)


def test_bots_that_share_a_number_share_its_errors_and_each_may_meet_one() -> None:
    for bots, most in ((2, 8), (3, 5), (100, 1)):
        budget = media_source.ErrorBudget(partial(int, bots))
        for moment in range(most):
            budget.check("a", moment)
            budget.note("a", moment)
        with pytest.raises(FilesPaused):
            budget.check("a", 100)


def test_a_lock_is_waited_for() -> None:
    budget = media_source.ErrorBudget()
    budget.lock("a", 0)
    with pytest.raises(FilesPaused) as paused:
        budget.check("a", 100)
    assert paused.value.after == pytest.approx(1700)
    budget.check("b", 100)
    budget.check("a", 1800)
