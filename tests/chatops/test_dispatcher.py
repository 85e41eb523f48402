"""Where the bot answers, to whom, and that nothing happens twice."""

from dataclasses import replace

import pytest

from bot.errors import BotError, NotAllowed, RoomUnknown, Unreachable
from bot.ports import Entry
from commands import ALL
from tests.chatops.desk import KEY, PHONE, SETUP, Scene, button, labels, link

CONNECT = "!whatsapp-360d-cloud connect"


async def test_ordinary_talk_in_the_setup_channel_is_ignored(scene: Scene) -> None:
    assert await scene.write("Good morning! Can somebody connect our numbers?") == []


async def test_ordinary_talk_beside_a_form_that_waits_for_its_page_is_ignored(scene: Scene) -> None:
    await scene.write(CONNECT)

    assert [await scene.write(text) for text in ("one moment", "ok", "yes", "no")] == [[], [], [], []]
    assert "Open the form" in labels(await scene.one("link"))


async def test_talk_of_others_beside_an_open_form_is_ignored(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()

    assert await scene.write(PHONE, user="bob") == []
    assert (await scene.session())["answers"] == {}


async def test_in_a_direct_message_everything_is_for_the_bot(scene: Scene) -> None:
    assert "What I can do" in (await scene.dm("help"))[0].text
    assert "What I can do" in (await scene.dm(""))[0].text
    assert "There is no command “good”" in (await scene.dm("Good morning"))[0].text
    assert "Did you mean “connect”" in (await scene.dm("conect"))[0].text
    assert link((await scene.dm("Connect"))[0])


async def test_a_form_that_waits_for_its_page_does_not_hold_back_commands_in_a_direct_message(scene: Scene) -> None:
    await scene.dm("connect")

    assert "No WhatsApp number is connected yet" in (await scene.dm("numbers"))[0].text
    assert "asked on the page only" in (await scene.dm("hm?"))[0].text


@pytest.mark.parametrize("room_type", ["p", "c", "l"])
async def test_elsewhere_a_command_is_answered_with_the_place_where_it_works(scene: Scene, room_type: str) -> None:
    told = await scene.write("/whatsapp-360d-cloud connect", room="other", room_type=room_type)
    assert [post.text for post in told] == ["This works in the setup channel and in a direct message to @wa.bot."]
    assert await scene.write("connect", room="other", room_type=room_type) == []


async def test_a_room_where_the_bot_may_not_write_is_no_trouble(scene: Scene) -> None:
    scene.workspace.failing["say"] = RoomUnknown("not a member")

    assert await scene.write(CONNECT, room="other", room_type="c") == []


async def test_the_bot_does_not_answer_itself(scene: Scene) -> None:
    assert await scene.write(CONNECT, user="bot") == []


async def test_a_document_without_an_author_is_ignored(scene: Scene) -> None:
    await scene.handle(Entry("chat:x", "l", "chat.message", {"message": {"_id": "x"}, "room_type": "d"}))

    assert scene.workspace.said == {}


# --- who may --------------------------------------------------------------------------------------------------------


async def test_a_person_without_a_role_is_told_which_ones_are_needed(scene: Scene) -> None:
    told = await scene.one(CONNECT, user="eve")

    assert told.text == (
        "Only people with one of these roles may use this command: admin, livechat-manager. Ask an administrator."
    )
    assert await scene.registry.sessions() == []


async def test_help_is_for_everybody(scene: Scene) -> None:
    assert "What I can do" in (await scene.one("!whatsapp-360d-cloud help", user="eve")).text


@pytest.mark.parametrize("error", [Unreachable("gone"), NotAllowed("no route tells")])
async def test_who_cannot_be_asked_about_is_not_allowed(scene: Scene, error: BotError) -> None:
    scene.workspace.failing["roles_of"] = error

    assert "That did not work" in (await scene.one(CONNECT)).text
    assert await scene.registry.sessions() == []


async def test_roles_are_asked_again_when_the_form_is_confirmed(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    for answer in (PHONE, "skip", "skip", "skip", "skip"):
        posts = await scene.write(answer)
    scene.workspace.roles["ada"] = {"user"}

    told = await scene.press(posts[0], "Connect")

    assert "Only people with one of these roles" in told[0].text
    assert await scene.registry.numbers() == []


async def test_an_owner_of_the_setup_channel_is_allowed_when_configured(scene: Scene) -> None:
    scene.office.house = replace(scene.office.house, roles=("owner",))
    assert "roles" in (await scene.dm("connect"))[0].text
    scene.workspace.owners[SETUP] = {"ada"}

    assert link((await scene.dm("connect"))[0])


# --- nothing twice --------------------------------------------------------------------------------------------------


async def test_a_repeated_entry_says_the_same_once(scene: Scene) -> None:
    entry = scene.entry(CONNECT)

    first = await scene.answers(entry)
    scene.restart()
    assert await scene.answers(entry) == []
    [stored] = await scene.registry.sessions()
    assert stored["heard"] == entry.key
    assert link(first[0]).endswith(scene.sessions.ticket(await scene.sessions.get(stored["id"]) or pytest.fail()))


async def test_an_answer_whose_reply_was_lost_is_not_taken_twice(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    entry = scene.entry(PHONE)
    scene.workspace.failing["say"] = Unreachable("gone")
    with pytest.raises(Unreachable):
        await scene.handle(entry)
    scene.workspace.failing.clear()

    scene.restart()
    said = await scene.answers(entry)

    assert "Question 3 of 6" in said[0].text
    assert "not one of the choices" not in said[0].text


async def test_a_confirmation_that_died_in_between_is_done_once(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    for answer in (PHONE, "skip", "skip", "skip", "skip"):
        posts = await scene.write(answer)
    entry = scene.entry(button(posts[0], "Connect").text)

    class Died(Exception):
        pass

    async def dies(_: str) -> None:
        raise Died

    usual, scene.whatsapp.before_hook = scene.whatsapp.before_hook, dies
    with pytest.raises(Died):
        await scene.handle(entry)
    scene.whatsapp.before_hook = usual
    scene.restart()
    half = (await scene.registry.numbers())[0]

    said = await scene.answers(entry)

    assert "is now connected" in said[0].text
    number = (await scene.registry.numbers())[0]
    assert (number.hook_path, number.hook_secret) == (half.hook_path, half.hook_secret)
    assert (half.connected_at, number.connected_at) == (0.0, scene.clock.time)
    assert scene.whatsapp.hooks[KEY][0].endswith(f"/{half.hook_path}/incoming")


async def test_a_form_that_is_being_done_says_so_and_is_given_up_after_its_time(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.registry.put_session({**await scene.session(), "state": "submitted", "submission": "form:lost:1"})

    assert "It is being worked on" in (await scene.one("cancel")).text
    scene.clock.time += 31 * 60
    assert "it was closed" in (await scene.one("cancel")).text
    assert await scene.write("cancel") == []


async def test_a_message_without_words_is_no_answer(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    await scene.write(PHONE)

    assert await scene.write(" \u200b") == []
    assert "department" not in (await scene.session())["answers"]


async def test_a_button_works_once(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    asked = await scene.one(PHONE)
    await scene.press(asked, "Sales")

    told = await scene.press(asked, "Support")

    assert "belongs to an earlier step" in told[0].text
    assert (await scene.session())["answers"]["department"] == "d1"


async def test_a_button_of_a_form_that_is_over_leads_to_a_new_one(scene: Scene) -> None:
    opened = await scene.one(CONNECT)
    await scene.write("cancel")

    told = await scene.press(opened, "Cancel")

    assert "belongs to a form that is over" in told[0].text
    assert labels(told[0]) == ["connect"]


async def test_a_form_that_is_closed_by_opening_another_is_named(scene: Scene) -> None:
    await scene.write(CONNECT)
    again = await scene.one(CONNECT)
    assert "is closed" not in again.text, "nothing was filled in yet"
    await scene.save_key()
    await scene.write(PHONE)

    other = await scene.one("/whatsapp-360d-cloud settings")

    assert other.text.startswith("Your form “Connect WhatsApp Number” is closed now; nothing of it was done.")
    assert "Question 1 of 11" in other.text


async def test_back_at_the_first_question_asks_it_again(scene: Scene) -> None:
    await scene.write(CONNECT)

    assert "Open the form: " in (await scene.one("back")).text


async def test_a_button_of_somebody_elses_form_does_nothing(scene: Scene) -> None:
    scene.workspace.roles["bob"] = {"admin"}
    await scene.write(CONNECT)
    await scene.save_key()
    asked = await scene.one(PHONE)

    told = await scene.press(asked, "Cancel", user="bob")

    assert "belongs to Ada's form" in told[0].text
    assert (await scene.session())["state"] == "open"


async def test_a_button_carried_into_another_room_does_nothing(scene: Scene) -> None:
    opened = await scene.one(CONNECT)

    told = await scene.dm(button(opened, "Cancel").text)

    assert "belongs to a form that is over" in told[0].text
    assert (await scene.session())["state"] == "open"


async def test_an_unknown_command_suggests_its_neighbour_by_button(scene: Scene) -> None:
    told = await scene.one("/whatsapp-360d-cloud nummbers")

    assert told.text == "There is no command “nummbers”. Did you mean “numbers”?"
    assert button(told, "numbers").text == "!whatsapp-360d-cloud numbers"


async def test_an_unknown_command_is_echoed_inert(scene: Scene) -> None:
    assert "@all" not in (await scene.one("/whatsapp-360d-cloud @all")).text


async def test_the_first_questions_buttons_lead_to_an_account_and_to_connect(scene: Scene) -> None:
    yes = await scene.one("!whatsapp-360d-cloud account yes")
    assert button(yes, "Connect WhatsApp Number").text == CONNECT
    no = await scene.one("!whatsapp-360d-cloud account no")
    assert button(no, "Create 360Dialog account").url == "https://sign.up/"
    assert button(no, "Connect WhatsApp Number").text == CONNECT
    assert labels(await scene.one("!whatsapp-360d-cloud account")) == ["Yes", "No"]


async def test_help_lists_what_works_and_nothing_else(scene: Scene) -> None:
    text = (await scene.one("/whatsapp-360d-cloud")).text

    shown = [line.split("`")[1] for line in text.splitlines() if line.startswith("- ")]
    assert shown == [f"/whatsapp-360d-cloud {command.name}" for command in ALL if command.listed]
    assert "/whatsapp-360d-cloud connect" in shown
    assert "/whatsapp-360d-cloud account" not in shown


async def test_a_mistyped_name_and_a_word_without_a_form_are_answered(scene: Scene) -> None:
    assert "Did you mean `/whatsapp-360d-cloud numbers`?" in (await scene.one("/whatsapp-360d-clod numbers")).text
    assert "No form is open" in (await scene.one("!whatsapp-360d-cloud cancel")).text
