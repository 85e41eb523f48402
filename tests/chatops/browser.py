"""A plain HTTP client that reads forms as a browser does, and the pages' server behind it: real journal and worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from bot.relay import notices
from bot.relay.worker import Worker
from bot.storage.journal_sqlite import SqliteJournal
from bot.storage.secrets import Vault
from bot.translations import translator
from bot.web.connections import Limits
from bot.web.forms import Forms
from bot.web.guessing import Guesses
from bot.web.server import application
from tests.chatops.desk import PUBLIC, Scene


class SameClock:
    """The scene's moments, and real waiting, unless it is in a hurry."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.hurry = False

    def now(self) -> float:
        return self._scene.clock.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 if self.hurry else seconds)


@dataclass
class Page:
    status: int
    headers: Mapping[str, str]
    html: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, value, label."""
    options: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def tag(self, name: str) -> dict[str, str]:
        """Attributes of the control with this name."""
        return next(attributes for _, attributes in self.tags if attributes.get("name") == name)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.stack: list[tuple[str, dict[str, str]]] = []
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self.page.tags.append((tag, have))
        name = have.get("name", "")
        if tag == "input":
            self.page.fields[name] = have.get("value", "")
        elif tag == "textarea":
            self.page.fields[name] = ""
        elif tag == "select":
            self.select = name
            self.page.options[name] = []
        elif tag == "option":
            self.page.options[self.select].append((have["value"], ""))
            if "selected" in have or self.select not in self.page.fields:
                self.page.fields[self.select] = have["value"]
        elif tag == "button":
            self.page.buttons.append((name, have.get("value", ""), ""))
        if tag not in ("input", "meta"):
            self.stack.append((tag, have))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop()[0] == tag, f"{tag} is closed in the wrong place"

    def handle_data(self, data: str) -> None:
        tag, have = self.stack[-1] if self.stack else ("", {})
        if tag == "textarea":
            self.page.fields[have.get("name", "")] += data
        elif tag == "option":
            value, label = self.page.options[self.select][-1]
            self.page.options[self.select][-1] = (value, label + data)
        elif tag == "button":
            name, value, label = self.page.buttons[-1]
            self.page.buttons[-1] = (name, value, label + data)
        elif tag != "style" and data.strip():
            self.page.text += data.strip() + "\n"


async def read(answer: ClientResponse) -> Page:
    page = Page(answer.status, answer.headers, await answer.text())
    reader = _Reader(page)
    reader.feed(page.html)
    assert reader.stack == [], "everything that was opened is closed"
    return page


class Browser:
    """Also holds what is behind the pages: the worker works once it is run with `working`."""

    def __init__(
        self, client: TestClient[Request, Application], worker: Worker, journal: SqliteJournal, clock: SameClock
    ) -> None:
        self.client, self.worker, self.journal, self.clock = client, worker, journal, clock
        self.headers: dict[str, str] = {}

    async def open(self, link: str) -> Page:
        return await read(await self.client.get(urlsplit(link).path))

    async def submit(self, link: str, page: Page, label: str = "", **fields: str) -> Page:
        """Presses the button with this label, or the first one, as the Enter key does."""
        name, value, _ = next(one for one in page.buttons if label in ("", one[2]))
        data = {**page.fields, **fields, name: value}
        return await read(await self.client.post(urlsplit(link).path, data=data, headers=self.headers))


@asynccontextmanager
async def served(scene: Scene, limits: Limits | None = None) -> AsyncIterator[Browser]:
    clock = SameClock(scene)
    async with SqliteJournal(scene.folder / "journal", Vault(scene.folder / "secret.key"), clock) as journal:
        worker = Worker(journal, {"form.submit": scene.dispatcher.handle}, clock, notices.of_parked)
        forms = Forms(
            office=scene.office,
            sessions=scene.sessions,
            journal=journal,
            clock=clock,
            t=translator(scene.language),
            public_url=PUBLIC,
            guesses=Guesses(clock, ()),
        )
        async with TestClient(TestServer(application(forms.routes(), limits))) as client:
            yield Browser(client, worker, journal, clock)


@asynccontextmanager
async def working(browser: Browser) -> AsyncIterator[None]:
    run = asyncio.create_task(browser.worker.run())
    try:
        yield
    finally:
        await browser.worker.stop(5.0)
        await run
