"""`help`, `support` and the addresses: each person sees what is for them, and nobody reads a secret in chat."""

import tomllib
from pathlib import Path

from bot import VERSION
from bot.errors import KeyInvalid, Unreachable
from bot.model import ContactId, Conversation, Health, Number, NumberId, RoomId, VisitorToken
from tests.chatops.browser import Browser
from tests.chatops.desk import KEY, OTHER_KEY, PUBLIC, TOKEN, Scene, labels, link

CALL = "!whatsapp-360d-cloud"


async def connect(scene: Scene) -> None:
    for at, (digits, key) in enumerate((("4915112345678", KEY), ("4915187654321", OTHER_KEY)), start=1):
        await scene.registry.put_number(Number(NumberId(digits), f"+{digits}", key, "p", "s", connected_at=float(at)))
    scene.whatsapp.keys[OTHER_KEY] = Health("LIMITED")


# --- help -----------------------------------------------------------------------------------------------------------


async def test_help_shows_an_example_and_the_other_ways_in(scene: Scene) -> None:
    text = (await scene.one(f"{CALL} help")).text

    assert "For example: `/whatsapp-360d-cloud numbers edit +4915112345678`" in text
    assert "`!whatsapp-360d-cloud`, mention me, or write to me in a direct message" in text
    assert "Commands are for people with one of these roles: admin, livechat-manager." in text


async def test_help_for_somebody_without_a_role_lists_what_they_may_use(scene: Scene) -> None:
    told = await scene.one("help", user="eve", room="dm-eve", room_type="d")

    assert [line.split("`")[1] for line in told.text.splitlines() if line.startswith("- ")] == [
        "/whatsapp-360d-cloud support",
        "/whatsapp-360d-cloud help",
    ]
    assert labels(told) == ["support"]
    assert "There are more commands for people with one of these roles: admin, livechat-manager." in told.text


async def test_in_a_customers_room_help_lists_what_agents_can_use_there(scene: Scene) -> None:
    room = RoomId("r1")
    number, contact = NumberId("4915112345678"), ContactId("4917012345")
    scene.customers[room] = Conversation(number, contact, VisitorToken("t"), room=room)
    for typed in ("/whatsapp-360d-cloud help", CALL):
        told = await scene.one(typed, user="eve", room=room, room_type="l")

        assert [line.split("`")[1] for line in told.text.splitlines() if line.startswith("- ")] == [
            "/whatsapp-360d-cloud send-template",
            "/whatsapp-360d-cloud help",
        ]
        assert labels(told) == ["send-template"]
        assert "For example" not in told.text, "the example names a recipient, and here it is the customer"
        assert "There are more commands" in told.text


async def test_agents_learn_elsewhere_what_they_can_use_with_a_customer(scene: Scene) -> None:
    for text in ((await scene.one(f"{CALL} help")).text, (await scene.dm("help", "eve"))[0].text):
        assert "In a customer's conversation agents can use `/whatsapp-360d-cloud send-template` too." in text


async def test_an_unknown_word_near_help_offers_it_once(scene: Scene) -> None:
    assert labels(await scene.one(f"{CALL} hlep")) == ["help"]


async def test_help_about_one_command_shows_all_of_its_examples(scene: Scene) -> None:
    text = (await scene.one(f"{CALL} help setings")).text

    assert text.count("For example") == 3
    assert 'settings list_button_label "Show me"' in text
    assert "connect`" not in text


async def test_when_roles_cannot_be_asked_help_shows_what_is_for_everybody(scene: Scene) -> None:
    scene.workspace.failing["roles_of"] = Unreachable("gone")

    told = await scene.one(f"{CALL} help")

    assert labels(told) == ["support"]


# --- support --------------------------------------------------------------------------------------------------------


async def test_support_can_be_passed_on(scene: Scene) -> None:
    await connect(scene)

    told = await scene.one(f"{CALL} support")

    block = told.text.split("```")[1]
    assert "Bot 1.2.3, Python 3." in block
    assert "Rocket.Chat 8.3: connected" in block
    assert "Entries: 3 waiting, 1 could not be done" in block
    assert "Number …678: can send\nNumber …321: can send with limits" in block
    assert not any(word in told.text for word in ("4915112345678", KEY, OTHER_KEY, TOKEN))
    assert "https://docs.360dialog.com" in told.text


async def test_support_says_what_it_does_not_know(scene: Scene) -> None:
    await connect(scene)
    scene.workspace.version = ""
    scene.whatsapp.failing["check"] = KeyInvalid()

    block = (await scene.one(f"{CALL} support")).text.split("```")[1]

    assert "Rocket.Chat (version unknown): connected" in block
    assert block.count("key refused") == 2


async def test_support_without_any_number(scene: Scene) -> None:
    assert "No number is connected" in (await scene.one(f"{CALL} support")).text


async def test_support_tells_others_whom_to_ask_and_nothing_of_the_house(scene: Scene) -> None:
    await connect(scene)

    told = await scene.one("support", user="eve", room="dm-eve", room_type="d")

    assert "https://docs.360dialog.com" in told.text
    assert not any(word in told.text for word in ("```", "1.2.3", "678", "waiting"))
    assert labels(told) == ["360Dialog support"]


# --- the addresses --------------------------------------------------------------------------------------------------


async def test_the_token_is_on_the_page_and_never_in_chat(scene: Scene, browser: Browser) -> None:
    told = await scene.one(f"{CALL} endpoints")
    address = link(told)

    page = await browser.open(address)

    assert f"{PUBLIC}/api/apps/private/app/{TOKEN}/templateMessage" in page.html
    assert f"{PUBLIC}/api/apps/private/app/{TOKEN}/authSuccess" in page.html
    assert f"{PUBLIC}/api/apps/public/app/get-sidebar-icon" in page.html
    assert "The bot made the token." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert [label for *_, label in page.buttons] == ["Done"], "there is nothing to cancel"
    assert "Done" in (await browser.submit(address, page)).text
    assert (await browser.open(address)).status == 410
    said = str([post for _, post in scene.workspace.said.values()])
    assert TOKEN not in said + str(await scene.registry.sessions())


async def test_in_chat_nothing_but_the_page_shows_the_addresses(scene: Scene) -> None:
    await scene.write(f"{CALL} endpoints", room="dm-ada", room_type="d")

    for said in ("keep", "rest", "skip", "confirm", "1"):
        told = await scene.one(said, room="dm-ada", room_type="d")
        assert link(told)
        assert TOKEN not in told.text


async def test_only_the_configured_roles_get_the_addresses(scene: Scene) -> None:
    told = await scene.one(f"{CALL} endpoints", user="eve")

    assert "Only people with one of these roles" in told.text


def test_the_version_that_is_told_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["project"]["version"] == VERSION
