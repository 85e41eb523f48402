"""What Prometheus reads, after real traffic; and who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import get_args

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from bot.metrics import Glance, Metrics, State
from bot.ports import Backlog, Entry, Kind
from bot.stage import Stage, staged
from bot.web.guessing import Guesses
from bot.web.metrics_page import MetricsPage
from bot.web.server import application, serving
from tests.contract.journals import ManualClock

TOKEN = "a-token-for-prometheus"
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"wa360d_{name}", frozenset(labels.items())]


async def scrape(stage: Stage) -> str:
    async with stage.http.get(f"http://127.0.0.1:{stage.settings.server.port}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return await answer.text()


async def test_traffic_in_both_directions_is_counted_and_timed_without_naming_anybody() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "Hello")
        room = await stage.agent_reads("Hello")
        written = await stage.agent_writes(room, "Welcome")
        assert stage.bot is not None
        assert await stage.bot.journal.closed(f"rc:{written['_id']}", 10)
        samples = read(text := await scrape(stage))

        assert value(samples, "entries_total", kind="wa.message", outcome="done") == 1
        assert value(samples, "entries_total", kind="rc.message", outcome="done") == 1
        assert value(samples, "entry_age_seconds_count", kind="wa.message") == 1
        route = f"/api/apps/private/{stage.settings.server.app_id}/{{key}}/incoming"
        assert value(samples, "http_request_seconds_count", route=route, method="POST", status="200") >= 1
        assert value(samples, "call_seconds_count", server="360dialog", result="ok") >= 1
        assert value(samples, "call_seconds_count", server="rocketchat", result="ok") >= 1
        looks = [call for call in stage.rc.calls if call.path.startswith("/api/") and call.status < 400]
        assert value(samples, "call_seconds_count", server="rocketchat", result="ok") >= len(looks) - 1
        assert value(samples, "journal_commit_seconds_count") >= 2
        assert value(samples, "rocketchat_connected") == value(samples, "ready") == 1
        assert value(samples, "rocketchat_connections_total") == 1
        assert value(samples, "rocketchat_heard_timestamp_seconds") > 1_700_000_000
        assert value(samples, "dead_letters") == value(samples, "waiting_entries", kind="wa.message") == 0
        for secret in (
            stage.number.phone, stage.number.digits, stage.customer.phone, stage.number.api_key, room, "Maria", "Hello",
        ):  # fmt: skip
            assert secret.lstrip("+") not in text


async def test_refusals_retries_and_a_backlog_are_seen() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.agent.available = False
        await stage.customer.write(stage.number, "Is anybody there?")
        await stage.rc.until(
            lambda: len([one for one in stage.rc.calls if "livechat/room" in one.path and one.status == 400]) > 1
        )
        samples = read(await scrape(stage))

        assert value(samples, "entries_total", kind="wa.message", outcome="again") >= 1
        assert value(samples, "call_seconds_count", server="rocketchat", result="refused") >= 1
        assert value(samples, "waiting_entries", kind="wa.message") == 1
        assert 0 < value(samples, "oldest_waiting_seconds", kind="wa.message") < 60


async def test_readiness_and_status_count_the_same_as_waiting() -> None:
    async with staged() as stage:
        await stage.connect()
        assert stage.bot is not None
        waits = [Entry(f"{lane}:m", f"{lane}:m", kind, {}, rest=3600) for lane, kind in LATER.items()]
        await stage.bot.journal.append(*waits)
        async with stage.http.get(f"{stage.settings.server.public_url}/readyz") as answer:
            ready = await answer.json()
        status = await stage.command("!whatsapp-360d-cloud status")

        assert (ready["waiting"], ready["dead"]) == (1, 0)
        assert "To customers: 1," in status["msg"] and "Other work" not in status["msg"]


LATER: Mapping[str, Kind] = {"tick": "tick", "late": "late", "out": "rc.message"}


def test_what_waits_is_told_by_kind_with_the_age_of_the_oldest() -> None:
    metrics = Metrics()
    backlog = {"wa.message": Backlog(3, oldest=1.0)}
    samples = read(metrics.text(State(True, False, 4, 0.0, backlog, dead=2)).decode())  # type: ignore[arg-type]

    assert value(samples, "waiting_entries", kind="wa.message") == 3
    assert value(samples, "oldest_waiting_seconds", kind="wa.message") > 1_000_000_000
    assert value(samples, "oldest_waiting_seconds", kind="rc.message") == 0
    assert value(samples, "dead_letters") == 2 and value(samples, "rocketchat_connected") == 0


def test_the_first_dead_letter_is_an_increase() -> None:
    """Prometheus sees how a number grows, not that a series appears: it has to be there before, at 0."""
    metrics = Metrics()
    before = read(metrics.text(State(True, True, 1, 0.0)).decode())
    for outcome in ("done", "again", "unsure", "dead"):
        assert {value(before, "entries_total", kind=kind, outcome=outcome) for kind in get_args(Kind)} == {0}

    metrics.entry("wa.message", "dead", 1.0)

    after = read(metrics.text(State(True, True, 1, 0.0)).decode())
    assert value(after, "entries_total", kind="wa.message", outcome="dead") == 1


async def test_many_readers_cost_one_look() -> None:
    looks = []

    async def look() -> State:
        looks.append(1)
        return State(True, True, 1, 0.0)

    glance = Glance(look)
    for _ in range(10):
        await glance.state()

    assert looks == [1]


# --- who may read ---------------------------------------------------------------------------------------------------


async def some_text() -> bytes:
    return b"x 1\n"


async def status(headers: Mapping[str, str], token: str = "") -> int:
    page = MetricsPage(some_text, token=token, guesses=Guesses(ManualClock(), ()))
    async with TestClient(TestServer(application(page.routes()))) as client:
        answer = await client.get("/metrics", headers=headers)
        return answer.status


async def test_a_token_of_bytes_that_are_no_text_is_a_wrong_one() -> None:
    page = MetricsPage(some_text, token=TOKEN, guesses=Guesses(ManualClock(), ()))
    async with serving(application(page.routes()), "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"401"
        writer.close()
        await writer.wait_closed()


async def test_without_a_token_only_this_machine_may_read() -> None:
    for host in ("127.0.0.1", "localhost:8080", "[::1]:8080"):
        assert await status({"Host": host}) == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"]
)
async def test_without_a_token_what_came_through_a_proxy_finds_nothing(header: str) -> None:
    assert await status({header: "127.0.0.1"}) == 404


@pytest.mark.parametrize("host", ["bot.example.com", "evil.example:8080", "10.0.0.1", "127.0.0.1.evil.example", "["])
async def test_without_a_token_another_name_than_this_machines_finds_nothing(host: str) -> None:
    """A proxy that adds no header of its own hands on the name that was asked for, and whoever owns a name can let it
    lead to 127.0.0.1, so that a page in a browser of this machine asks."""
    assert await status({"Host": host}) == 404


async def test_with_a_token_only_who_has_it_may_read_wherever_they_are() -> None:
    assert await status({"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "8.8.8.8"}, TOKEN) == 200
    assert await status({"Authorization": "Bearer wrong"}, TOKEN) == 401
    assert await status({}, TOKEN) == 401
