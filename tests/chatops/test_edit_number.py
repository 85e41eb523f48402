"""Edit: the key stays unless a new one is given, which has to be the number's own and takes the address along."""

from dataclasses import replace

import pytest

from bot.errors import Trouble, Unreachable, Unsure
from bot.model import Department, Health, Number, NumberId
from tests.chatops.browser import Browser
from tests.chatops.desk import KEY, OTHER_KEY, PHONE, PUBLIC, Scene, labels, link

EDIT = "!whatsapp-360d-cloud numbers edit"
ID = NumberId(PHONE[1:])
BEFORE = Number(
    ID, PHONE, KEY, "path", "secret",
    name="Demo Shop", phone_number_id="pn1", department="d1", department_name="Sales",
    welcome_message="Hello!", conversation_finished_message="Bye!", offline_message="Later!", connected_at=1.0,
)  # fmt: skip
ADDRESS = f"{PUBLIC}/api/apps/private/app/path/incoming"


@pytest.fixture(autouse=True)
async def number(scene: Scene) -> None:
    await scene.registry.put_number(BEFORE)
    scene.whatsapp.keys[OTHER_KEY] = Health("AVAILABLE", PHONE, "pn1", "Demo Shop")


async def now(scene: Scene) -> Number:
    found = await scene.registry.number(ID)
    assert found is not None
    return found


# --- in chat --------------------------------------------------------------------------------------------------------


async def test_in_chat_each_question_shows_what_holds_and_keep_keeps_it(scene: Scene) -> None:
    key = await scene.one(f"{EDIT} {PHONE}")
    assert "Edit WhatsApp Number" in key.text
    assert labels(key) == ["Open the form", "Keep", "Keep the rest", "Cancel"]

    department = await scene.one("keep")
    assert "Department" in department.text
    assert "Now: Sales" in department.text
    welcome = await scene.one("keep")
    assert "Now: Hello!" in welcome.text
    await scene.write("Good day!")
    await scene.write("keep")
    summary = await scene.one("keep")

    assert f"Change {PHONE} (Demo Shop)?" in summary.text
    assert "1. API Key: stays as it is" in summary.text
    assert f"2. Phone Number: {PHONE}" in summary.text
    assert summary.text.count("Good day!") == 2, "as the answer, and as what will change"
    assert await now(scene) == BEFORE

    done = await scene.one("confirm")

    assert done.text == f"The details of {PHONE} are saved."
    assert await now(scene) == replace(BEFORE, welcome_message="Good day!")
    assert scene.whatsapp.hooks == {}, "without a new key 360Dialog is left alone"


async def test_skip_leaves_what_holds_and_clear_empties_it(scene: Scene) -> None:
    for said in (f"{EDIT} {PHONE}", "skip", "skip", "clear", "skip", "rest", "confirm"):
        await scene.write(said)

    assert await now(scene) == replace(BEFORE, welcome_message="")


async def test_rest_leads_to_the_summary_at_once(scene: Scene) -> None:
    await scene.write(f"{EDIT} {PHONE}")

    summary = await scene.one("rest")

    assert "Everything stays as it is." in summary.text
    await scene.write("confirm")
    assert await now(scene) == BEFORE


async def test_clear_and_rest_are_words_in_every_question_of_an_edit(scene: Scene) -> None:
    await scene.registry.put_number(replace(BEFORE, welcome_message="", offline_message=""))
    for said in (f"{EDIT} {PHONE}", "keep", "keep", "clear", "keep", "rest", "confirm"):
        await scene.write(said)

    after = await now(scene)
    assert (after.welcome_message, after.offline_message) == ("", "")


async def test_a_line_of_the_summary_can_be_changed_but_not_the_number(scene: Scene) -> None:
    await scene.write(f"{EDIT} {PHONE}")
    await scene.write("rest")

    assert "This cannot be changed here." in (await scene.one("2")).text
    assert "Now: Bye!" in (await scene.one("5")).text
    await scene.write("See you")
    await scene.write("confirm")

    assert (await now(scene)).conversation_finished_message == "See you"


async def test_a_department_that_is_gone_or_cannot_be_seen_is_kept(scene: Scene) -> None:
    scene.workspace.rooms = [Department("d2", "Support")]

    await scene.write(f"{EDIT} {PHONE}")
    assert "Now: Sales" in (await scene.one("keep")).text
    await scene.write("rest")
    await scene.write("confirm")

    assert await now(scene) == BEFORE


async def test_a_number_that_went_meanwhile_is_said(scene: Scene) -> None:
    await scene.write(f"{EDIT} {PHONE}")
    await scene.registry.remove_number(ID)

    assert "is not connected" in (await scene.one("keep")).text


# --- on the page ----------------------------------------------------------------------------------------------------


async def test_the_page_shows_what_holds_but_no_key_and_a_fixed_number(scene: Scene, browser: Browser) -> None:
    page = await browser.open(link(await scene.one(f"{EDIT} {PHONE}")))

    assert page.fields | {"seal": ""} == {
        "seal": "", "api_key": "", "phone_number": PHONE, "department": "d1", "welcome_message": "Hello!",
        "conversation_finished_message": "Bye!", "offline_message": "Later!",
    }  # fmt: skip
    assert "readonly" in page.tag("phone_number")
    assert "required" not in page.tag("api_key")
    assert KEY not in page.html
    assert [label for _, _, label in page.buttons] == ["Save changes", "Cancel"]


async def test_the_page_asks_once_more_and_says_what_will_differ(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))
    page = await browser.open(address)

    ask = await browser.submit(address, page, department="d2", offline_message="")

    assert "Department: Support" in ask.text
    assert "Default message for offline service: none" in ask.text
    assert "Welcome Message" not in ask.text
    assert await now(scene) == BEFORE

    done = await browser.submit(address, ask)

    assert f"The details of {PHONE} are saved." in done.text
    assert await now(scene) == replace(BEFORE, department="d2", department_name="Support", offline_message="")


async def test_fields_that_a_program_does_not_send_stay_as_they_are(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))
    page = await browser.open(address)
    page.fields = {"seal": page.fields["seal"]}

    ask = await browser.submit(address, page, welcome_message="Good day!")
    await browser.submit(address, ask)

    assert await now(scene) == replace(BEFORE, welcome_message="Good day!")


async def test_another_phone_number_is_refused(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))
    page = await browser.open(address)

    wrong = await browser.submit(address, page, phone_number="+4915100000000")

    assert wrong.status == 422
    assert "This cannot be changed here." in wrong.text


async def test_a_new_key_is_checked_and_takes_the_address_along(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))

    ask = await browser.submit(address, await browser.open(address), api_key=OTHER_KEY)
    assert "The API key is replaced" in ask.text
    assert scene.whatsapp.hooks == {}
    done = await browser.submit(address, ask)

    assert "the new key works" in done.text
    assert "the number can send" in done.text
    assert scene.whatsapp.hooks == {OTHER_KEY: (ADDRESS, {"X-Webhook-Secret": "secret"})}
    assert await now(scene) == replace(BEFORE, api_key=OTHER_KEY)
    assert OTHER_KEY not in ask.html + done.html


@pytest.mark.parametrize(
    "health",
    [Health("AVAILABLE", "+4915199999999", "pn1"), Health("AVAILABLE", "", "pn2")],
    ids=["by its phone", "by its id"],
)
async def test_a_key_of_another_number_is_refused(scene: Scene, browser: Browser, health: Health) -> None:
    scene.whatsapp.keys[OTHER_KEY] = health
    address = link(await scene.one(f"{EDIT} {PHONE}"))

    wrong = await browser.submit(address, await browser.open(address), api_key=OTHER_KEY)

    assert wrong.status == 422
    assert f"This key belongs to another number, not to {PHONE}." in wrong.text
    assert wrong.fields["api_key"] == ""
    assert await now(scene) == BEFORE
    assert scene.whatsapp.hooks == {}


async def test_a_key_that_360dialog_refuses_changes_nothing(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))

    wrong = await browser.submit(address, await browser.open(address), api_key="1" + OTHER_KEY)

    assert "360Dialog does not accept this key." in wrong.text
    assert await now(scene) == BEFORE


@pytest.mark.parametrize("error", [Unreachable("gone"), Trouble("500"), Unsure("cut")], ids=lambda e: type(e).__name__)
async def test_when_the_address_cannot_be_registered_the_old_key_stays(
    scene: Scene, browser: Browser, error: Exception
) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))
    ask = await browser.submit(address, await browser.open(address), api_key=OTHER_KEY, welcome_message="New")
    scene.whatsapp.failing["set_webhook"] = error  # type: ignore[assignment]  # the three are BotErrors

    failed = await browser.submit(address, ask)

    assert failed.status == 422
    assert await now(scene) == BEFORE
    scene.whatsapp.failing.clear()
    ask = await browser.submit(address, failed)
    assert "saved" in (await browser.submit(address, ask)).text
    assert (await now(scene)).api_key == OTHER_KEY


async def test_an_address_that_360dialog_did_not_keep_is_told(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(f"{EDIT} {PHONE}"))
    ask = await browser.submit(address, await browser.open(address), api_key=OTHER_KEY)
    scene.whatsapp.keeps = "https://elsewhere.example/hook"

    failed = await browser.submit(address, ask)

    assert "360Dialog did not keep the address of this bot" in failed.text
    assert await now(scene) == BEFORE
