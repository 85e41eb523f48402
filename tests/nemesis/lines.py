"""A line between the bot and a server that can fall silent without being cut, as behind a router that forgot it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class SilentLine:
    """Passes everything on until `fall_silent`: from then on nothing passes on the connections whose first bytes hold
    `of`, and nobody is told. New connections are as good as ever. `url` may name PostgreSQL's socket (`?host=/folder`).
    """

    def __init__(self, url: str, of: bytes) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._socket = "".join(f"{folder}/.s.PGSQL.5432" for folder in parse_qs(parts.query).get("host", []))
        self._address = (
            f"{parts.scheme}://{parts.username}@127.0.0.1:{{}}{parts.path}?sslmode=disable"
            if self._socket
            else "http://127.0.0.1:{}"
        )
        self._of = of
        self._open: set[asyncio.StreamWriter] = set()
        self._told: dict[asyncio.Task[object], asyncio.Event] = {}
        self._answers = asyncio.Event()
        self._answers.set()
        self._last = b""
        self.connections = 0
        """With `of` in their first bytes, so far."""
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[SilentLine]:
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = self._address.format(listening.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            listening.close()
            for writer in self._open:
                writer.transport.abort()
            await asyncio.gather(*self._told, return_exceptions=True)

    def fall_silent(self) -> None:
        for silence in self._told.values():
            silence.set()

    def hold_answers_after(self, last: bytes) -> None:
        """Once these bytes have passed, no answer does until `go_on`."""
        self._last = last

    def cut(self) -> None:
        """Every connection that there is, with the answers that are held."""
        for writer in self._open:
            writer.transport.abort()
        self._answers.set()

    def go_on(self) -> None:
        self._answers.set()

    def _asked(self, data: bytes) -> None:
        if self._last and self._last in data:
            self._last = b""
            self._answers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        silence = self._told[task] = asyncio.Event()
        reach = asyncio.open_unix_connection(self._socket) if self._socket else asyncio.open_connection(*self._target)
        theirs, ours = await reach
        self._open |= {writer, ours}
        try:
            first = await reader.read(65536)
            ours.write(first)
            matters = self._of in first
            self.connections += matters
            await asyncio.gather(
                self._pass_on(reader, ours, silence if matters else None, asked=True),
                self._pass_on(theirs, writer, silence if matters else None),
            )
        finally:
            self._open -= {writer, ours}
            del self._told[task]
            for end in (writer, ours):
                end.transport.abort()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        silence: asyncio.Event | None,
        *,
        asked: bool = False,
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if silence is not None and silence.is_set():
                    continue
                if asked:
                    self._asked(data)
                else:
                    await self._answers.wait()
                sink.write(data)
                await sink.drain()
        if silence is None or not silence.is_set():  # nor is a goodbye heard through silence
            sink.transport.abort()
