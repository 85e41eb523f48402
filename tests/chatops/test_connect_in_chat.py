"""Connecting a number in chat: every wrong turn is explained and recovered from, and nothing is lost on the way."""

import pytest

from bot.errors import BotError, InvalidRequest, NotAllowed, Unreachable, Unsure
from bot.model import Department, Health, NumberId, Post
from tests.chatops.desk import KEY, OTHER_KEY, PHONE, PUBLIC, SETUP, Scene, button, labels, link

CONNECT = "!whatsapp-360d-cloud connect"
NUMBER = NumberId("4915112345678")


async def at_summary(scene: Scene, *answers: str) -> Post:
    """Opens the form, saves the key on the page, and answers the five other questions."""
    await scene.write(CONNECT)
    await scene.save_key()
    posts: list[Post] = []
    for answer in answers or (PHONE, "Sales", "Hello!", "skip", "skip"):
        posts = await scene.write(answer)
    return posts[0]


async def test_the_whole_dialog(scene: Scene) -> None:
    opened = await scene.one(CONNECT)
    assert link(opened) == button(opened, "Open the form").url

    asked = await scene.save_key()
    assert "Question 2 of 6: Phone Number" in asked[0].text
    assert "Question 3 of 6: Department" in (await scene.one("+49 1511 2345678")).text
    assert "Question 4 of 6: Welcome Message" in (await scene.one("support")).text
    assert "Question 5 of 6" in (await scene.one("Hello!\nHow can we help?")).text
    assert "Question 6 of 6" in (await scene.one("skip")).text
    summary = await scene.one("Later")
    assert "2. Phone Number: +4915112345678" in summary.text
    assert "3. Department: Support" in summary.text
    assert "1. API Key: saved" in summary.text
    assert KEY not in str(scene.workspace.said)

    done = await scene.press(summary, "Connect")

    assert "Your WhatsApp number +4915112345678 is now connected!" in done[0].text
    assert "business verification" in done[0].text
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert (number.phone, number.api_key, number.name, number.phone_number_id) == (PHONE, KEY, "Demo Shop", "pn1")
    assert (number.department, number.department_name) == ("d2", "Support")
    assert number.welcome_message == "Hello!\nHow can we help?"
    assert (number.conversation_finished_message, number.offline_message) == ("", "Later")
    assert number.connected_at == scene.clock.time
    address, headers = scene.whatsapp.hooks[KEY]
    assert address == f"{PUBLIC}/api/apps/private/app/{number.hook_path}/incoming"
    assert headers == {"X-Webhook-Secret": number.hook_secret}
    assert min(len(number.hook_path), len(number.hook_secret)) >= 32


async def test_the_number_is_known_before_its_address_is_registered(scene: Scene) -> None:
    summary = await at_summary(scene)
    known = []

    async def first_message_comes_at_once(url: str) -> None:
        known.append(await scene.registry.number_of_hook(url.split("/")[-2]))

    scene.whatsapp.before_hook = first_message_comes_at_once
    await scene.press(summary, "Connect")

    assert [number.phone for number in known if number] == [PHONE]


async def test_a_wrong_answer_is_explained_and_loses_nothing(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()

    again = await scene.one("0151 12")
    assert "not a complete phone number" in again.text
    assert "Question 2 of 6" in again.text
    await scene.one(PHONE)
    assert "not one of the choices" in (await scene.one("Marketing")).text
    await scene.one("1")
    assert "at most 1024" in (await scene.one("x" * 1025)).text

    assert (await scene.session())["answers"] == {"phone_number": PHONE, "department": "d1"}


async def test_back_keep_and_a_line_number_change_one_answer_only(scene: Scene) -> None:
    summary = await at_summary(scene)

    asked = await scene.one("3")
    assert "Now: Sales" in asked.text
    assert "3. Department: Support" in (await scene.one("2")).text
    asked = (await scene.press(await scene.one("nonsense"), "Back"))[0]
    assert "Question 6 of 6" in asked.text
    asked = (await scene.press(asked, "Back"))[0]
    assert "Question 5 of 6" in asked.text
    asked = await scene.one("back")
    assert "Now: Hello!" in asked.text
    summary = await scene.one("keep")

    assert "4. Welcome Message: Hello!" in summary.text
    assert "3. Department: Support" in summary.text


async def test_skip_empties_an_optional_answer_but_not_a_needed_one(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()

    assert "This is needed" in (await scene.one("skip")).text
    await at_summary(scene)
    await scene.write("4")
    assert "4. Welcome Message: none" in (await scene.one("skip")).text


@pytest.mark.parametrize("word", ["cancel", "Cancel.", "stop", "/whatsapp-360d-cloud cancel", "@wa.bot cancel"])
async def test_cancel_ends_the_form_and_forgets_what_was_typed(scene: Scene, word: str) -> None:
    await at_summary(scene)

    assert "Cancelled" in (await scene.one(word)).text

    session = await scene.session()
    assert (session["answers"], session["secrets"], session["state"]) == ({}, {}, "cancelled")
    assert await scene.write("Hello!") == []


async def test_a_number_that_is_not_the_keys_is_explained_at_the_summary(scene: Scene) -> None:
    asked = await at_summary(scene, "+4915100000001", "skip", "skip", "skip", "skip")
    assert "This key belongs to +4915112345678, not to +4915100000001" in asked.text
    assert "Question 2 of 6" in asked.text

    assert "2. Phone Number: +4915112345678" in (await scene.one(PHONE)).text


async def test_a_key_that_360dialog_refuses_is_dropped_and_asked_again_on_the_page(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key("refused")
    for answer in (PHONE, "skip", "skip", "skip"):
        await scene.write(answer)

    asked = await scene.one("skip")

    assert "360Dialog does not accept this key" in asked.text
    assert link(asked)
    assert (await scene.session())["secrets"] == {}
    assert "Connect WhatsApp Number" in (await scene.save_key(KEY))[0].text


@pytest.mark.parametrize("error", [Unreachable("no route"), Unsure("no answer"), NotAllowed("proxy")])
async def test_trouble_at_the_summary_is_explained_and_nothing_is_done_unchecked(scene: Scene, error: BotError) -> None:
    scene.whatsapp.failing["webhook"] = error
    summary = await at_summary(scene)
    assert "could not be checked just now" in summary.text

    still = await scene.press(summary, "Connect")
    assert "could not be checked just now" in still[0].text
    assert scene.whatsapp.hooks == {}

    scene.whatsapp.failing.clear()
    checked = await scene.press(still[0], "Connect")
    done = await scene.press(checked[0], "Connect")
    assert "is now connected" in done[0].text


async def test_another_systems_address_is_shown_without_its_credentials(scene: Scene) -> None:
    scene.whatsapp.hooks[KEY] = ("https://user:password@old.example:8443/hook/a?token=hidden#x", {})

    summary = await at_summary(scene)

    assert "receives the messages of this number now: old.example/hook/a." in summary.text
    assert not any(word in summary.text for word in ("password", "hidden", "user:"))


async def test_our_own_address_needs_no_agreement(scene: Scene) -> None:
    scene.whatsapp.hooks[KEY] = (f"{PUBLIC}/api/apps/private/app/some-earlier-path/incoming", {})

    assert "Another system" not in (await at_summary(scene)).text


@pytest.mark.parametrize("error", [InvalidRequest("Invalid URL"), Unreachable("gone"), Unsure("no answer")])
async def test_a_number_that_is_not_registered_is_not_left_half_connected(scene: Scene, error: BotError) -> None:
    summary = await at_summary(scene)
    scene.whatsapp.failing["set_webhook"] = error

    failed = (await scene.press(summary, "Connect"))[0]

    assert "That did not work" in failed.text
    assert await scene.registry.numbers() == []
    scene.whatsapp.failing.clear()
    assert "is now connected" in (await scene.press(failed, "Try again"))[0].text


async def test_a_lost_answer_to_a_registration_that_took_effect_is_a_success(scene: Scene) -> None:
    summary = await at_summary(scene)
    scene.whatsapp.lost["set_webhook"] = Unsure("no answer")

    assert "is now connected" in (await scene.press(summary, "Connect"))[0].text


async def test_connecting_again_says_so_and_keeps_the_address(scene: Scene) -> None:
    await scene.press(await at_summary(scene), "Connect")
    before = await scene.registry.number(NUMBER)
    scene.whatsapp.keys[OTHER_KEY] = scene.whatsapp.keys.pop(KEY)

    await scene.write(CONNECT)
    await scene.save_key(OTHER_KEY)
    for answer in (PHONE, "skip", "skip", "skip"):
        await scene.write(answer)
    summary = await scene.one("skip")
    assert "is connected already. Its key, department and messages are replaced" in summary.text
    await scene.press(summary, "Connect")

    after = await scene.registry.number(NUMBER)
    assert before is not None
    assert after is not None
    assert (after.hook_path, after.hook_secret) == (before.hook_path, before.hook_secret)
    assert (after.api_key, after.welcome_message) == (OTHER_KEY, "")


async def test_a_reconnection_that_fails_leaves_the_number_as_it_was(scene: Scene) -> None:
    await scene.press(await at_summary(scene), "Connect")
    before = await scene.registry.number(NUMBER)
    summary = await at_summary(scene, PHONE, "Support", "New", "New", "New")
    scene.whatsapp.failing["set_webhook"] = Unreachable("gone")

    await scene.press(summary, "Connect")

    assert await scene.registry.number(NUMBER) == before


async def test_without_departments_there_is_no_such_question(scene: Scene) -> None:
    scene.workspace.rooms = [Department("d9", "Old", enabled=False)]
    await scene.write(CONNECT)
    await scene.save_key()

    assert "Welcome Message" in (await scene.one(PHONE)).text


async def test_a_bot_that_may_not_see_departments_connects_without_one(scene: Scene) -> None:
    scene.workspace.failing["departments"] = NotAllowed("view-livechat-departments")

    assert "3. Department: No department" in (await at_summary(scene, PHONE, "skip", "skip", "skip")).text


async def test_rocketchat_trouble_between_two_questions_loses_nothing(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    scene.workspace.failing["departments"] = Unreachable("gone")

    assert "Nothing is lost" in (await scene.one(PHONE)).text

    scene.workspace.failing.clear()
    assert "Question 3 of 6" in (await scene.one(PHONE)).text


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (Health("LIMITED", problems=("quality is low",)), "can send with limits (quality is low)"),
        (Health("BLOCKED"), "is blocked and cannot send"),
        (Health(""), "says nothing about the number's health"),
        (Health("SOMETHING_NEW"), "says nothing about the number's health"),
    ],
)
async def test_the_numbers_health_is_part_of_summary_and_success(scene: Scene, health: Health, words: str) -> None:
    scene.whatsapp.keys[KEY] = health

    summary = await at_summary(scene)
    assert words in summary.text
    assert words in (await scene.press(summary, "Connect"))[0].text


async def test_what_a_person_typed_comes_back_inert(scene: Scene) -> None:
    summary = await at_summary(scene, PHONE, "skip", "Hi @all and @here, see #general", "skip", "skip")

    assert "@all" not in summary.text
    assert "@here" not in summary.text


async def test_a_restart_between_two_questions_changes_nothing(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    await scene.write(PHONE)

    scene.restart()

    assert "Question 4 of 6" in (await scene.one("Support")).text


async def test_opening_the_form_again_closes_the_earlier_one(scene: Scene) -> None:
    first = await scene.one(CONNECT)
    second = await scene.one(CONNECT)

    assert link(first) != link(second)
    states = [document["state"] for document in await scene.registry.sessions()]
    assert states == ["cancelled", "open"]


async def test_an_expired_form_says_so_once(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    scene.clock.time += 31 * 60

    over = await scene.one(PHONE)
    assert "waited for more than 30 minutes" in over.text
    assert button(over, "connect").text == CONNECT
    assert await scene.write(PHONE) == []


async def test_forgotten_forms_lose_their_secrets_and_after_a_day_themselves(scene: Scene) -> None:
    await at_summary(scene)
    scene.clock.time += 31 * 60
    await scene.sessions.sweep()
    assert (await scene.session())["secrets"] == {}

    scene.clock.time += 25 * 3600
    await scene.sessions.sweep()
    assert await scene.registry.sessions() == []


async def test_the_buttons_of_a_question_offer_what_can_be_done(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()

    assert labels(await scene.one(PHONE)) == ["Sales", "Support", "Skip", "Back", "Cancel"]


async def test_a_department_is_chosen_by_its_button(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    asked = await scene.one(PHONE)

    await scene.press(asked, "Support")

    assert (await scene.session())["answers"]["department"] == "d2"


async def test_rooms_with_an_open_form_are_known_to_catch_up(scene: Scene) -> None:
    await scene.dm("connect")
    assert await scene.sessions.rooms() == ["dm-ada"]

    await scene.dm("cancel")
    assert await scene.sessions.rooms() == []


async def test_the_same_person_has_one_form_in_each_room(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    await scene.dm("connect")

    assert "Question 3 of 6" in (await scene.one(PHONE, room=SETUP)).text


async def test_a_number_typed_after_the_command_needs_only_to_be_kept(scene: Scene) -> None:
    await scene.write("!whatsapp-360d-cloud connect +49 1511 2345678")
    (question,) = await scene.save_key()

    assert "Phone Number" in question.text
    assert f"Now: {PHONE}" in question.text
    summary = (await scene.press(question, "Keep the rest"))[0]
    await scene.press(summary, "Connect")

    (number,) = await scene.registry.numbers()
    assert number.phone == PHONE


async def test_what_is_no_number_after_the_command_is_left_out(scene: Scene) -> None:
    assert link(await scene.one("!whatsapp-360d-cloud connect please"))
    (question,) = await scene.save_key()

    assert "Now:" not in question.text
