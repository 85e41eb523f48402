"""Who may open a page and send it: the ticket, the seal of the page, the origin, the role, the size."""

import pytest
from aiohttp import FormData

from tests.chatops.browser import Browser, read
from tests.chatops.desk import KEY, PHONE, PUBLIC, Scene, link
from tests.chatops.steps import FILLED, NUMBER, opened, said


async def test_the_bare_address_says_where_forms_come_from_and_nothing_else(browser: Browser) -> None:
    page = await browser.open("/")

    assert page.status == 200
    assert "Forms open by links that the bot gives in Rocket.Chat." in page.text
    assert page.buttons == [] and "Server" not in page.headers


async def test_an_unknown_link_says_how_to_get_one(browser: Browser) -> None:
    page = await browser.open(f"{PUBLIC}/forms/{'x' * 43}")

    assert page.status == 404
    assert "Type the command again" in page.text


async def test_a_link_expires_and_can_be_renewed_in_chat(scene: Scene, browser: Browser) -> None:
    address, _ = await opened(scene, browser)
    scene.clock.time += 16 * 60
    assert (await browser.open(address)).status == 410

    renewed = link(await scene.one("link"))

    assert (await browser.open(renewed)).status == 200


async def test_a_page_that_is_open_may_be_sent_for_half_an_hour(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.clock.time += 29 * 60
    late = await browser.submit(address, page, phone_number="?")
    assert late.status == 422

    scene.clock.time += 31 * 60
    over = await browser.submit(address, late, **FILLED)
    assert over.status == 410
    assert "expired" in over.text


async def test_another_tab_with_other_answers_is_not_told_that_they_were_taken(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **FILLED)

    other = await browser.submit(address, page, **{**FILLED, "welcome_message": "Something else"})
    left = await browser.submit(address, page, "Cancel", **FILLED)

    for told in (other, left):
        assert told.status == 410
        assert "The form was sent already" in told.text
    assert "is now connected" in (await browser.submit(address, page, **FILLED)).text, "the same, sent twice"


async def test_looking_at_a_page_uses_nothing_up(scene: Scene, browser: Browser) -> None:
    """A chat server fetches addresses for previews."""
    address, page = await opened(scene, browser)
    before = await scene.registry.sessions()

    await browser.open(address)

    assert await scene.registry.sessions() == before
    assert "is now connected" in (await browser.submit(address, page, **FILLED)).text


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "https://bot.example.evil.example", "x", "http://["]
)
async def test_a_form_sent_from_elsewhere_is_refused(scene: Scene, browser: Browser, origin: str) -> None:
    address, page = await opened(scene, browser)

    browser.headers["Origin"] = origin
    refused = await browser.submit(address, page, **FILLED)

    assert refused.status == 403
    assert await scene.registry.numbers() == []


async def test_a_form_sent_from_our_own_address_is_taken(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    browser.headers["Origin"] = "https://bot.example"
    done = await browser.submit(address, page, **FILLED)

    assert "is now connected" in done.text


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [("same-origin", "null", 200), ("same-origin", PUBLIC, 200), ("cross-site", "null", 403), ("same-site", None, 403),
     ("none", None, 403), ("same-origin", "https://evil.example", 403)],
)  # fmt: skip
async def test_a_browser_that_says_where_a_form_was_sent_from_is_believed(
    scene: Scene, browser: Browser, site: str, origin: str | None, status: int
) -> None:
    """The page asks for no referrer, so browsers write `Origin: null`."""
    address, page = await opened(scene, browser)

    browser.headers |= {"Sec-Fetch-Site": site, **({"Origin": origin} if origin else {})}
    answer = await browser.submit(address, page, **FILLED)

    assert answer.status == status
    assert bool(await scene.registry.numbers()) is (status == 200)


async def test_guessing_links_is_slowed_down_and_the_right_one_still_opens(scene: Scene, browser: Browser) -> None:
    address, _ = await opened(scene, browser)

    answers = [(await browser.client.get(f"/forms/{number}")).status for number in range(40)]

    assert set(answers[:30]) == {404}
    assert set(answers[30:]) == {429}
    assert (await browser.open(address)).status == 200


async def test_a_form_without_the_seal_of_its_page_is_refused(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    _, other = await opened(scene, browser)

    for seal in ("", "0" * 64, page.fields["seal"], "é"):
        refused = await browser.submit(link(said(scene)[-1]), other, seal=seal, **FILLED)
        assert refused.status == 403
    assert address != link(said(scene)[-1])


async def test_roles_are_asked_again_when_the_page_is_sent(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.workspace.roles["ada"] = {"user"}

    refused = await browser.submit(address, page, **FILLED)

    assert refused.status == 403
    assert "Only people with one of these roles" in refused.text
    assert await scene.registry.numbers() == []


async def test_a_body_that_is_too_large_is_refused(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    refused = await browser.submit(address, page, welcome_message="x" * 70_000)

    assert refused.status == 413


PART = b"--b\r\nContent-Disposition: form-data"
MULTIPART, URLENCODED = "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MULTIPART, PART + b'; name="a\x15b"\r\n\r\nx\r\n--b--\r\n'),
        (MULTIPART, PART + b"\r\n\r\nx\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\n\r\n"),
        ("multipart/form-data", b"x"),
        (MULTIPART, b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--"),
        (f"{URLENCODED}; charset=nonsense", b"a=b"),
        (f"{URLENCODED}; charset=utf-16", b"a=b"),
        (URLENCODED, b"&".join(b"a=b" for _ in range(5000))),
    ],
)
async def test_what_is_no_form_is_refused(scene: Scene, browser: Browser, kind: str, body: bytes) -> None:
    """Found by fuzzing: the first of these, and its relatives."""
    address, _ = await opened(scene, browser)

    answer = await browser.client.post(address.removeprefix(PUBLIC), data=body, headers={"Content-Type": kind})

    assert answer.status in (400, 403, 413)


async def test_a_multipart_form_is_read_and_its_files_left_out(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    data = FormData({"seal": page.fields["seal"], "act": "submit", "api_key": KEY, "phone_number": PHONE})
    data.add_field("welcome_message", b"file", filename="x.txt")

    done = await read(await browser.client.post(address.removeprefix(PUBLIC), data=data))

    assert "is now connected" in done.text
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert number.welcome_message == ""


async def test_the_page_may_do_nothing_but_be_read_and_sent(scene: Scene, browser: Browser) -> None:
    _, page = await opened(scene, browser)

    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for rule in ("form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in page.headers
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "link", "iframe")]
