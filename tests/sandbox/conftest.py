"""Fixtures of the 360Dialog simulator's tests: one number, one customer, one receiver of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, SandboxNumber
from tests.sandbox.dialog360_client import Api, Receiver, receiver


@dataclass
class World:
    wa: Dialog360Sandbox
    number: SandboxNumber
    maria: Customer
    api: Api
    hook: Receiver

    async def greet(self) -> str:
        """Maria writes, so that the 24-hour window is open."""
        return await self.maria.write(self.number, "Hello")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Dialog360Sandbox(allow_local_webhooks=True) as wa, receiver() as hook, aiohttp.ClientSession() as http:
        number = wa.add_number("+4915112345678")
        api = Api(http, wa.url, number.api_key)
        await api.call("POST", "/v1/configs/webhook", json={"url": hook.url + "/in", "headers": {"X-Token": "s3cret"}})
        yield World(wa, number, wa.customer("+491701234567", name="Maria"), api, hook)
