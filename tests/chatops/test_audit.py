"""What people do is on the record, and administrators can read it in chat."""

from __future__ import annotations

from bot.relay.audit import Audit
from tests.chatops.browser import Browser
from tests.chatops.desk import KEY, PHONE, Scene, labels
from tests.chatops.steps import FILLED, opened

CALL = "!whatsapp-360d-cloud"


async def told(scene: Scene) -> list[str]:
    found, _ = await scene.audit.find((), 100)
    return [f"{one['who']} {Audit.said(one)} {one['from']} {one['result']}" for one in found]


async def test_what_is_done_on_a_page_and_in_chat_is_on_the_record(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **FILLED)
    await scene.one(f'{CALL} settings list_button_label "Show me"')
    await scene.one(f"{CALL} numbers disconnect {PHONE}")
    await scene.one("confirm")

    assert await told(scene) == [
        "ada.user disconnect number=…678 chat done",
        'ada.user settings list_button_label="Show me" chat done',
        "ada.user connect number=…678 page done",
    ]


async def test_who_may_not_is_on_the_record_too(scene: Scene) -> None:
    await scene.one(f"{CALL} connect", user="eve")

    assert await told(scene) == ["eve.user connect chat refused"]


async def test_a_form_that_fails_says_why(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    async def revoked(_: str) -> None:
        scene.whatsapp.keys.clear()

    scene.whatsapp.before_hook = revoked
    scene.whatsapp.keeps = "https://elsewhere.example/hook"
    await browser.submit(address, page, **FILLED)

    [one] = await told(scene)
    assert one.startswith("ada.user connect page failed: ")


async def test_nothing_secret_is_on_the_record(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **{**FILLED, "welcome_message": "a text for customers"})
    await scene.write(f"the key is {KEY}")
    await scene.one(f"{CALL} settings message_status_endpoint_url https://status.example/hook?token=hidden")

    kept = repr(scene.notes.entries)
    for secret in (KEY, PHONE, PHONE.strip("+"), "a text for customers", "hidden"):
        assert secret not in kept
    assert any("key-typed-in-chat message=deleted" in one for one in await told(scene))


async def test_administrators_read_it_page_by_page(scene: Scene) -> None:
    for number in range(12):
        await scene.one(f'{CALL} settings list_button_label "Label {number}"')

    first = await scene.one(f"{CALL} audit")
    assert first.text.count("ada.user") == 10
    assert "Label 11" in first.text
    assert "Label 1 " not in first.text
    [more] = [button for button in first.buttons if button.label == "Earlier ones"]
    second = await scene.one(more.text)
    assert second.text.count("ada.user") == 2
    assert labels(second) == []


async def test_it_can_be_searched(scene: Scene) -> None:
    await scene.one(f'{CALL} settings list_button_label "*bold* @all"')
    await scene.one(f"{CALL} connect", user="eve")

    assert "eve.user" in (await scene.one(f"{CALL} audit refused")).text
    text = (await scene.one(f"{CALL} audit settings")).text
    assert "eve.user" not in text
    assert "@all" not in text, "what somebody typed cannot call people"
    assert "holds “nonsense”" in (await scene.one(f"{CALL} audit nonsense")).text


async def test_it_is_for_administrators_alone(scene: Scene) -> None:
    scene.workspace.roles["max"] = {"livechat-manager"}

    assert "admin" in (await scene.one(f"{CALL} audit", user="max")).text
    assert await told(scene) == ["max.user audit chat refused"]
