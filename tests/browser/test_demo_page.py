"""The demo page in a real browser: the three steps from a newcomer's chair, and hostile words that stay words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from bot.sandbox.page import DemoPage
from bot.stage import Stage, staged

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script> [click](javascript:alert(3)) \"'><svg onload=alert(4)>"

CONTRAST = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("main *, header *")]
    .filter((n) => n.checkVisibility() && [...n.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()))
    .filter((n) => !n.closest(":disabled, [inert]"))
    .map((n) => [n.textContent, ...[numbers(getComputedStyle(n).color), behind(n)].map(light).sort((a, b) => b - a)])
    .map(([text, a, b]) => [text, (a + 0.05) / (b + 0.05)])
    .filter(([, ratio]) => ratio < 4.5);
}"""
"""Text and contrast of what is harder to read than WCAG 2.2 (1.4.3) allows."""

DROP = """(size) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(size)], "dropped.bin"));
  document.querySelector("#phone .log").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""


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
        await expect(page.locator("#phone .said:not(.mine) .text b")).to_have_text("all day")
        await expect(page.locator("#phone .said:not(.mine) .tick")).to_have_class("tick read")
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


async def test_a_finger_finds_every_button_and_the_phone_does_not_zoom(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        phone = {"viewport": {"width": 390, "height": 664}, "has_touch": True, "is_mobile": True}
        page = await watched(chromium, troubles, **phone)
        await page.goto(show.url)
        await stage.connect()
        await stage.customer.write(stage.number, "Do you open on Sunday?")
        await expect(page.locator("#agent .guest .text")).to_have_text("Do you open on Sunday?")
        for place in ("phone", "agent", "setup"):
            await page.locator(f"nav [data-go={place}]").tap()
            await expect(page.locator(f"#{place}")).to_be_visible()
            sizes = await page.evaluate(
                "[...document.querySelectorAll('main button, main summary, main .button, nav button')]"
                ".filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect())"
                ".map(box => Math.min(box.width, box.height))"
            )
            assert min(sizes) >= 36
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            font = await page.evaluate(f"getComputedStyle(document.querySelector('#{place} textarea')).fontSize")
            assert font == "16px", "below that Safari zooms in when one begins to write"
        assert troubles == []


async def open_demo(chromium: Browser, stage: Stage, show: DemoPage, troubles: list[str], **options: Any) -> Page:
    """The page with a connected number and a conversation that the customer began."""
    page = await watched(chromium, troubles, **options)
    await page.goto(show.url)
    await stage.connect()
    await page.fill("#phone textarea", "Do you open on *Sunday*?")
    await page.press("#phone textarea", "Enter")
    await expect(page.locator("#agent .guest .text")).to_have_text("Do you open on Sunday?")
    return page


async def choose(page: Page, place: str, name: str, mime: str, data: bytes) -> None:
    """A file by the menu and the browser's own chooser."""
    await page.click(f"#{place} .add summary")
    async with page.expect_file_chooser() as asked:
        await page.click(f"#{place} [data-attach]")
    await (await asked.value).set_files(FilePayload(name=name, mimeType=mime, buffer=data))
    await expect(page.locator(f"#{place} .attached")).to_contain_text(name)


async def test_files_go_both_ways_with_words_and_as_answers(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.locator("#agent .guest [data-key=reply]").click()
        await expect(page.locator("#agent .about .quoted")).to_contain_text("Sunday")
        await choose(page, "agent", "hours.pdf", "application/pdf", b"%PDF-1.4 hours")
        await page.fill("#agent textarea", "All is in here")
        await page.press("#agent textarea", "Enter")
        arrived = page.locator("#phone .said:not(.mine)")
        await expect(arrived.locator(".file")).to_have_text("hours.pdf")
        await expect(arrived.locator(".quoted span")).to_have_text("Do you open on Sunday?")
        await expect(arrived.locator(".text")).to_have_text("All is in here")
        await expect(page.locator("#agent .own .tick")).to_have_attribute("aria-label", "On WhatsApp: read")
        await expect(page.locator("#agent .about")).to_be_hidden()

        await arrived.locator("[data-key=reply]").click()
        await choose(page, "phone", "mine.pdf", "application/pdf", b"%PDF-1.4 mine")
        await page.press("#phone textarea", "Enter")
        answer = page.locator("#agent .guest").last
        await expect(answer.locator(".file")).to_have_text("mine.pdf")
        await expect(answer.locator(".quoted span")).to_have_text("All is in here")
        assert troubles == []


async def test_reactions_go_both_ways_and_are_taken_back(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        guest, mine = page.locator("#agent .guest").first, page.locator("#phone .said.mine").first
        await guest.locator("[data-key=react]").click()
        await guest.get_by_role("button", name="👍").click()
        await expect(mine.locator(".reactions")).to_have_text("👍")
        await guest.locator(".reactions button").click()
        await expect(mine.locator(".reactions")).to_have_count(0)

        await page.fill("#agent textarea", "Yes")
        await page.press("#agent textarea", "Enter")
        arrived, own = page.locator("#phone .said:not(.mine)"), page.locator("#agent .own")
        await expect(own.locator(".tick")).to_have_class("tick read")
        await arrived.locator("[data-key=react]").click()
        await arrived.get_by_role("button", name="🙏").click()
        await expect(page.locator("#agent .reactions, #agent .message:not(.own):not(.guest)")).to_contain_text("🙏")
        assert troubles == []


async def test_a_day_without_a_word_needs_a_template_and_the_picker_sends_it(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.click("#wait")
        await expect(page.locator("#shut")).to_be_visible()
        await page.fill("#agent textarea", "Are you there?")
        await page.press("#agent textarea", "Enter")
        await expect(page.locator("#agent .own .bad")).to_have_text("not delivered")

        await page.click("#pick")
        await page.get_by_role("button", name="appointment_reminder · en").click()
        await expect(page.locator("#templates")).to_be_hidden()
        await page.keyboard.type("Mia")  # over the first example, which is marked
        await page.keyboard.press("Enter")
        card = page.locator("#phone .said:not(.mine)")
        await expect(card.locator(".text")).to_have_text(
            "Hi Mia, see you on 12 May at 10:30. Reply here if you need another time."
        )
        await card.get_by_role("button", name="Confirm").click()
        await expect(page.locator("#agent .guest .text").last).to_have_text("Confirm")
        await expect(page.locator("#shut")).to_be_hidden()
        assert troubles == []


async def test_the_picker_leads_into_the_bots_own_questions(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.click("#pick")
        await page.get_by_role("button", name="Choose and fill in step by step").click()
        question = page.locator("#agent .message:not(.own):not(.guest)")
        await expect(question.last).to_contain_text("order_update")
        assert troubles == []


@pytest.mark.parametrize(("act", "label"), [("few", "Yes, tomorrow"), ("many", "A return")])
async def test_what_a_chatbot_offers_is_tapped_on_the_phone(
    chromium: Browser, stage: Stage, act: str, label: str
) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.click("#agent .add summary")
        await page.click(f"#agent [data-act=agent-offers-{act}]")
        choices = page.locator("#phone .choices")
        if act == "many":
            await choices.locator("summary").click()
        await choices.get_by_role("button", name=label).click()
        await expect(page.locator("#agent .guest .text").last).to_have_text(label)
        assert troubles == []


async def test_an_ended_conversation_says_so_and_the_next_word_opens_a_new_one(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.click("#close")
        await expect(page.locator("#over")).to_be_visible()
        await expect(page.locator("#agent textarea")).to_be_disabled()
        await expect(page.locator("#agent .tools").first).to_be_hidden()

        await page.fill("#phone textarea", "One more thing")
        await page.press("#phone textarea", "Enter")
        await expect(page.locator("#agent .guest .text")).to_have_text("One more thing")
        await expect(page.locator("#over")).to_be_hidden()
        await expect(page.locator("#agent textarea")).to_be_enabled()
        await page.get_by_role("button", name="Maria (ended)").click()
        await expect(page.locator("#over")).to_be_visible()
        assert troubles == []


async def test_what_cannot_be_sent_is_said_and_kept(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        await page.evaluate(DROP, 16 * 1024 * 1024 + 1)
        await expect(page.locator("#phone .log .bad")).to_have_text(
            "That did not work: Files may have up to 16 MB here."
        )
        await expect(page.locator("#phone .attached")).to_be_hidden()
        assert troubles == []

        await choose(page, "agent", "logo.svg", "image/svg+xml", b"<svg/>")
        await page.fill("#agent textarea", "Our logo")
        await page.press("#agent textarea", "Enter")
        await expect(page.locator("#agent .log .bad")).to_have_text(
            "That did not work: This workspace does not take files of this type."
        )
        await expect(page.locator("#agent .attached")).to_contain_text("logo.svg")
        await expect(page.locator("#agent textarea")).to_have_value("Our logo")
        await page.get_by_role("button", name="Leave it out").click()
        await expect(page.locator("#agent .about")).to_be_hidden()
        await page.press("#agent textarea", "Enter")
        await expect(page.locator("#phone .said:not(.mine) .text")).to_have_text("Our logo")
        assert [line for line in troubles if "409" not in line] == []  # Chromium itself logs a refused request


async def test_every_message_is_reached_and_answered_by_keyboard(chromium: Browser, stage: Stage) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await open_demo(chromium, stage, show, troubles)
        for text in ("one", "two"):
            await page.fill("#phone textarea", text)
            await page.press("#phone textarea", "Enter")
            await expect(page.locator("#agent .guest .text").last).to_have_text(text)
        await page.focus("#agent .log")
        await page.keyboard.press("Tab")
        await expect(page.locator("#agent .guest [data-key=reply]").last).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await expect(page.locator("#agent .guest [data-key=reply]").nth(1)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#agent textarea")).to_be_focused()
        await expect(page.locator("#agent .about .quoted span")).to_have_text("one")
        await page.keyboard.press("Escape")
        await expect(page.locator("#agent .about")).to_be_hidden()

        await page.focus("#pick")
        await page.keyboard.press("Enter")
        await expect(page.locator("#templates button").first).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#pick")).to_be_focused()
        await page.focus("#agent .add summary")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.locator("#agent [data-attach]")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#agent .add summary")).to_be_focused()
        assert troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_of_it_fits_a_phone_and_can_be_read(chromium: Browser, stage: Stage, scheme: str) -> None:
    troubles: list[str] = []
    async with demo(stage) as show:
        page = await watched(chromium, troubles, viewport={"width": 390, "height": 844}, color_scheme=scheme)
        await page.goto(show.url)
        await stage.connect()
        await page.click("nav [data-go=phone]")
        await page.fill("#phone textarea", "A_very_long_word_" * 40)
        await page.press("#phone textarea", "Enter")
        await page.click("nav [data-go=agent]")
        await expect(page.locator("#agent .guest")).to_be_visible()
        await choose(page, "agent", "a_very_long_name_" * 8 + ".txt", "text/plain", b"x")
        await page.click("#pick")
        await page.click("#agent .add summary")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        for control in await page.locator("#agent button:visible, #agent summary:visible").all():
            box = await control.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert await page.evaluate(CONTRAST) == []
        assert troubles == []
