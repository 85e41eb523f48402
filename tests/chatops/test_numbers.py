"""`numbers`: what is connected, how it is, and Disconnect, which asks first and acts once."""

import pytest

from bot.errors import KeyInvalid, Unreachable
from bot.model import Health, Number, NumberId
from tests.chatops.desk import KEY, PHONE, PUBLIC, Scene, button, labels

OURS = f"{PUBLIC}/api/apps/private/app/path/incoming"
NUMBERS = "!whatsapp-360d-cloud numbers"


async def connect(scene: Scene, count: int = 1) -> None:
    for n in range(count):
        digits = f"491511234567{n:02}" if count > 1 else "4915112345678"
        await scene.registry.put_number(
            Number(NumberId(digits), f"+{digits}", KEY, "path", "secret", name="Demo *Shop*", connected_at=1.0 + n)
        )


async def test_none_connected_leads_to_connect(scene: Scene) -> None:
    told = await scene.one(NUMBERS)

    assert told.text == "No WhatsApp number is connected yet."
    assert labels(told) == ["Connect WhatsApp Number"]


async def test_a_number_shows_name_department_and_health(scene: Scene) -> None:
    await connect(scene)
    scene.whatsapp.hooks[KEY] = (OURS, {})
    scene.whatsapp.keys[KEY] = Health("LIMITED", quality="YELLOW", problems=("quality is low",))

    told = await scene.one(NUMBERS)

    assert "One WhatsApp number is connected" in told.text
    assert f"**{PHONE}**" in told.text
    assert "Department: No department" in told.text
    assert "with limits (quality is low). Quality: medium" in told.text
    assert "Connected: 1970-01-01 00:00 UTC" in told.text
    assert "Its messages come here." in told.text
    assert labels(told) == [f"Edit {PHONE}", f"Disconnect {PHONE}", "Connect WhatsApp Number"]


async def test_which_of_several_is_chosen_by_a_button(scene: Scene) -> None:
    await connect(scene, 2)

    told = await scene.one(f"{NUMBERS} disconnect")

    assert labels(told) == ["Disconnect +49151123456700", "Disconnect +49151123456701"]
    assert "Disconnect +49151123456701" in (await scene.press(told, "Disconnect +49151123456701"))[0].text


async def test_a_number_that_is_not_connected_leads_to_those_that_are(scene: Scene) -> None:
    await connect(scene)

    told = await scene.one(f"{NUMBERS} edit +491111")

    assert told.text == "+491111 is not connected."
    assert labels(told) == ["Show numbers"]


async def test_messages_that_go_elsewhere_are_said_and_can_be_brought_back(scene: Scene) -> None:
    await connect(scene)
    scene.whatsapp.hooks[KEY] = ("https://user:secret@other.example/hook?token=hidden", {})

    told = await scene.one(NUMBERS)

    assert "Its messages go to another system: other.example/hook." in told.text
    assert not any(word in told.text for word in ("secret", "hidden"))
    ask = (await scene.press(told, f"Receive messages of {PHONE} here"))[0]
    assert "A system that receives them now receives them no longer." in ask.text
    assert scene.whatsapp.hooks[KEY][0].startswith("https://user")

    done = (await scene.press(ask, "Yes, receive them here"))[0]

    assert done.text == f"Messages of {PHONE} come here now."
    assert scene.whatsapp.hooks[KEY] == (OURS, {"X-Webhook-Secret": "secret"})
    assert f"Receive messages of {PHONE} here" not in labels(await scene.one(NUMBERS))


async def test_a_number_without_any_address_is_said(scene: Scene) -> None:
    await connect(scene)

    assert "Its messages go nowhere" in (await scene.one(NUMBERS)).text


async def test_an_address_that_cannot_be_asked_is_not_guessed(scene: Scene) -> None:
    await connect(scene)
    scene.whatsapp.failing["webhook"] = Unreachable("gone")

    told = await scene.one(NUMBERS)

    assert "Its messages" not in told.text
    assert not any("Receive" in label for label in labels(told))


async def test_a_number_among_several_has_to_be_named(scene: Scene) -> None:
    await connect(scene, 2)

    for what in ("edit", "disconnect"):
        told = await scene.one(f"{NUMBERS} {what}")
        assert f"`/whatsapp-360d-cloud numbers {what} +49151123456700`" in told.text


async def test_health_that_cannot_be_asked_is_said_of_that_number_only(scene: Scene) -> None:
    await connect(scene, 2)
    scene.whatsapp.failing["check"] = Unreachable("gone")

    told = await scene.one(NUMBERS)

    assert told.text.count("Its health could not be asked. The other server does not answer") == 2


async def test_a_key_that_is_no_longer_valid_is_said(scene: Scene) -> None:
    await connect(scene)
    scene.whatsapp.failing["check"] = KeyInvalid()

    assert "does not accept the API key of this WhatsApp number any more" in (await scene.one(NUMBERS)).text


async def test_a_number_that_is_not_registered_yet_is_not_listed(scene: Scene) -> None:
    await scene.registry.put_number(Number(NumberId("49"), "+49", KEY, "path", "secret"))

    assert "No WhatsApp number" in (await scene.one(NUMBERS)).text


async def test_many_numbers_come_in_pages(scene: Scene) -> None:
    await connect(scene, 23)

    first = await scene.one(NUMBERS)
    assert "23 WhatsApp numbers" in first.text
    assert "Page 1 of 3" in first.text
    third = await scene.press((await scene.press(first, "More"))[0], "More")

    assert "Page 3 of 3" in third[0].text
    asked = [f"{what} +491511234567{n}" for n in (20, 21, 22) for what in ("Edit", "Disconnect")]
    assert [label for label in labels(third[0]) if "Receive" not in label] == [*asked, "Connect WhatsApp Number"]
    assert "Page 3 of 3" in (await scene.one(f"{NUMBERS} 999")).text
    assert "Page 1 of 3" in (await scene.one(f"{NUMBERS} 0")).text


async def test_disconnect_asks_first(scene: Scene) -> None:
    await connect(scene)
    ask = (await scene.press(await scene.one(NUMBERS), f"Disconnect {PHONE}"))[0]
    assert f"Disconnect {PHONE}" in ask.text
    assert len(await scene.registry.numbers()) == 1

    done = (await scene.press(ask, "Yes, disconnect"))[0]

    assert done.text.startswith(f"{PHONE} is disconnected.")
    assert await scene.registry.numbers() == []
    former = await scene.registry.former(NumberId(PHONE[1:]))
    assert former is not None and (former.api_key, former.disconnected_at) == ("", scene.clock.now())


@pytest.mark.parametrize("asked", [True, False])
async def test_where_messages_go_after_a_disconnect_is_said_before_and_after(scene: Scene, asked: bool) -> None:
    """360Dialog goes on delivering here; the same when it cannot be asked, as with a key that was revoked."""
    await connect(scene)
    scene.whatsapp.hooks[KEY] = (OURS, {})
    if not asked:
        scene.whatsapp.failing["webhook"] = KeyInvalid()

    ask = await scene.one(f"{NUMBERS} disconnect")
    assert f"goes on delivering the messages of {PHONE} to this bot" in ask.text
    assert "next 7 days" in ask.text
    done = await scene.one("yes")

    assert "`POST /v1/configs/webhook`" in done.text
    assert "kept for 7 days" in done.text


@pytest.mark.parametrize(
    ("kept", "ahead", "counted"),
    [
        (1, "next day", "one day"), (3, "next 3 days", "3 days"), (7, "next 7 days", "7 days"),
        (30, "next 7 days", "7 days"), (0, "next 7 days", "7 days"),
    ],
)  # fmt: skip
async def test_no_more_days_are_promised_than_dead_letters_are_kept(
    scene: Scene, kept: int, ahead: str, counted: str
) -> None:
    scene.keep_days = kept
    scene.restart()
    await connect(scene)
    scene.whatsapp.hooks[KEY] = (OURS, {})

    assert f"during the {ahead} is kept" in (await scene.one(f"{NUMBERS} disconnect")).text
    assert f"kept for {counted} from now" in (await scene.one("yes")).text


async def test_a_number_that_is_delivered_elsewhere_already_is_just_disconnected(scene: Scene) -> None:
    await connect(scene)
    scene.whatsapp.hooks[KEY] = ("https://crm.example/hook", {})

    ask = await scene.one(f"{NUMBERS} disconnect")
    assert "goes on delivering" not in ask.text

    assert (await scene.one("yes")).text == f"{PHONE} is disconnected."


async def test_a_second_press_of_disconnect_does_not_touch_a_number_connected_since(scene: Scene) -> None:
    await connect(scene)
    ask = (await scene.press(await scene.one(NUMBERS), f"Disconnect {PHONE}"))[0]
    await scene.press(ask, "Yes, disconnect")
    await scene.registry.put_number(Number(NumberId(PHONE[1:]), PHONE, KEY, "p", "s", connected_at=9.0))

    told = await scene.press(ask, "Yes, disconnect")

    assert "belongs to a form that is over" in told[0].text
    assert len(await scene.registry.numbers()) == 1


async def test_somebody_elses_press_does_not_disconnect(scene: Scene) -> None:
    await connect(scene)
    scene.workspace.roles["bob"] = {"admin"}
    ask = (await scene.press(await scene.one(NUMBERS), f"Disconnect {PHONE}"))[0]

    told = await scene.press(ask, "Yes, disconnect", user="bob")

    assert "belongs to Ada's form" in told[0].text
    assert len(await scene.registry.numbers()) == 1


async def test_no_keeps_the_number(scene: Scene) -> None:
    await connect(scene)
    await scene.write(f"{NUMBERS} disconnect {PHONE}")

    assert (await scene.one("no")).text == "Nothing was changed. The number stays connected."
    assert len(await scene.registry.numbers()) == 1


async def test_the_only_number_need_not_be_named(scene: Scene) -> None:
    await connect(scene)

    assert "Yes, disconnect" in labels(await scene.one(f"{NUMBERS} disconnect"))


async def test_a_number_may_be_typed_with_blanks(scene: Scene) -> None:
    await connect(scene, 2)

    ask = await scene.one(f"{NUMBERS} disconnect +49 1511 2345 6701")

    assert "Disconnect +49151123456701" in ask.text


async def test_an_unknown_number_is_said(scene: Scene) -> None:
    await connect(scene, 2)

    assert (await scene.one(f"{NUMBERS} disconnect +1234")).text == "+1234 is not connected."
    assert "numbers disconnect" in (await scene.one(f"{NUMBERS} please")).text


async def test_disconnect_of_a_number_that_went_meanwhile_is_no_trouble(scene: Scene) -> None:
    await connect(scene)
    ask = await scene.one(f"{NUMBERS} disconnect")
    await scene.registry.remove_number(NumberId(PHONE[1:]))

    assert "is disconnected" in (await scene.press(ask, button(ask, "Yes, disconnect").label))[0].text
