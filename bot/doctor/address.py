"""The public address as far as it can be seen from here: name, certificate, and whether it leads to this very bot.

The proof is a question that only an installation with our secret key can answer: `/livez` with a header `X-Nonce`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.doctor.facts import AddressFacts, Answer
from bot.rocketchat.http import reason_of
from bot.web.health import NONCE_HEADER, PROOF_HEADER

TIMEOUT = 10.0
_LARGEST = 64 * 1024
Prove = Callable[[str], str]


async def probe(session: aiohttp.ClientSession, url: str) -> tuple[Answer, Any]:
    """A bare GET, and the JSON that it brought. Any answer below 500 is one."""
    asked = time.time()
    try:
        async with session.get(url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as response:
            ahead = _ahead(response.headers.get("Date", ""), asked, time.time())
            if response.status >= 500:
                return Answer(f"HTTP {response.status}", ahead), None
            content = await response.content.read(_LARGEST)
            return Answer("", ahead), _json(content)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Answer(said(error)), None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _ahead(date: str, asked: float, answered: float) -> float | None:
    """The header counts whole seconds, and was written somewhere between question and answer."""
    try:
        told = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    if told < asked - 1:
        return told - asked
    return max(told - answered, 0.0)


def said(error: BaseException) -> str:
    """Of a connection that failed, why."""
    if isinstance(error, TimeoutError):
        return "timeout"
    reason = reason_of(error)
    words = str(error) if reason == type(error).__name__ else reason
    return " ".join(words.split())[:200] or type(error).__name__


async def look(public_url: str, prove: Prove, *, served: bool, trust: ssl.SSLContext | None = None) -> AddressFacts:
    """`served`: somebody is there to answer for us."""
    parts = urlsplit(public_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    loopback = host in ("localhost", "127.0.0.1", "::1")
    found = AddressFacts(public_url, host, loopback=loopback, served=served)
    try:
        async with asyncio.timeout(TIMEOUT):
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)
    except (OSError, UnicodeError, TimeoutError) as error:
        return replace(found, unresolved=said(error))
    found = replace(found, addresses=tuple(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in infos)))
    context = trust or ssl.create_default_context()
    if parts.scheme == "https":
        try:
            found = replace(found, valid_until=await _valid_until(host, port, context))
        except ssl.SSLError as error:
            return replace(found, tls=getattr(error, "verify_message", "") or said(error))
        except (OSError, TimeoutError) as error:
            return replace(found, said=said(error))
    return await _who_answers(found, prove, context)


async def _valid_until(host: str, port: int, context: ssl.SSLContext) -> float:
    """Checks the chain and the name as every client does, 360Dialog's too; a missing link in the chain shows here."""
    async with asyncio.timeout(TIMEOUT):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        certificate = writer.get_extra_info("peercert") or {}
        return float(ssl.cert_time_to_seconds(certificate["notAfter"])) if "notAfter" in certificate else 0.0
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _who_answers(found: AddressFacts, prove: Prove, context: ssl.SSLContext) -> AddressFacts:
    nonce = secrets.token_hex(16)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.get(
                f"{found.url}/livez",
                headers={NONCE_HEADER: nonce},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            ) as response,
        ):
            proof = response.headers.get(PROOF_HEADER, "")
            ours = secrets.compare_digest(proof.encode(), prove(nonce).encode())
            return replace(found, status=response.status, ours=ours)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return replace(found, said=said(error))
