"""The pages of forms: what a browser and a plain HTTP client see, and what the chat hears of it."""

import asyncio

import pytest
from aiohttp import FormData

from bot.errors import InvalidRequest, Unreachable
from bot.model import NumberId, Post
from tests.chatops.browser import Browser, Page, read, working
from tests.chatops.desk import KEY, OTHER_KEY, PHONE, PUBLIC, Scene, button, labels, link

NUMBER = NumberId("4915112345678")
NAMES = ["api_key", "phone_number", "department", "welcome_message", "conversation_finished_message", "offline_message"]
FILLED = {"api_key": KEY, "phone_number": "+49 1511 2345678", "department": "d2", "welcome_message": "Hello!\nAll"}


async def opened(scene: Scene, browser: Browser) -> tuple[str, Page]:
    address = link(await scene.one("!whatsapp-360d-cloud connect"))
    return address, await browser.open(address)


def said(scene: Scene) -> list[Post]:
    return [post for _, post in scene.workspace.said.values()]


async def test_the_page_asks_what_the_chat_asks(scene: Scene, browser: Browser) -> None:
    _, page = await opened(scene, browser)

    assert page.status == 200
    assert [name for name in page.fields if name != "seal"] == NAMES
    assert page.options["department"] == [("", "No department"), ("d1", "Sales"), ("d2", "Support")]
    assert [label for _, _, label in page.buttons] == ["Connect", "Save key and go on in chat", "Cancel"]
    assert page.tag("api_key")["type"] == "password"


async def test_every_control_has_a_label_and_a_description(scene: Scene, browser: Browser) -> None:
    _, page = await opened(scene, browser)

    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    labelled = {attributes["for"] for tag, attributes in page.tags if tag == "label"}
    for name in NAMES:
        assert page.tag(name)["id"] in labelled
        assert set(page.tag(name)["aria-describedby"].split()) <= ids
    html = next(attributes for tag, attributes in page.tags if tag == "html")
    assert html == {"lang": "en", "dir": "ltr"}


async def test_a_number_is_connected_from_the_page(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    done = await browser.submit(address, page, **FILLED)

    assert done.status == 200
    assert "Your WhatsApp number +4915112345678 is now connected!" in done.text
    assert "You can close this page" in done.text
    assert "is now connected" in said(scene)[-1].text
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert (number.api_key, number.department_name, number.welcome_message) == (KEY, "Support", "Hello!\nAll")
    assert scene.whatsapp.hooks[KEY][0].startswith(f"{PUBLIC}/api/apps/private/app/")


async def test_the_chat_is_told_once_though_the_form_is_sent_twice(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    both = await asyncio.gather(*(browser.submit(address, page, **FILLED) for _ in range(2)))

    assert ["is now connected" in one.text for one in both] == [True, True]
    assert sum("is now connected" in post.text for post in said(scene)) == 1


async def test_a_used_link_says_so(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **FILLED)

    again = await browser.open(address)

    assert again.status == 410
    assert "This link was used" in again.text
    assert again.fields == {}
    assert PHONE not in again.html


async def test_wrong_answers_are_explained_beside_their_fields_and_the_right_ones_kept(
    scene: Scene, browser: Browser
) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(
        address, page, api_key=KEY, phone_number="0151 12", department="d1", welcome_message="<b>Hi</b> & \"you\""
    )

    assert wrong.status == 422
    assert wrong.fields["phone_number"] == "0151 12"
    assert wrong.fields["department"] == "d1"
    assert wrong.fields["welcome_message"] == '<b>Hi</b> & "you"'
    assert wrong.tag("phone_number")["aria-invalid"] == "true"
    assert "phone_number-wrong" in wrong.tag("phone_number")["aria-describedby"].split()
    assert "aria-invalid" not in wrong.tag("department")
    assert wrong.text.count("not a complete phone number") == 2
    assert [attributes for _, attributes in wrong.tags if attributes.get("role") == "alert"]

    done = await browser.submit(address, wrong, phone_number=PHONE)
    assert "is now connected" in done.text


async def test_a_stored_key_is_never_sent_back(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page, api_key=KEY, phone_number="?")

    assert KEY not in wrong.html
    assert "Saved; leave empty to keep it." in wrong.text
    assert "required" not in wrong.tag("api_key")
    assert KEY not in (await browser.open(address)).html


async def test_nothing_filled_in_names_what_is_needed(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page)

    assert {name for name in NAMES if "aria-invalid" in wrong.tag(name)} == {"api_key", "phone_number"}


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({**FILLED, "api_key": OTHER_KEY}, "api_key", "360Dialog does not accept this key"),
        ({**FILLED, "phone_number": "+4915100000001"}, "phone_number", "This key belongs to +4915112345678"),
        ({**FILLED, "department": "gone"}, "department", "not one of the choices"),
        ({**FILLED, "offline_message": "x" * 1025}, "offline_message", "at most 1024"),
    ],
)
async def test_what_360dialog_and_rocketchat_do_not_know_is_said_at_its_field(
    scene: Scene, browser: Browser, fields: dict[str, str], name: str, words: str
) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page, **fields)

    assert wrong.status == 422
    assert words in wrong.text
    assert "aria-invalid" in wrong.tag(name)
    assert "is now connected" in (await browser.submit(address, wrong, **FILLED, offline_message="")).text


async def test_network_trouble_is_explained_and_loses_nothing(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.whatsapp.failing["check"] = Unreachable("gone")

    wrong = await browser.submit(address, page, **FILLED)

    assert wrong.status == 422
    assert "could not be checked just now" in wrong.text
    assert wrong.fields["welcome_message"] == "Hello!\nAll"
    scene.whatsapp.failing.clear()
    assert "is now connected" in (await browser.submit(address, wrong)).text


async def test_a_refused_registration_shows_the_form_again_and_tells_the_chat(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.whatsapp.failing["set_webhook"] = InvalidRequest("Invalid webhook URL")

    wrong = await browser.submit(address, page, **FILLED)

    assert wrong.status == 422
    assert "Invalid webhook URL" in wrong.text
    assert wrong.fields["welcome_message"] == "Hello!\nAll"
    assert "That did not work" in said(scene)[-1].text
    assert await scene.registry.numbers() == []
    scene.whatsapp.failing.clear()
    assert "is now connected" in (await browser.submit(address, wrong)).text


async def test_replacing_another_system_takes_a_second_page(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.whatsapp.hooks[KEY] = ("https://user:secret@old.example/hook?token=hidden", {})

    ask = await browser.submit(address, page, **FILLED)

    assert ask.status == 200
    assert "old.example/hook." in ask.text
    assert not any(word in ask.html for word in ("user:secret", "hidden?", "token=hidden", KEY))
    assert ask.buttons[0][2] == "Connect all the same"
    assert scene.whatsapp.hooks[KEY][0].startswith("https://user")
    assert "is now connected" in (await browser.submit(address, ask)).text


async def test_agreement_to_replace_one_system_is_none_to_replace_another(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.whatsapp.hooks[KEY] = ("https://old.example/hook", {})
    ask = await browser.submit(address, page, **FILLED)
    scene.whatsapp.hooks[KEY] = ("https://other.example/hook", {})

    again = await browser.submit(address, ask)

    assert "other.example/hook." in again.text
    assert "is now connected" in (await browser.submit(address, again)).text


async def test_the_key_alone_goes_on_in_chat(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    saved = await browser.submit(address, page, "Save key and go on in chat", api_key=KEY)

    assert "The key is saved" in saved.text
    await chat_hears(scene, "Question 2 of 6: Phone Number")
    await scene.one(PHONE)
    assert (await browser.open(address)).fields["phone_number"] == PHONE


async def test_a_key_that_is_refused_does_not_go_on_in_chat(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page, "Save key and go on in chat", api_key=OTHER_KEY, phone_number=PHONE)

    assert "360Dialog does not accept this key" in wrong.text
    assert wrong.fields["phone_number"] == PHONE
    assert (await scene.session())["secrets"] == {}


async def test_chat_and_page_may_alternate(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, "Save key and go on in chat", api_key=KEY)
    await chat_hears(scene, "Question 2 of 6")
    for answer in (PHONE, "Sales"):
        await scene.write(answer)

    page = await browser.open(address)
    assert (page.fields["phone_number"], page.fields["department"]) == (PHONE, "d1")
    assert "is now connected" in (await browser.submit(address, page)).text
    assert await scene.write("Hello!") == []


async def test_cancel_on_the_page_is_told_in_chat(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    over = await browser.submit(address, page, "Cancel", api_key=KEY)

    assert "Nothing was changed" in over.text
    await chat_hears(scene, "Cancelled. No number was connected")
    assert "This form was cancelled" in (await browser.open(address)).text


async def test_a_page_does_not_wait_for_ever(scene: Scene, quiet: Browser) -> None:
    address, page = await opened(scene, quiet)
    quiet.clock.hurry = True

    waiting = await quiet.submit(address, page, **FILLED)
    assert "It is being worked on" in waiting.text
    assert "It is being worked on" in (await quiet.open(address)).text

    quiet.clock.hurry = False
    async with working(quiet):
        assert "is now connected" in (await quiet.submit(address, page, **FILLED)).text


async def test_a_form_that_was_stored_and_not_queued_is_queued_when_sent_again(scene: Scene, quiet: Browser) -> None:
    """The process died between the two."""
    address, page = await opened(scene, quiet)
    quiet.clock.hurry = True
    await quiet.submit(address, page, **FILLED)
    document = await scene.session()
    await scene.registry.put_session({**document, "submission": "form:lost:1"})

    quiet.clock.hurry = False
    async with working(quiet):
        assert "is now connected" in (await quiet.submit(address, page)).text


# --- who may --------------------------------------------------------------------------------------------------------


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


async def test_looking_at_a_page_uses_nothing_up(scene: Scene, browser: Browser) -> None:
    """A chat server fetches addresses for previews."""
    address, page = await opened(scene, browser)
    before = await scene.registry.sessions()

    await browser.open(address)

    assert await scene.registry.sessions() == before
    assert "is now connected" in (await browser.submit(address, page, **FILLED)).text


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "https://bot.example.evil.example", "x"])
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
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in page.headers
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "link", "iframe")]


async def test_the_stored_form_holds_neither_ticket_nor_key(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, api_key=KEY, phone_number="?")

    file = (scene.folder / "registry.json").read_text(encoding="utf-8")

    assert KEY not in file
    assert address.rpartition("/")[2] not in file


async def test_the_failure_of_rocketchat_does_not_lose_the_form(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.workspace.failing["roles_of"] = Unreachable("gone")

    wrong = await browser.submit(address, page, **FILLED)
    assert wrong.status == 422
    assert wrong.fields["welcome_message"] == "Hello!\nAll"

    scene.workspace.failing["departments"] = Unreachable("gone")
    assert (await browser.open(address)).status == 503


async def test_the_button_in_chat_after_a_failure_works_too(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    scene.whatsapp.failing["set_webhook"] = Unreachable("gone")
    await browser.submit(address, page, **FILLED)
    failed = said(scene)[-1]
    assert labels(failed) == ["Try again", "Open the form", "Cancel"]
    assert button(failed, "Open the form").url == address
    scene.whatsapp.failing.clear()

    assert "is now connected" in (await scene.press(failed, "Try again"))[0].text


async def chat_hears(scene: Scene, words: str) -> None:
    """Waits until the worker has come so far."""
    async with asyncio.timeout(5):
        while not any(words in post.text for post in said(scene)):
            await scene.workspace.news.wait()
