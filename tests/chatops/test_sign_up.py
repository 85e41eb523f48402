"""Coming back from a sign-up at 360Dialog, and the icon: any query is taken, nothing acts, the channel hears once."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from yarl import URL

from bot.errors import NotAllowed, Trouble
from bot.stage import staged
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from bot.translations import translator
from bot.web.auth_success import SignUps
from bot.web.guessing import Guesses
from bot.web.server import application, serving
from tests.chatops.desk import TOKEN, FakeClock

BACK = f"/api/apps/private/app/{TOKEN}/authSuccess"
ICON = "/api/apps/public/app/get-sidebar-icon"
SITE = "https://chat.example.com/team?a=1&b"


class Door:
    def __init__(self, client: ClientSession, base: str, journal: SqliteJournal, site: list[object]) -> None:
        self.client, self.base, self.journal = client, base, journal
        self.site = site
        """What the workspace tells of its address, or how it fails to."""

    async def back(self, query: str = "", key: str = TOKEN) -> tuple[int, str]:
        """With the query exactly as it stands."""
        path = BACK.replace(TOKEN, key)
        address = f"{self.base}{path}{query}"
        async with self.client.get(URL(address, encoded=True)) as answer:
            return answer.status, await answer.text()

    async def news(self) -> list[dict[str, object]]:
        """What the setup channel will hear."""
        return [dict(entry.body) for entry in await self.journal.heads(100)]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with SqliteJournal(tmp_path, Vault(tmp_path / "secret.key"), FakeClock()) as journal:
        guesses = Guesses(FakeClock(), ())
        told: list[object] = [SITE]

        async def setting(id: str) -> object:
            if isinstance(told[0], Exception):
                raise told[0]
            return told[0] if id == "Site_Url" else None

        sign_ups = SignUps(
            app_id="app", token=TOKEN, journal=journal, setting=setting, t=translator("en"), guesses=guesses
        )
        app = application(sign_ups.routes())
        async with serving(app, "127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Door(client, f"http://127.0.0.1:{port}", journal, told)


async def test_the_page_thanks_and_names_the_next_step(door: Door) -> None:
    status, html = await door.back("?client=oaY9LLfUCL&channels=[y9MiLoCH]")

    assert status == 200
    assert "Thank you" in html
    assert "generate it in the 360Dialog Hub" in html
    assert "y9MiLoCH" not in html


async def test_the_page_leads_back_to_the_workspace_and_thanks_without_knowing_where_it_is(door: Door) -> None:
    link = 'href="https://chat.example.com/team?a=1&amp;b"'
    assert link in (await door.back())[1]

    for nothing in (None, "", 5, "javascript:alert(1)", Trouble("away"), NotAllowed("no")):
        door.site[0] = nothing
        status, html = await door.back()
        assert (status, "Thank you" in html, "href" in html) == (200, True, False)


@pytest.mark.parametrize(
    "query",
    [
        "?client=oaY9LLfUCL&channels=[y9MiLoCH,abcCH]",
        "?client=oaY9LLfUCL&channels=%5By9MiLoCH%2CabcCH%5D",
        "?client=oaY9LLfUCL&channels=[%22y9MiLoCH%22,%20'abcCH']&state=anything",
        "?channels=y9MiLoCH&channels=abcCH&client=oaY9LLfUCL",
    ],
)
async def test_channels_are_read_however_they_are_written(door: Door, query: str) -> None:
    await door.back(query)

    (told,) = await door.news()
    assert told["key"] == "notice.signed_up_as"
    assert told["values"] == {"client": "oaY9LLfUCL", "channels": "y9MiLoCH, abcCH"}
    assert told["buttons"] == [{"label": "account.connect", "says": "!whatsapp-360d-cloud connect"}]


async def test_the_same_sign_up_is_told_once_and_another_one_again(door: Door) -> None:
    for query in ("?client=aCL&channels=[bCH]", "?channels=[bCH]&client=aCL&state=2", "?client=aCL&channels=[cCH]"):
        await door.back(query)

    counts = await door.journal.counts()
    assert counts["waiting"] == 2


@pytest.mark.parametrize("query", ["", "?", "?channels=[]", "?client=", "?client=aCL", "?%00=%ff&channels=[[", "?&&=="])
async def test_a_query_that_lacks_something_is_thanked_all_the_same(door: Door, query: str) -> None:
    status, _ = await door.back(query)

    assert status == 200
    (told,) = await door.news()
    assert (told["key"], told["values"]) == ("notice.signed_up", {})


async def test_access_that_was_taken_back_is_told(door: Door) -> None:
    await door.back("?client=aCL&channels=[]&revoked=[bCH]")

    (told,) = await door.news()
    assert (told["key"], told["values"]) == ("notice.revoked", {"revoked": "bCH"})
    assert "buttons" not in told


async def test_hostile_words_neither_act_nor_grow(door: Door) -> None:
    evil = quote("<script>alert(1)</script>@all [x](http://evil.example) `" + "A" * 2500)

    status, html = await door.back(f"?client={evil}&channels=[{evil}]&state={evil}")

    assert status == 200
    assert "alert" not in html
    (told,) = await door.news()
    assert len(str(told)) < 1500
    assert not any(bad in str(told["values"]) for bad in ("<", "@", "](", "`", "://"))


async def test_another_key_is_no_address(door: Door) -> None:
    for key in ("wrong", TOKEN[:-1], TOKEN + "x", "%F0%9F%98%80"):
        status, html = await door.back("?client=aCL", key)
        assert status == 404
        assert "This address does not exist" in html
    assert await door.news() == []


async def test_a_look_ahead_changes_nothing(door: Door) -> None:
    async with door.client.head(BACK) as answer:
        assert answer.status == 200

    assert await door.news() == []


async def test_the_query_is_in_no_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    await door.back("?client=hidden1CL&channels=[hidden2CH]&state=hidden3")
    status, _ = await door.back("?client=" + "hidden4" * 2000)

    assert status == 400
    assert "LineTooLong" in caplog.text
    assert "hidden" not in caplog.text
    assert TOKEN not in caplog.text


async def test_the_page_cannot_be_framed_cached_or_scripted(door: Door) -> None:
    async with door.client.get(BACK) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert TOKEN not in await answer.text()


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
async def test_no_query_is_too_strange(door: Door, query: bytes) -> None:
    status, _ = await door.back("?channels=" + quote(query))

    assert status == 200


# --- the icon -------------------------------------------------------------------------------------------------------


async def test_the_icon_is_a_drawing_that_can_be_shown_anywhere_and_do_nothing(door: Door) -> None:
    async with door.client.get(ICON) as answer:
        drawing = await answer.text()
        assert answer.status == 200
        assert answer.content_type == "image/svg+xml"
        assert answer.headers["Cache-Control"] == "public, max-age=86400"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        tag = answer.headers["ETag"]
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {child.tag.rpartition("}")[2] for child in root.iter()} == {"svg", "path"}
    async with door.client.get(ICON, headers={"If-None-Match": tag}) as again:
        assert again.status == 304


# --- on the real wires ----------------------------------------------------------------------------------------------


async def test_the_setup_channel_hears_of_it_with_the_button_to_go_on() -> None:
    async with staged() as stage:
        page = await stage.command("!whatsapp-360d-cloud endpoints")
        form = await stage.open(next(a["url"] for a in page["attachments"][0]["actions"] if "url" in a))
        back = next(line for line in form.text.splitlines() if line.endswith("/authSuccess"))

        async with stage.http.get(f"{back}?client=abCL&channels=[xyCH]") as answer:
            assert answer.status == 200

        found = await stage.rc.until(
            lambda: [m for m in stage.from_bot(stage.setup_room) if "finished signing up" in m["msg"]], timeout=10
        )
        assert "client abCL, channels xyCH" in found[0]["msg"]
        assert [a["text"] for a in found[0]["attachments"][0]["actions"]] == ["Connect WhatsApp Number"]
