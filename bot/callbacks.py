"""HTTP to an address that an administrator chose: fits the port `Outgoing`.

An address that was typed in chat could point at anything the bot can reach: its own host, the database next door, a
cloud's metadata service. So it may only lead to public addresses, and what counts is the address that is connected to,
not what the name resolved to a moment earlier. Redirects are not followed, and of the answer only the status is read.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.errors import AddressNotAllowed, RateLimited, Refused, Trouble, Unreachable
from bot.ports import Json, Outgoing

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out (RFC 4291, IANA); what lies outside is local, wrapped or of the past."""
_CLOUDS = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
"""Public by their numbers, and yet inside: Azure's host, Oracle's metadata."""
_PAST = tuple(map(ipaddress.ip_network, ("3fff::/20", "2002::/16", "192.88.99.0/24")))
"""Documentation (RFC 9637), 6to4 and its relays (RFC 7526): some versions of Python call them public, some do not."""


def is_public(address: str) -> bool:
    """Whether this IP address, and what is wrapped in it, belongs to the internet and not to somebody's network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
        if ip not in _UNICAST:
            return inner is not None and (ip in _NAT64 or ip.ipv4_mapped is not None)
    return ip.is_global and not ip.is_multicast and ip not in _CLOUDS and not any(ip in one for one in _PAST)


class Callbacks:
    """`async with Callbacks() as outgoing`. `resolver` is for tests."""

    def __init__(
        self,
        *,
        timeout: float = 10.0,
        resolver: AbstractResolver | None = None,
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self._resolver = resolver
        self._traces = traces

    async def __aenter__(self) -> Self:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self._public = _session(_PublicOnly(resolver), self._traces)
        self._any = _session(resolver, self._traces)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._public.close()
        await self._any.close()

    async def post(self, url: str, body: Json, *, private: bool) -> None:
        try:
            address = URL(url)
        except ValueError:
            raise AddressNotAllowed("no address") from None
        if address.scheme not in ("http", "https") or not address.raw_host:
            raise AddressNotAllowed("not https or http")
        if not private and _is_literal(address.raw_host) and not is_public(address.raw_host):
            raise AddressNotAllowed("private network")
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        session = self._any if private else self._public
        try:
            async with session.post(
                address, data=data, headers={"Content-Type": "application/json"}, allow_redirects=False,
                timeout=self._timeout,
            ) as answer:  # fmt: skip
                status = answer.status
        except _NotPublic:
            raise AddressNotAllowed("private network") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(type(error).__name__) from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise AddressNotAllowed(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Trouble(type(error).__name__) from None
        if 200 <= status < 300:
            return
        if status == 429:
            raise RateLimited(f"HTTP {status}")
        if status >= 500 or status in (408, 425):
            raise Trouble(f"HTTP {status}")
        raise Refused(f"HTTP {status}")


class _NotPublic(Exception):
    """Not an OSError: aiohttp would take it for a name that does not resolve, and that is worth another try."""


class _PublicOnly(AbstractResolver):
    """Leaves only public addresses of a name; the connector connects to what is left and to nothing else."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if is_public(one["host"])]
        if found and not public:
            raise _NotPublic(host)
        return public

    async def close(self) -> None:
        await self._resolver.close()


def _session(resolver: AbstractResolver, traces: Sequence[aiohttp.TraceConfig]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(resolver=resolver, limit=8, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trace_configs=list(traces))


def _is_literal(host: str) -> bool:
    """What aiohttp connects to without resolving it, `127.1` and `2130706433` included."""
    return ":" in host or all(char in "0123456789." for char in host)


_fits: type[Outgoing] = Callbacks
