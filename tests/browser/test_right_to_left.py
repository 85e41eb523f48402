"""The connect page in Arabic, in a real browser: everything mirrored, and what reads from left to right still does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from bot.translations import translator
from tests.chatops.browser import Browser, served, working
from tests.chatops.desk import KEY, PHONE, Scene, link

t = translator("ar")

LEFTS = """
wanted => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(wanted);
    if (at < 0) continue;
    return [...wanted].map((_, i) => {
      const range = document.createRange();
      range.setStart(node, at + i);
      range.setEnd(node, at + i + 1);
      return range.getBoundingClientRect().left;
    });
  }
  return [];
}
"""
"""Where each character of a text is drawn, from the left edge of the window."""

GAP_BEFORE_LABEL = """
() => {
  const range = document.createRange();
  range.selectNode(document.querySelector("label").firstChild);
  return document.querySelector(".card").getBoundingClientRect().right - range.getBoundingClientRect().right;
}
"""
"""From the right edge of the card to the first word of the first label."""


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.language = lambda: "ar"
    scene.restart()
    return scene


@pytest.fixture
async def pages(scene: Scene) -> AsyncIterator[Browser]:
    async with served(scene) as browser, working(browser):
        yield browser


async def opened(chromium: Chromium, pages: Browser, scene: Scene, width: int) -> Page:
    context = await chromium.new_context(viewport={"width": width, "height": 900})
    page = await context.new_page()
    address = urlsplit(link(await scene.one("!whatsapp-360d-cloud connect"))).path
    await page.goto(str(pages.client.make_url(address)))
    return page


async def is_drawn_from_left_to_right(page: Page, text: str) -> bool:
    lefts = await page.evaluate(LEFTS, text)
    assert len(lefts) == len(text), f"{text} is not on the page"
    return bool(lefts == sorted(lefts))


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_form_is_mirrored_and_fits(chromium: Chromium, pages: Browser, scene: Scene, width: int) -> None:
    page = await opened(chromium, pages, scene, width)

    assert await page.get_attribute("html", "dir") == "rtl"
    assert await page.get_attribute("html", "lang") == "ar"
    assert await page.inner_text("h1") == t("connect.title")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert await page.evaluate(GAP_BEFORE_LABEL) < 40


async def test_numbers_and_addresses_in_arabic_sentences_are_drawn_from_left_to_right(
    chromium: Chromium, pages: Browser, scene: Scene
) -> None:
    page = await opened(chromium, pages, scene, 390)
    assert await is_drawn_from_left_to_right(page, "+49\u00a01511\u00a02345678")

    scene.whatsapp.hooks[KEY] = ("https://old.example/hook", {})
    await page.fill("#api_key", KEY)
    await page.fill("#phone_number", PHONE)
    async with page.expect_navigation():
        await page.click("button.first")
    assert await is_drawn_from_left_to_right(page, "old.example/hook")

    async with page.expect_navigation():
        await page.click("button.first")
    assert await is_drawn_from_left_to_right(page, PHONE)


@pytest.mark.parametrize("field", ["#api_key", "#phone_number"])
async def test_keys_and_numbers_are_typed_from_left_to_right_at_the_right_edge(
    chromium: Chromium, pages: Browser, scene: Scene, field: str
) -> None:
    page = await opened(chromium, pages, scene, 390)
    style = f"getComputedStyle(document.querySelector('{field}'))"

    assert await page.evaluate(f"[{style}.direction, {style}.textAlign]") == ["ltr", "right"]
