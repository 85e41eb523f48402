"""Steps that tests of pages share."""

import asyncio

from bot.model import NumberId, Post
from tests.chatops.browser import Browser, Page
from tests.chatops.desk import KEY, Scene, link

NUMBER = NumberId("4915112345678")
NAMES = ["api_key", "phone_number", "department", "welcome_message", "conversation_finished_message", "offline_message"]
FILLED = {"api_key": KEY, "phone_number": "+49 1511 2345678", "department": "d2", "welcome_message": "Hello!\nAll"}


async def opened(scene: Scene, browser: Browser) -> tuple[str, Page]:
    address = link(await scene.one("!whatsapp-360d-cloud connect"))
    return address, await browser.open(address)


def said(scene: Scene) -> list[Post]:
    return [post for _, post in scene.workspace.said.values()]


async def chat_hears(scene: Scene, words: str) -> None:
    """Waits until the worker has come so far."""
    async with asyncio.timeout(5):
        while not any(words in post.text for post in said(scene)):
            await scene.workspace.news.wait()
