"""Bounds on guessing: whoever asks for many secret addresses that do not exist is answered 429.

Every secret in an address is long and random, so guessing is hopeless; this keeps it cheap, visible, and out of the
logs. A wrong guess costs its own client, never another: what has the right secret is served, whatever came from the
same address before. Only the API token, which an operator may have chosen badly, is refused to a client who has
guessed; and only when that client is known by its own address and not by that of a proxy before it.
"""

from __future__ import annotations

import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.config import Network
from bot.ports import Clock

log = logging.getLogger(__name__)

MOST = 30
"""Wrong guesses of one client within `SPAN`."""
SPAN = 60.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Client:
    """`certain`: the address is the client's own, as far as that can be known; otherwise it may be a proxy's."""

    address: str
    certain: bool


@dataclass(slots=True)
class _Count:
    since: float
    wrong: int = 0


class Guesses:
    def __init__(self, clock: Clock, trusted: Sequence[Network]) -> None:
        """`trusted`: proxies whose `X-Forwarded-For` is believed."""
        self._clock = clock
        self._trusted = tuple(trusted)
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wrong(self, request: web.Request) -> None:
        """Notes a wrong guess. Raises 429 when there were too many."""
        client = self.client(request)
        count = self._count(client.address)
        count.wrong += 1
        if count.wrong == MOST + 1:
            log.warning("%s asks for many secret addresses that do not exist", client.address)
        if count.wrong > MOST:
            raise self._refusal(count)

    def check(self, request: web.Request) -> None:
        """Raises 429 when even the right API token is refused to this client for now."""
        client = self.client(request)
        if client.certain and client.address in self._counts and (count := self._count(client.address)).wrong > MOST:
            raise self._refusal(count)

    def client(self, request: web.Request) -> Client:
        """The nearest address in front of the trusted proxies; what clients write themselves is not believed."""
        peer = _address(request.remote or "")
        if peer is None:
            return Client("unknown", certain=False)
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", [])[-8:])
        if not self._is_trusted(peer):
            return Client(_group(peer), certain=not forwarded and peer.is_global)
        for name in reversed(forwarded[-1024:].split(",")):
            found = _address(name.strip())
            if found is None:
                break
            if not self._is_trusted(found):
                return Client(_group(found), certain=True)
        return Client(_group(peer), certain=False)

    def _refusal(self, count: _Count) -> web.HTTPTooManyRequests:
        wait = max(int(count.since + SPAN - self._clock.now()) + 1, 1)
        return web.HTTPTooManyRequests(headers={"Retry-After": str(wait)})

    def _is_trusted(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _count(self, address: str) -> _Count:
        now = self._clock.now()
        count = self._counts.get(address)
        if count is None or not count.since <= now < count.since + SPAN:
            count = self._counts[address] = _Count(now)
            self._counts.move_to_end(address)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Some proxies add a port, and brackets to IPv6."""
    plain = name.partition("]")[0].removeprefix("[") if name.startswith("[") else name
    if plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        found = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _group(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """One client of IPv6 has a whole /64."""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
