"""An API key that is typed where others read it: deleted, said, never kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chatops.leaks import holds_key, is_key, is_only_key
from bot.errors import BotError, NotAllowed, NotFound, Unreachable
from tests.chatops.desk import KEY, PHONE, Scene, button, link

CONNECT = "!whatsapp-360d-cloud connect"


async def stored(scene: Scene) -> str:
    return json.dumps([dict(document) for document in await scene.registry.sessions()]) + str(scene.workspace.said)


@pytest.mark.parametrize("words", [f"{CONNECT} ", "/whatsapp-360d-cloud connect key=", "@wa.bot connect "])
async def test_a_key_as_an_argument_is_deleted_and_the_form_opens_all_the_same(scene: Scene, words: str) -> None:
    told, opened = await scene.write(words + KEY)

    assert scene.workspace.deleted == ["m1"]
    assert "I deleted your message" in told.text
    assert "generate a new key" in told.text
    assert link(opened)
    assert KEY not in await stored(scene)


@pytest.mark.parametrize("text", [KEY, f"my key is {KEY}.", f"`{KEY}`", f"API-Key:\n{KEY}", f"D360-API-KEY={KEY}"])
async def test_a_key_typed_while_the_form_waits_for_it_is_deleted_and_the_page_shown(scene: Scene, text: str) -> None:
    opened = await scene.one(CONNECT)

    told = await scene.one(text)

    assert scene.workspace.deleted == ["m2"]
    assert button(told, "Open the form").url == link(opened)
    assert KEY not in await stored(scene)
    assert (await scene.session())["secrets"] == {}


async def test_a_key_typed_as_another_answer_is_not_stored_as_one(scene: Scene) -> None:
    await scene.write(CONNECT)
    await scene.save_key()
    for answer in (PHONE, "skip"):
        await scene.write(answer)

    await scene.write(f"Our key: {KEY[::-1][3:]}")

    assert "welcome_message" not in (await scene.session())["answers"]
    assert len(scene.workspace.deleted) == 1


@pytest.mark.parametrize("error", [NotAllowed("error-action-not-allowed"), Unreachable("gone")])
async def test_when_deleting_is_refused_the_person_has_to_do_it(scene: Scene, error: BotError) -> None:
    scene.workspace.failing["delete"] = error

    told = (await scene.dm(KEY))[0]

    assert "Please delete it yourself now" in told.text
    assert KEY not in await stored(scene)


async def test_a_message_that_is_gone_already_counts_as_deleted(scene: Scene) -> None:
    scene.workspace.failing["delete"] = NotFound("No message found")

    assert "I deleted your message" in (await scene.one(KEY)).text


async def test_a_lone_key_in_the_setup_channel_is_found_without_any_form(scene: Scene) -> None:
    assert "I deleted your message" in (await scene.one(KEY)).text
    assert "I deleted your message" in (await scene.one(f"my key is {KEY}, does it work?")).text
    assert await scene.write("the ticket is 4f2a91c0-3b7e-4c55-9a3e-0d8f6b1c2e7a, please look") == []


@pytest.mark.parametrize("room_type", ["c", "l"])
async def test_a_key_in_a_command_in_any_room_is_deleted(scene: Scene, room_type: str) -> None:
    told, elsewhere = await scene.write(f"{CONNECT} {KEY}", room="general", room_type=room_type)

    assert scene.workspace.deleted == ["m1"]
    assert "I deleted your message" in told.text
    assert "works in the setup channel" in elsewhere.text


async def test_a_key_in_a_room_that_is_not_ours_is_left_alone(scene: Scene) -> None:
    assert await scene.write(KEY, room="general", room_type="c") == []
    assert scene.workspace.deleted == []


@pytest.mark.parametrize(
    "word",
    [
        KEY,
        KEY[:-3],
        "nDdGCQnBbmHOLBYoNNXpPgoSAK",
        "4f2a91c0-3b7e-4c55-9a3e-0d8f6b1c2e7a",
        "abc123_sandbox",
        "2nfh3o_sandbox",
        "a1b2c3d4e5f6a7b8c9d0",
    ],
)
def test_what_looks_like_a_key_is_one(word: str) -> None:
    assert is_key(word)
    assert holds_key(f"here: {word}")
    assert is_only_key(f" `{word}` ")


@pytest.mark.parametrize(
    "word",
    [
        "+4915112345678",
        "omnichannel-whatsapp-cloud-api-setup",
        "https://hub.360dialog.com/dashboard/abc123def456ghi789",
        "Donaudampfschifffahrtsgesellschaft",
        "MyVeryLongCamelCaseClassNameFactory",
        "TELEGRAMMSTILOHNEVIELEWORTESAK",
        "someone123@example4567890.com",
        "2024-11-05",
        "order-number-2024-100",
        "f53ef8befd83.10",
        "",
    ],
)
def test_ordinary_words_are_no_keys(word: str) -> None:
    assert not holds_key(word)


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert holds_key(text) in (True, False)
    if is_only_key(text):
        assert holds_key(text)
