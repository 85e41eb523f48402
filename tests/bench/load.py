"""The load: a process of its own that keeps so many connections busy and counts the answers.

`python -m tests.bench.load URL --seconds 3` posts text messages of different people, each once, one request at a time
on each connection, and prints `{"ok", "other", "seconds", "p50_ms", "p99_ms", "slow"}`. `slow` is the share of answers
that took longer than a second. It speaks HTTP over a bare
socket: a client library would be slower than what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import statistics
import sys
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

_TEXT = "A message of ordinary length, as people write them, with one more half sentence behind the comma."


def body(number: str, person: int, id: str, at: int) -> bytes:
    """One text message as 360Dialog delivers it (Meta: whatsapp/webhooks/reference/messages/text)."""
    phone = f"4917{person:08}"
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number, "phone_number_id": f"1{number}"},
        "contacts": [{"profile": {"name": f"Person {person}"}, "wa_id": phone, "user_id": f"DE.{phone}"}],
        "messages": [
            {"from": phone, "id": f"wamid.{id}", "timestamp": str(at), "type": "text", "text": {"body": _TEXT},
             "from_user_id": f"DE.{phone}"}
        ],
    }  # fmt: skip
    return _delivered(value)


def status_body(number: str, wamid: str, state: str, sent: Mapping[str, Any]) -> bytes:
    """What became of a message that was sent with this body (Meta: whatsapp/webhooks/reference/messages/status)."""
    pricing = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number, "phone_number_id": f"1{number}"},
        "statuses": [
            {"id": wamid, "status": state, "timestamp": str(int(time.time())), "recipient_id": sent["to"].lstrip("+"),
             "biz_opaque_callback_data": sent["biz_opaque_callback_data"], "pricing": pricing}
        ],
    }  # fmt: skip
    return _delivered(value)


def _delivered(value: Mapping[str, Any]) -> bytes:
    whole = {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [
        {"field": "messages", "value": value}]}]}  # fmt: skip
    return json.dumps(whole).encode()


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered; ends when `next` has no more."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._answer = b""
        self._sent = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        if len(rest) < length:
            return
        self._answer = b""
        self._load.answered(head[9:12] == b"200", time.perf_counter() - self._sent)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _next(self) -> None:
        pause = self._load.pause()
        if pause > 0:
            asyncio.get_running_loop().call_later(pause, self._send)
        else:
            self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = self._load.request()
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


class Load:
    """`rate`: requests a second at most, 0 as many as are answered; `most`: requests in all, 0 no bound."""

    def __init__(
        self, url: str, header: str, number: str, *, people: int, seconds: float, most: int = 0, rate: float = 0
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        extra = f"{header}\r\n" if header else ""
        self._head = (
            f"POST {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"User-Agent: python-httpx/0.28.1\r\nContent-Type: application/json\r\n{extra}Content-Length: "
        ).encode()
        self._number, self._people, self._most = number, people, most
        self._step, self._slot = (1 / rate if rate else 0.0), time.perf_counter()
        self._run, self._turn = secrets.token_hex(6), count()
        self._end = time.perf_counter() + seconds
        self.took: list[float] = []
        self.other = 0

    def pause(self) -> float:
        """Seconds until the next request may go."""
        self._slot += self._step
        return self._slot - time.perf_counter()

    def request(self) -> bytes | None:
        turn = next(self._turn)
        if time.perf_counter() >= self._end or 0 < self._most <= turn:
            return None
        content = body(self._number, turn % self._people, f"{self._run}{turn:08}", 1_790_000_000 + turn)
        return self._head + str(len(content)).encode() + b"\r\n\r\n" + content

    def answered(self, ok: bool, seconds: float) -> None:
        self.took.append(seconds)
        self.other += not ok

    async def run(self, connections: int) -> dict[str, float]:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        pairs = [await loop.create_connection(lambda: _Connection(self), self._host, self._port)
                 for _ in range(connections)]  # fmt: skip
        await asyncio.gather(*(connection.over for _, connection in pairs))
        seconds = time.perf_counter() - began
        cuts = statistics.quantiles(self.took, n=100) if len(self.took) > 1 else [0.0] * 99
        return {
            "ok": len(self.took) - self.other,
            "other": self.other,
            "seconds": seconds,
            "p50_ms": cuts[49] * 1000,
            "p99_ms": cuts[98] * 1000,
            "slow": sum(took > 1 for took in self.took) / max(len(self.took), 1),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--header", default="", help="one more header, `Name: value`")
    parser.add_argument("--number", default="4915112345678")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--requests", type=int, default=0, help="so many and no more")
    parser.add_argument("--rate", type=float, default=0, help="requests a second at most")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--people", type=int, default=200)
    chosen = parser.parse_args()
    load = Load(
        chosen.url, chosen.header, chosen.number,
        people=chosen.people, seconds=chosen.seconds, most=chosen.requests, rate=chosen.rate,
    )  # fmt: skip
    print(json.dumps(uvloop.run(load.run(chosen.connections))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
