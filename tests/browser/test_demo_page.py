"""The demo page in a real browser: the three steps from a newcomer's chair, and hostile words that stay words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bot.sandbox.page import DemoPage
from bot.stage import Stage, staged

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script> [click](javascript:alert(3)) \"'><svg onload=alert(4)>"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged(start=False) as stage:
        stage.rc.settings["Message_AllowUnrecognizedSlashCommand"] = True
        await stage.start()
        yield stage


def demo(stage: Stage) -> DemoPage:
    return DemoPage(
        stage.rc,
        stage.wa,
        number=stage.number,
        customer=stage.customer,
        admin=stage.admin,
        agent=stage.agent,
        setup_room=stage.setup_room,
    )


async def watched(browser: Browser, troubles: list[str], **options: Any) -> Page:
    """A page that notes every dialog, script error and complaint of the console."""
    page = await (await browser.new_context(**options)).new_page()
    page.on("dialog", lambda dialog: troubles.append(f"dialog {dialog.message}"))
    page.on("pageerror", lambda error: troubles.append(f"error {error}"))
    page.on("console", lambda line: troubles.append(line.text) if line.type in ("error", "warning") else None)
    return page


async def test_a_newcomer_connects_the_number_writes_and_answers(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await watched(chromium, troubles)
        await page.goto(show.url)
        await expect(page.locator("#phone textarea")).to_be_disabled()
        setup = page.locator("#setup .log")
        await setup.get_by_role("button", name="Yes").click()
        await setup.get_by_role("button", name="Connect WhatsApp Number").last.click()
        async with page.context.expect_page() as opened:
            await setup.get_by_role("link", name="form").last.click()
        form = await opened.value
        await form.fill("[name=api_key]", await page.locator("#key").inner_text())
        await form.fill("[name=phone_number]", await page.locator("#number").inner_text())
        await form.locator("button").first.click()
        await expect(page.locator("#steps li").nth(0)).to_have_class("done")

        await page.fill("#phone textarea", "Hello! Are you *open*?")
        await page.press("#phone textarea", "Enter")
        await expect(page.locator("#agent .guest .text")).to_have_text("Hello! Are you open?")
        await expect(page.locator("#agent .guest .text b")).to_have_text("open")
        await page.fill("#agent textarea", "Yes, **all day**")
        await page.press("#agent textarea", "Enter")
        await expect(page.locator("#phone .bubble:not(.mine) .text b")).to_have_text("all day")
        await expect(page.locator("#phone .bubble:not(.mine) .tick")).to_have_class("tick read")
        await expect(page.locator("#done")).to_be_visible()
        assert troubles == []


async def test_hostile_words_stay_words_everywhere(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    stage.customer.name = EVIL
    await stage.connect()
    async with demo(stage) as show:
        page = await watched(chromium, troubles)
        await page.goto(show.url)
        await stage.customer.write(stage.number, EVIL)
        await stage.rc.write(stage.admin, stage.setup_room, EVIL)
        room = await stage.agent_room()
        action = {"type": "button", "text": EVIL, "msg": "x", "msg_in_chat_window": True}
        parts = [{"title": EVIL, "text": EVIL, "actions": [action]}]
        await stage.rc.write(stage.agent, room, EVIL, attachments=parts)
        await expect(page.locator("#phone .bubble .text").first).to_have_text(EVIL)
        await expect(page.locator("#setup .own .text").last).to_have_text(EVIL)
        await expect(page.locator("#agent .own .actions button")).to_have_text(EVIL)
        await expect(page.locator("#agent .own .text").first).to_have_text(EVIL)
        assert (
            await page.locator("main img, main script, main [onerror], main [onload], main a[href^=java]").count() == 0
        )
        assert troubles == []


async def test_one_place_at_a_time_fits_a_narrow_screen(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await watched(chromium, troubles, viewport={"width": 390, "height": 844})
        await page.goto(show.url)
        await expect(page.locator("#setup .message").first).to_be_visible()
        await expect(page.locator("#phone")).to_be_hidden()
        for place in ("phone", "agent", "setup"):
            await page.locator(f"nav [data-go={place}]").press("Enter")
            await expect(page.locator(f"#{place}")).to_be_visible()
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390
        assert troubles == []
