"""Where webhooks go and how they get there.

As measured: no signature of any kind, `user-agent: python-httpx/0.28.1`, registered headers verbatim, credentials in
the URL as Basic authorization. Only 200 within five seconds counts (360Dialog: receiving messages via webhook); the
rest comes again with growing delay. The real schedule is not published: here 10 s, 20 s, 40 s … at most an hour, for
seven days, all multiplied by `retry_scale`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import aiohttp
from yarl import URL

from bot.sandbox.dialog360.refusals import gateway
from bot.sandbox.dialog360.state import Delivery, Json, SandboxNumber

USER_AGENT = "python-httpx/0.28.1"
RETRY_FOR = 7 * 86400.0
LOCAL = ("127.0.0.1", "localhost", "::1")


def check_registration(body: object, *, allow_local: bool) -> Json:
    """What POST /v1/configs/webhook accepts: an https URL without port, host without underscore; string headers."""
    if not isinstance(body, dict) or not isinstance(body.get("url"), str):
        raise gateway(400, "Invalid parameters", "url: Missing data for required field.")
    url: str = body["url"]
    _check_url(url, allow_local)
    headers = body.get("headers", {})
    if not isinstance(headers, dict) or not all(
        isinstance(value, str) and re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name) and not re.search(r"[\r\n\0]", value)
        for name, value in headers.items()
    ):
        raise gateway(400, "Invalid parameters", "headers: Not a valid mapping type.")
    return {"url": url, "headers": headers}


def _check_url(url: str, allow_local: bool) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise gateway(400, "Invalid parameters", "url: Not a valid URL.") from None
    if allow_local and parts.scheme == "http" and host in LOCAL:
        return
    if parts.scheme != "https" or not host:
        raise gateway(400, "Invalid parameters", "url: Webhook URL must use HTTPS.")
    if port is not None or parts.netloc.endswith(":"):
        raise gateway(400, "Invalid parameters", "url: Webhook URL must not contain a port.")
    if "_" in host:
        raise gateway(400, "Invalid parameters", "url: Webhook URL must not contain an underscore in its host.")


class Sender:
    """Delivers webhook bodies. Never leaves this machine: an address that is not mapped to loopback is unreachable."""

    def __init__(
        self,
        timeout: float,
        resolve: Mapping[str, str],
        allow_local: bool,
        changed: Callable[[str, object], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.retry_scale = 0.002
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._resolve = {origin.rstrip("/"): local.rstrip("/") for origin, local in resolve.items()}
        self._allow_local = allow_local
        self._changed = changed
        self._spawn = spawn
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent",),
        )

    async def stop(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, delivery: Delivery, *, redeliver: bool) -> None:
        """Returns after the first attempt; what was not answered 200 is tried again beside."""
        raw = encode(delivery.body)
        if not delivery.number.webhook:
            return
        await self._attempt(delivery, raw)
        if redeliver and delivery.statuses[-1] != 200:
            self._spawn(self._again(delivery, raw))

    async def _again(self, delivery: Delivery, raw: bytes) -> None:
        waited, pause = 0.0, 10.0
        while delivery.statuses[-1] != 200 and waited < RETRY_FOR and delivery.number.webhook:
            await asyncio.sleep(pause * self.retry_scale)
            waited, pause = waited + pause, min(pause * 2, 3600.0)
            await self._attempt(delivery, raw)

    async def _attempt(self, delivery: Delivery, raw: bytes) -> None:
        delivery.attempts += 1
        delivery.statuses.append(await self._post(delivery.number, raw))
        self._changed("delivery", delivery)

    async def _post(self, number: SandboxNumber, raw: bytes) -> int:
        """The answer's status; 0 when there was none in time, or nobody at that address."""
        assert self._http is not None, "the simulator is not started"
        if not number.webhook:
            return 0
        target = self._target(urlsplit(number.webhook["url"]))
        if target is None:
            return 0
        url, headers = target
        trace = secrets.token_hex(16)
        headers |= {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Content-Type": "application/json",
            "traceparent": f"00-{trace}-{trace[:16]}-01",
        }
        for name, value in number.webhook["headers"].items():
            headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()}
            headers[name] = value
        try:
            async with self._http.post(
                url, data=raw, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as answer:
                return answer.status
        except (TimeoutError, aiohttp.ClientError, OSError):
            return 0

    def _target(self, parts: SplitResult) -> tuple[URL, dict[str, str]] | None:
        """Where it really goes, and what a TLS proxy in front of the receiver would add."""
        host = parts.netloc.rpartition("@")[2]
        headers: dict[str, str] = {}
        local = self._resolve.get(f"{parts.scheme}://{host}")
        if local is not None:
            headers |= {"Host": host, "X-Forwarded-Proto": parts.scheme}
        elif self._allow_local and parts.scheme == "http" and parts.hostname in LOCAL:
            local = f"http://{host}"
        else:
            return None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return URL(local + path, encoded=True), headers


def encode(body: Json | bytes) -> bytes:
    """As httpx writes JSON: compact, UTF-8."""
    if isinstance(body, bytes):
        return body
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
