"""The pages of forms: what a browser and a plain HTTP client see, and what the chat hears of it."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.chatops.command import Command, Desk, Reply
from bot.chatops.form import TICKET, Answers, Field, Form, Opening, Option, Review
from bot.errors import InvalidRequest, Unreachable
from bot.web.guessing import MOST
from tests.chatops.browser import Browser, working
from tests.chatops.desk import KEY, OTHER_KEY, PHONE, PUBLIC, Scene, button, labels
from tests.chatops.steps import FILLED, NAMES, NUMBER, chat_hears, opened, said


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
    assert "This link has been used already" in again.text
    assert again.fields == {}
    assert PHONE not in again.html


async def test_whoever_opens_too_many_links_that_do_not_exist_is_told_on_a_page_what_to_do(browser: Browser) -> None:
    pages = [await browser.open(f"/forms/{number}") for number in range(MOST + 1)]

    assert [page.status for page in pages] == [404] * MOST + [429]
    assert "Wait a minute, then open the newest link from Rocket.Chat." in pages[-1].text


async def test_wrong_answers_are_explained_beside_their_fields_and_the_right_ones_kept(
    scene: Scene, browser: Browser
) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(
        address, page, api_key=KEY, phone_number="0151 12", department="d1", welcome_message='<b>Hi</b> & "you"'
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


async def test_whoever_sees_a_mistake_before_confirming_goes_back_to_what_they_filled_in(
    scene: Scene, browser: Browser
) -> None:
    """By a button of the page: the browser's own way back would ask whether to send everything once more."""
    address, page = await opened(scene, browser)
    scene.whatsapp.hooks[KEY] = ("https://old.example/hook", {})
    ask = await browser.submit(address, page, **FILLED)
    assert [label for _, _, label in ask.buttons] == ["Connect all the same", "Change something", "Cancel"]

    back = await browser.submit(address, ask, "Change something")

    assert back.status == 200
    assert {name: back.fields[name] for name in NAMES} == {
        **dict.fromkeys(NAMES, ""), "phone_number": PHONE, "department": "d2", "welcome_message": "Hello!\nAll",
    }  # fmt: skip
    assert "Saved; leave empty to keep it." in back.text
    ask = await browser.submit(address, back, welcome_message="Good day!")
    assert "is now connected" in (await browser.submit(address, ask)).text
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert number.welcome_message == "Good day!"


async def test_what_is_to_be_typed_is_set_off_from_the_sentence(scene: Scene, browser: Browser) -> None:
    address, _ = await opened(scene, browser)
    scene.clock.time += TICKET + 1

    expired = await browser.open(address)

    assert "Type <code>link</code> or the command again in Rocket.Chat" in expired.html


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
        assert "is now connected" in (await quiet.submit(address, page, **FILLED)).text


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


# --- a form whose fields depend on earlier answers ------------------------------------------------------------------


async def _open(_: Desk, args: tuple[str, ...]) -> Opening:
    return Opening(ORDER)


async def _questions(_: Desk, answers: Answers) -> Sequence[Field]:
    dish = Field("dish", "choice", "connect.title", required=True, options=(Option("p", "Pizza"), Option("s", "Soup")))
    topping = Field("topping", "text", "connect.title", required=True)
    return (dish, topping) if answers.get("dish") == "p" else (dish,)


async def _review(_: Desk, answers: Answers) -> Review:
    assert "topping" in answers or answers["dish"] == "s"
    return Review()


async def _submit(_: Desk, answers: Answers) -> Reply:
    return Reply("numbers.disconnect", {"phone": f"{answers['dish']} with {answers.get('topping', 'nothing')}"})


ORDER = Form("disconnect", _questions, _review, _submit)


@pytest.fixture
def orders(scene: Scene) -> Scene:
    scene.use(Command("connect", _open, "connect.summary", forms=(ORDER,)))
    return scene


async def test_a_second_page_asks_what_the_first_answers_made_necessary(orders: Scene, browser: Browser) -> None:
    address, page = await opened(orders, browser)
    assert "topping" not in page.fields

    page = await browser.submit(address, page, dish="p")
    assert (page.status, page.fields["dish"], page.fields["topping"]) == (200, "p", "")
    assert [tag["name"] for _, tag in page.tags if "autofocus" in tag] == ["topping"], (
        "who goes on is led to what is new"
    )
    page = await browser.submit(address, page)
    assert page.status == 422
    assert "p with <olives>" in (await browser.submit(address, page, topping="<olives>")).text


async def test_one_page_is_enough_where_nothing_more_is_needed(orders: Scene, browser: Browser) -> None:
    address, page = await opened(orders, browser)

    assert "s with nothing" in (await browser.submit(address, page, dish="s")).text


async def test_the_chat_asks_the_same_questions(orders: Scene) -> None:
    assert "Question 1 of 1" in (await orders.one("!whatsapp-360d-cloud connect")).text
    assert "Question 2 of 2" in (await orders.one("pizza")).text
    summary = await orders.one("olives")
    assert "p with olives" in (await orders.press(summary, "Yes, disconnect"))[0].text
