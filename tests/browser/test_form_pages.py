"""The form in a real browser: by keyboard alone, narrow and wide, light and dark, with a console that stays empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from bot.errors import Unreachable
from tests.chatops.browser import Browser, served, working
from tests.chatops.desk import KEY, PHONE, Scene, link

NARROWEST_CONTRAST = """
() => {
  const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const found = colour(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const shown = [...document.querySelectorAll("main *")].filter(node => node.checkVisibility() &&
    [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
  return Math.min(...shown.map(node => {
    const [a, b] = [light(colour(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
}
"""


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
async def pages(scene: Scene) -> AsyncIterator[Browser]:
    async with served(scene) as browser, working(browser):
        yield browser


async def opened(
    chromium: Chromium, pages: Browser, scene: Scene, *, width: int = 390, theme: Literal["light", "dark"] = "light"
) -> tuple[Page, list[str]]:
    context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    address = urlsplit(link(await scene.one("!whatsapp-360d-cloud connect"))).path
    await page.goto(str(pages.client.make_url(address)))
    return page, complaints


async def test_a_number_is_connected_by_keyboard_alone(chromium: Chromium, pages: Browser, scene: Scene) -> None:
    page, complaints = await opened(chromium, pages, scene)

    for text in (KEY, PHONE):
        await page.keyboard.press("Tab")
        await page.keyboard.type(text)
    await page.keyboard.press("Tab")
    await page.keyboard.type("Sup")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Hello!")
    for _ in range(3):
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Connect"
    async with page.expect_navigation():
        await page.keyboard.press("Enter")

    assert "is now connected" in await page.inner_text("main")
    (number,) = await scene.registry.numbers()
    assert (number.department_name, number.welcome_message) == ("Support", "Hello!")
    assert complaints == []


async def test_after_a_mistake_the_summary_has_the_focus_and_leads_to_the_field(
    chromium: Chromium, pages: Browser, scene: Scene
) -> None:
    page, _ = await opened(chromium, pages, scene)
    await page.fill("#api_key", KEY)
    async with page.expect_navigation():
        await page.press("#api_key", "Enter")

    assert await page.title() == "Error: Connect WhatsApp Number"
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert await page.evaluate("document.querySelector('[role=alert] a').getBoundingClientRect().height") >= 24
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "phone_number"


async def test_while_rocketchat_is_away_a_reload_sends_the_same_answers_again(
    chromium: Chromium, pages: Browser, scene: Scene
) -> None:
    page, _ = await opened(chromium, pages, scene)
    await page.fill("#api_key", KEY)
    await page.fill("#phone_number", PHONE)
    await page.fill("#welcome_message", "Hello!")
    scene.workspace.failing["departments"] = Unreachable("gone")
    async with page.expect_navigation():
        await page.click("button.first")
    assert "Nothing is lost: reload this page in a moment." in await page.inner_text("main")
    scene.workspace.failing.clear()

    await page.reload()

    assert "is now connected" in await page.inner_text("main")
    (number,) = await scene.registry.numbers()
    assert number.welcome_message == "Hello!"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_every_page_fits_and_can_be_read(
    chromium: Chromium, pages: Browser, scene: Scene, width: int, theme: Literal["light", "dark"]
) -> None:
    page, _ = await opened(chromium, pages, scene, width=width, theme=theme)
    scene.whatsapp.hooks[KEY] = (f"https://{'long' * 12}.example/{'path' * 30}", {})
    contrasts = []
    for fields in ({}, {"#api_key": KEY, "#phone_number": "?"}, {"#phone_number": PHONE}, {}, None):
        contrasts.append(await page.evaluate(NARROWEST_CONTRAST))
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if fields is not None:
            for name, value in fields.items():
                await page.fill(name, value)
            async with page.expect_navigation():
                await page.click("button.first")

    assert "is now connected" in await page.inner_text("main")
    assert min(contrasts) >= 4.5
