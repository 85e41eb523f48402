"""A stage for demo and stories: a small Rocket.Chat, a small 360Dialog, and the bot between them, on loopback.

The people on it use what people use: chat messages, buttons, the real form over HTTP, a phone. Nothing here reaches
into the bot.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
from pydantic import SecretStr

from bot import app
from bot.config import PREFIX, App, Dialog360, RocketChat, Server, Settings, Storage
from bot.doors import SystemClock
from bot.ports import Clock
from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, SandboxNumber
from bot.sandbox.rocketchat import RocketChatSandbox, User
from bot.stage_page import Page, link_in, read_page
from bot.startup import Bot

TIMEOUT = 15.0
BOT = "whatsapp.bot"
PASSWORD = "of the demo's bot"  # noqa: S105 - it opens nothing but a simulator on loopback


class Program:
    """The bot as a process of its own."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self.settings = settings
        self._http = http
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """As an operator does; waits until `/readyz` says 200."""
        await self.spawn()
        await self.alive()

    async def spawn(self) -> None:
        """As an operator does, without waiting for it."""
        data = self.settings.storage.data_dir
        config = data.with_name(f"{data.name}.toml")
        config.write_text(config_text(self.settings), encoding="utf-8")
        command = (sys.executable, "-m", "bot", "run", "--config", str(config))
        clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        self._process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[1], env=clean)

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    async def alive(self) -> None:
        """Waits for a process that is just starting."""
        async with asyncio.timeout(TIMEOUT):
            while not await self._is_ready():  # noqa: ASYNC110 - another process has no event to wait for
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Signal 9: no chance to tidy up."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def asked_to_stop(self) -> int:
        """SIGTERM, as a service manager sends it; the code with which it ends."""
        assert self._process is not None, "it was not started"
        self._process.terminate()
        return await self._process.wait()

    async def _is_ready(self) -> bool:
        try:
            async with self._http.get(f"http://127.0.0.1:{self.settings.server.port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


class Stage:
    """Everybody on it, by name."""

    def __init__(self, rc: RocketChatSandbox, wa: Dialog360Sandbox, settings: Settings, http: aiohttp.ClientSession):
        self.rc = rc
        self.wa = wa
        self.settings = settings
        self.http = http
        self.admin: User = rc.add_user("ada", name="Ada Admin", roles=("admin", "user"))
        self.agent: User = rc.add_user("ben", name="Ben Agent", roles=("livechat-agent", "user"))
        self.bot_user: User = rc.add_user(
            BOT, name="WhatsApp", roles=("bot", "livechat-manager", "user"), password=PASSWORD
        )
        self.number: SandboxNumber = wa.add_number("+4915112345678", name="Demo Shop")
        self.customer: Customer = wa.customer("+491701234567", name="Maria")
        self.bot: Bot | None = None
        self.program = Program(settings, http)
        self._running = AsyncExitStack()

    async def start(self, clock: Clock | None = None) -> None:
        """Starts the bot and waits until it says that it is ready. `clock`: other than the machine's."""
        self.bot = await self._running.enter_async_context(app.running(self.settings, clock or SystemClock()))
        async with asyncio.timeout(TIMEOUT):
            await self.bot.ready.wait()

    async def stop(self) -> None:
        self.bot = None
        await self._running.aclose()
        await self.kill()

    async def start_process(self) -> None:
        """Starts the real program, as an operator does, and waits until it is ready."""
        await self.program.start()

    async def alive(self) -> None:
        await self.program.alive()

    async def kill(self) -> None:
        await self.program.kill()

    @property
    def setup_room(self) -> str:
        room = self.rc.room_named(self.settings.rocketchat.setup_channel)
        assert room is not None, "the bot makes it at its first start"
        return str(room["_id"])

    def from_bot(self, room: str) -> list[dict[str, Any]]:
        return [message for message in self.rc.messages(room) if message["u"]["_id"] == self.bot_user.id]

    async def command(self, text: str, room: str | None = None, user: User | None = None) -> dict[str, Any]:
        """Types something at the bot and waits for its answer."""
        room = room or self.setup_room
        before = len(self.from_bot(room))
        await self.rc.write(user or self.admin, room, text)
        answers = await self.rc.until(lambda: self.from_bot(room)[before:], timeout=TIMEOUT)
        return dict(answers[0])

    async def connect(self, number: SandboxNumber | None = None, **fields: str) -> Page:
        """Connects a number as a newcomer would: command, link, form, submit (and confirm, when asked)."""
        number = number or self.number
        answer = await self.command("!whatsapp-360d-cloud connect")
        page = await self.open(link_in(answer))
        page = await self.submit(page, api_key=number.api_key, phone_number=number.phone, **fields)
        for _ in range(3):
            if not page.fields:
                break
            page = await self.submit(page)
        return page

    async def open(self, url: str) -> Page:
        async with self.http.get(url) as answer:
            return read_page(answer.status, url, await answer.text())

    async def submit(self, page: Page, /, button: str | None = None, **fields: str) -> Page:
        """Presses the named submit button, or the first one, with these fields changed."""
        pressed = next((one for one in page.buttons if button is None or one[1] == button), None)
        data = {**page.fields, **fields, **({pressed[0]: pressed[1]} if pressed and pressed[0] else {})}
        async with self.http.post(page.url, data=data) as answer:
            return read_page(answer.status, page.url, await answer.text())

    def rooms_of(self, customer: Customer | None = None) -> list[dict[str, Any]]:
        """The customer's conversations as agents have them, oldest first."""
        phone = (customer or self.customer).phone
        rooms = [room for room in self.rc.rooms.values() if room["t"] == "l"]
        return [room for room in rooms if phone in str(self.rc.core.world.visitors[room["v"]["_id"]].get("phone"))]

    async def agent_room(self, customer: Customer | None = None) -> str:
        """The customer's open conversation, as soon as there is one."""
        found = await self.rc.until(
            lambda: [room for room in self.rooms_of(customer) if room.get("open")], timeout=TIMEOUT
        )
        return str(found[-1]["_id"])

    def from_customer(self, room: str) -> list[str]:
        """What the agent reads of the customer, in order."""
        return [m["msg"] for m in self.rc.messages(room) if m.get("token") and not m.get("t")]

    async def agent_writes(self, room: str, text: str, **fields: Any) -> dict[str, Any]:
        """The agent's message as Rocket.Chat stored it."""
        message = await self.rc.write(self.agent, room, text, **fields)
        assert message is not None, "the web client swallowed it as an unknown slash command"
        return message

    async def agent_reads(self, text: str, customer: Customer | None = None) -> str:
        """Waits until the agent has this line in an open room of the customer; returns the room."""
        room = await self.agent_room(customer)
        await self.rc.until(lambda: any(text in line for line in self.from_customer(room)), timeout=TIMEOUT)
        return room

    async def customer_reads(self, text: str, customer: Customer | None = None) -> None:
        who = customer or self.customer
        await self.wa.until(lambda: any(one.text == text for one in who.received), timeout=TIMEOUT)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_text(settings: Settings) -> str:
    """The settings of a stage as the file that an operator would write."""
    return f"""
[rocketchat]
url = "{settings.rocketchat.url}"
username = "{settings.rocketchat.username}"
password = "{settings.rocketchat.password.get_secret_value()}"
setup_members = {json.dumps(settings.rocketchat.setup_members)}
status_reactions = {json.dumps(settings.rocketchat.status_reactions)}

[dialog360]
base_url = "{settings.dialog360.base_url}"
messages_per_second = {settings.dialog360.messages_per_second}

[server]
port = {settings.server.port}
public_url = "{settings.server.public_url}"
api_token = "{settings.server.api_token.get_secret_value()}"

[storage]
data_dir = "{settings.storage.data_dir}"
database_url = "{settings.storage.database_url.get_secret_value()}"
secret_key_file = "{settings.storage.key_file}"

[log]
level = "{settings.log.level}"
"""


@asynccontextmanager
async def staged(
    *,
    flavour: Literal["monolith", "streamer"] = "monolith",
    start: bool = True,
    public_url: str = "",
    database_url: str = "",
    api_token: str = "",
    messages_per_second: int = 80,
    status_reactions: bool = True,
    **app_settings: Any,
) -> AsyncIterator[Stage]:
    """Both sandboxes with people in them, and the started bot in between; `start=False`: not yet."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whatsapp-stage-")))
        rc = await stack.enter_async_context(RocketChatSandbox(flavour=flavour))
        wa = await stack.enter_async_context(Dialog360Sandbox(allow_local_webhooks=True))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        port = free_port()
        # Not validated again: that would read the environment, which may speak of a real workspace.
        settings = Settings.model_construct(
            rocketchat=RocketChat(
                url=rc.url,
                username=BOT,
                password=SecretStr(PASSWORD),
                setup_members=["ada"],
                status_reactions=status_reactions,
            ),
            dialog360=Dialog360(base_url=wa.url, messages_per_second=messages_per_second),
            server=Server(
                port=port, public_url=public_url or f"http://127.0.0.1:{port}", api_token=SecretStr(api_token)
            ),
            app=App(**app_settings),
            storage=Storage(data_dir=folder / "data", database_url=SecretStr(database_url)),
        )
        stage = Stage(rc, wa, settings, http)
        stack.push_async_callback(stage.stop)
        if start:
            await stage.start()
        yield stage
