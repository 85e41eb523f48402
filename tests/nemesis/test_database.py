"""PostgreSQL in trouble under traffic, and what bots that share one see of each other. See the package's docstring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from bot import app
from bot.model import NumberId
from bot.relay.worker import Worker
from bot.stage import TIMEOUT, Stage, staged
from bot.stage_page import link_in
from bot.startup import Bot
from bot.storage.files import StorageError
from bot.storage.postgres import Database
from bot.storage.postgres_presence import Pace
from bot.storage.secrets import Vault
from bot.web.in_time import PATIENCE
from tests.contract.bots import bot_on
from tests.contract.journals import entry
from tests.crash.traffic import another
from tests.postgres import server
from tests.relay.at_work import nobody


class Line:
    """The line to the database. `cut` ends every connection and takes no new one until `mend`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        [folder] = parse_qs(parts.query)["host"]
        self._target = Path(folder) / ".s.PGSQL.5432"
        self._database = parts.path
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_cut = False
        self.tried = asyncio.Semaphore(0)
        """Acquired once for each connection that was not taken."""
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Line]:
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        self.url = f"postgresql://bot@127.0.0.1:{port}{self._database}"
        try:
            yield self
        finally:
            self.cut()
            listening.close()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        theirs, ours = await asyncio.open_unix_connection(str(self._target))
        self._open |= {writer, ours}
        try:
            if self._is_cut:
                self.tried.release()
                return
            await asyncio.gather(_pass_on(reader, ours), _pass_on(theirs, writer), return_exceptions=True)
        finally:
            self._open -= {writer, ours}
            for end in (writer, ours):
                end.transport.abort()
                with suppress(ConnectionError):
                    await end.wait_closed()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.transport.abort()


async def test_a_database_that_goes_away_and_comes_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with (
        Line(await server().database_of(tmp_path)).laid() as line,
        staged(start=False, database_url=line.url) as stage,
    ):
        await stage.start()
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        line.cut()
        sent = asyncio.gather(*(stage.customer.write(stage.number, f"away {n}") for n in range(3)))
        await stage.agent_writes(room, "while it is away")
        await sent
        assert {delivery.statuses[0] for delivery in stage.wa.deliveries[-3:]} == {503}
        async with stage.http.get(f"{stage.settings.server.public_url}/readyz") as answer:
            assert (answer.status, (await answer.json())["waits_for"]) == (503, "its storage")
        line.mend()
        await stage.customer_reads("while it is away")
        for n in range(3):
            await stage.agent_reads(f"away {n}")
        await stage.wa.settled()
        assert sorted(stage.from_customer(room)) == ["away 0", "away 1", "away 2", "hi"]
        assert [one.text for one in stage.customer.received] == ["while it is away"]


async def answered(stage: Stage, method: str, url: str, **more: Any) -> tuple[int, str]:
    """Status and text, which must come long before somebody's own patience ends."""
    async with asyncio.timeout(PATIENCE + 3), stage.http.request(method, url, **more) as answer:
        return answer.status, await answer.text()


async def test_who_asks_while_the_database_is_away_is_told_soon_and_asks_again_without_harm(tmp_path: Path) -> None:
    async with (
        Line(await server().database_of(tmp_path)).laid() as line,
        staged(start=False, database_url=line.url, api_token="the-key-of-this-test") as stage,
    ):
        await stage.start()
        await stage.connect()
        form = link_in(await stage.command("!whatsapp-360d-cloud send-template"))
        page = await stage.open(form)
        template = {"name": "hello_world", "language": {"code": "en_US"}}
        asked = {
            "phoneNumbers": [stage.customer.phone], "connectedWhatsAppNo": stage.number.phone, "template": template,
        }  # fmt: skip
        api = f"{stage.settings.server.public_url}/api/apps/private/whatsapp-360d-cloud/the-key-of-this-test"
        call = partial(
            answered, stage, "POST", f"{api}/templateMessage", json=asked, headers={"Idempotency-Key": "once"}
        )
        filled = {**page.fields, "template": "hello_world|en_US", "recipients": stage.customer.phone}

        line.cut()
        (status, text), shown, taken = await asyncio.gather(
            call(), answered(stage, "GET", form), answered(stage, "POST", form, data=filled)
        )
        assert status == 503
        assert "storage does not answer. Send the request again in a minute" in text
        for status, text in (shown, taken):
            assert status == 503
            assert "storage does not answer" in text
            assert "Nothing is lost" in text

        line.mend()
        assert await call() == (200, '{"success": true}')
        page = await stage.submit(await stage.open(form), template="hello_world|en_US", recipients=stage.customer.phone)
        page = await stage.submit(page)
        assert "sent to 1 of 1" in page.text
        assert len(stage.customer.received) == 2


async def test_a_running_bot_waits_longer_for_its_database_than_one_that_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pace = Pace(patience=0.2)
    async with Line(await server().database_of(tmp_path)).laid() as line:
        async with bot_on(line.url, tmp_path / "secret.key", pace) as bot:
            line.cut()
            appending = asyncio.create_task(bot.journal.append(entry("a")))
            async with asyncio.timeout(TIMEOUT):
                for _ in range(20):
                    await line.tried.acquire()
            assert not appending.done()
            line.mend()
            assert await appending == 1
        assert [record.message for record in caplog.records if record.exc_info] == [], "each is one line"
        line.cut()
        with pytest.raises(StorageError, match="cannot be used"):
            await Database(line.url, Vault(tmp_path / "secret.key"), pace).__aenter__()


async def test_a_bot_that_is_stopped_while_its_database_is_away_ends_all_the_same(tmp_path: Path) -> None:
    """Within the patience of a stop, not within that of a running bot."""
    async with Line(await server().database_of(tmp_path)).laid() as line:
        async with (
            asyncio.timeout(TIMEOUT),
            bot_on(line.url, tmp_path / "secret.key", Pace(patience=0.2)) as bot,
        ):
            worker = Worker(bot.journal, {}, bot.clock, nobody)
            running = asyncio.create_task(worker.run())
            await bot.clock.asleep()
            line.cut()
            appending = asyncio.create_task(bot.journal.append(entry("a")))
            bot.clock.advance(60)  # the worker looks for work again, and is not answered
            for _ in range(5):
                await line.tried.acquire()
            await worker.stop()
            await running
        with pytest.raises(StorageError, match="cannot be used"):
            await appending


@asynccontextmanager
async def two_bots(tmp_path: Path) -> AsyncIterator[tuple[Stage, Bot]]:
    """The stage's own bot and a second one, on one database. The second has an address of its own."""
    url = await server().database_of(tmp_path)
    async with staged(start=False, database_url=url) as stage:
        await stage.start()
        settings = another(stage.settings, 2)
        own = settings.server.model_copy(update={"public_url": f"http://127.0.0.1:{settings.server.port}"})
        async with app.running(settings.model_copy(update={"server": own})) as second:
            async with asyncio.timeout(TIMEOUT):
                await second.ready.wait()
            await stage.connect()
            yield stage, second


async def soon(check: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not await check():  # noqa: ASYNC110 - another bot has no event to wait for
            await asyncio.sleep(0.02)


async def test_numbers_forms_settings_and_dead_letters_belong_to_all_bots(tmp_path: Path) -> None:
    async with two_bots(tmp_path) as (stage, second):
        here, there = f":{stage.settings.server.port}", f":{second.settings.server.port}"
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")

        # A form that was begun at one bot is filled in at the other, whoever of the two heard the command.
        link = link_in(await stage.command("!whatsapp-360d-cloud send-template"))
        elsewhere = link.replace(here, there) if here in link else link.replace(there, here)
        page = await stage.open(elsewhere)
        page = await stage.submit(page, template="hello_world|en_US", recipients=stage.customer.phone)
        page.url = link
        page = await stage.submit(page)
        assert "sent to 1 of 1" in page.text
        assert len(stage.customer.received) == 1

        # What is refused is a dead letter everywhere, and whoever is asked lets it try again.
        error = {"error": {"message": "(#131009) Parameter value is not valid", "code": 131009}}
        stage.wa.levers.add("/messages", status=400, body=error)
        sent = await stage.agent_writes(room, "refused at first")
        await stage.rc.until(lambda: [m for m in stage.from_bot(room) if "refused at first" in m["msg"]])
        assert stage.bot is not None
        for journal in (stage.bot.journal, second.journal):
            assert [letter.entry.key for letter in await journal.dead()] == [f"rc:{sent['_id']}"]
        assert await second.journal.retry(f"rc:{sent['_id']}")
        await stage.customer_reads("refused at first")

        # What is set in chat counts at both.
        await stage.command("!whatsapp-360d-cloud settings agents_display_info name")
        for number in range(6):
            await stage.agent_writes(room, f"signed {number}")
            await stage.customer_reads(f"*Ben Agent:*\nsigned {number}")


async def test_a_room_that_another_bot_took_over_for_whatsapp_is_no_other_channels_any_more(tmp_path: Path) -> None:
    url = await server().database_of(tmp_path)
    async with Line(url).laid() as line, staged(start=False, database_url=url) as stage:
        await stage.start()
        await stage.connect()
        settings = another(stage.settings, 2)
        storage = settings.storage.model_copy(update={"database_url": SecretStr(line.url)})
        async with app.running(settings.model_copy(update={"storage": storage})) as second:
            async with asyncio.timeout(TIMEOUT):
                await second.ready.wait()
            assert stage.bot is not None
            assert stage.bot.listener is not None
            assert second.listener is not None

            # A visitor of the website's widget, whom an agent answers: both bots leave that alone.
            visitor = await stage.rc.core.visitors.register({"token": "of the widget", "phone": stage.customer.phone})
            widget = await stage.rc.core.livechat.create_room(visitor)
            await stage.agent_writes(widget["_id"], "this is for the widget")
            for bot in (stage.bot, second):
                assert bot.listener is not None
                await bot.listener.catch_up()

            # The same person writes by WhatsApp, and the first bot finds that they have a room.
            line.cut()
            await stage.customer.write(stage.number, "now I am here")
            assert await stage.agent_reads("now I am here") == widget["_id"]
            line.mend()
            await second.listener.catch_up()  # it is back

            await stage.stop()
            await stage.agent_writes(widget["_id"], "this is for WhatsApp")
            await stage.customer_reads("this is for WhatsApp")


@pytest.mark.parametrize("at", ["first", "second"])
async def test_a_bot_that_waits_is_woken_at_once_by_what_another_stores(tmp_path: Path, at: str) -> None:
    async with two_bots(tmp_path) as (stage, second):
        assert stage.bot is not None
        journals = {"first": stage.bot.journal, "second": second.journal}
        waiting = journals.pop(at)
        [other] = journals.values()
        await waiting.heads(0)
        woken = asyncio.create_task(waiting.wait(60))
        await stage.customer.write(stage.number, "wake up")
        async with asyncio.timeout(5):
            await woken
        await stage.agent_reads("wake up")
        assert await other.conversation(NumberId(stage.number.digits), stage.customer.wa_id) is not None  # type: ignore[arg-type]
