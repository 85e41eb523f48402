"""The other pages in a real browser, in English and in Arabic, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import FilePayload, Page

from bot.stage import Stage, staged
from bot.stage_page import link_in
from tests.browser.test_form_pages import NARROWEST_CONTRAST
from tests.browser.test_right_to_left import is_drawn_from_left_to_right

CALL = "!whatsapp-360d-cloud"
COMMANDS = ("settings", "numbers edit", "endpoints")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as found:
        await found.connect(welcome_message="Hello! Thank you for contacting us!")
        yield found


async def fresh(chromium: Chromium, width: int, theme: Literal["light", "dark"]) -> tuple[Page, list[str]]:
    context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
async def test_every_page_fits_is_labelled_and_can_be_read(
    chromium: Chromium, stage: Stage, language: str, direction: str
) -> None:
    await stage.command(f"{CALL} settings preferred_language {language}")
    for command in COMMANDS:
        address = link_in(await stage.command(f"{CALL} {command}"))
        for width, theme in ((390, "light"), (1280, "dark")):
            page, complaints = await fresh(chromium, width, "light" if theme == "light" else "dark")
            await page.goto(address)

            assert await page.get_attribute("html", "dir") == direction
            assert await fits(page), (command, width)
            assert await page.evaluate(NARROWEST_CONTRAST) >= 4.5
            unnamed = await page.evaluate(
                "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, output')]"
                ".filter(one => !one.labels.length).map(one => one.id)"
            )
            assert unnamed == []
            assert complaints == []
            await page.context.close()


async def test_a_number_is_edited_with_a_look_at_what_will_differ(chromium: Chromium, stage: Stage) -> None:
    page, complaints = await fresh(chromium, 390, "light")
    await page.goto(link_in(await stage.command(f"{CALL} numbers edit")))
    assert not await page.is_editable("#phone_number")
    await page.fill("#welcome_message", "Good day!")
    await page.keyboard.press("Tab")

    await page.click("button.first")
    assert "Welcome Message: Good day!" in await page.inner_text("main")
    assert await fits(page)
    await page.get_by_role("button", name="Change something").click()
    assert await page.input_value("#welcome_message") == "Good day!"
    await page.fill("#welcome_message", "Good morning!")
    await page.click("button.first")
    assert "Welcome Message: Good morning!" in await page.inner_text("main")
    await page.click("button.first")

    assert "The details of +4915112345678 are saved." in await page.inner_text("main")
    assert complaints == []


async def test_results_in_arabic_show_each_number_from_left_to_right(chromium: Chromium, stage: Stage) -> None:
    await stage.command(f"{CALL} settings preferred_language ar")
    page, _ = await fresh(chromium, 390, "light")
    await page.goto(link_in(await stage.command(f"{CALL} send-template")))
    await page.select_option("#template", "hello_world|en_US")
    await page.fill("#recipients", stage.customer.phone)
    for _ in ("preview", "result"):
        async with page.expect_navigation():
            await page.click("button.first")

    assert await is_drawn_from_left_to_right(page, stage.customer.phone)
    [told] = [message["msg"] for message in stage.from_bot(stage.setup_room) if stage.customer.phone in message["msg"]]
    assert f"\u2066{stage.customer.phone}\u2069: " in told


async def test_a_file_that_is_too_large_leaves_the_form_with_what_was_filled_in_before(
    chromium: Chromium, stage: Stage
) -> None:
    page, _ = await fresh(chromium, 390, "light")
    await page.goto(link_in(await stage.command(f"{CALL} send-template")))
    await page.select_option("#template", "new_catalogue|en")
    await page.fill("#recipients", stage.customer.phone)
    await page.click("button.first")
    await page.wait_for_selector("#header_media-file")
    assert await page.get_attribute("#header_media-file", "accept") == "image/jpeg,image/png"
    large = FilePayload(name="large.png", mimeType="image/png", buffer=bytes(20 * 1024 * 1024))
    await page.set_input_files("#header_media-file", large)
    await page.click("button.first")

    await page.wait_for_selector("[role=alert]")
    assert "The file is larger than 16 MB" in await page.inner_text("[role=alert]")
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert await page.input_value("#recipients") == stage.customer.phone
    assert await page.is_visible("#body_1")


async def test_the_page_after_a_sign_up_works_as_a_popup_and_as_a_page(chromium: Chromium, stage: Stage) -> None:
    page, complaints = await fresh(chromium, 390, "light")
    await page.goto(link_in(await stage.command(f"{CALL} endpoints")))
    back = await page.inner_text("#auth_success")
    icon = await page.inner_text("#sidebar_icon")

    async with page.expect_popup() as opening:
        await page.evaluate("address => { open(address, '_blank', 'width=400,height=500') }", f"{back}?channels=[aCH]")
    popup = await opening.value
    await popup.wait_for_load_state()
    assert "Thank you" in await popup.inner_text("h1")
    assert await fits(popup)
    await page.goto(f"{back}?client=<b>x</b>")
    assert await page.inner_text("h1") == "Thank you"
    answer = await page.goto(icon)

    assert answer is not None
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert await page.evaluate("document.documentElement.getBoundingClientRect().width > 0")
    assert [text for text in complaints if "favicon" not in text] == []
    assert urlsplit(back).query == ""
