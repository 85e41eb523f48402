"""Quick replies of bots and agents: buttons, a list or numbers on the phone, and the whole answer in the room."""

from typing import Any

import pytest

from bot.stage import Stage, staged

LONG = "Yes, and please send me the printed catalogue as well 👩‍👩‍👧‍👦"


def actions(*labels: str, **more: str) -> list[dict[str, Any]]:
    button = {"type": "button", "msg_in_chat_window": True, **more}
    return [{"actions": [{**button, "text": label, "msg": label} for label in labels]}]


def blocks(text: str, *labels: str) -> list[dict[str, Any]]:
    """As the Dialogflow app makes them."""
    elements = [
        {"type": "button", "actionId": f"a{n}", "text": {"type": "plain_text", "text": label}, "value": label}
        for n, label in enumerate(labels)
    ]
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}, {"type": "actions", "elements": elements}]


async def open_room(stage: Stage) -> str:
    await stage.connect()
    await stage.customer.write(stage.number, "hi")
    return await stage.agent_reads("hi")


async def test_three_are_buttons_and_a_cut_title_comes_back_whole_after_a_restart() -> None:
    async with staged() as stage:
        room = await open_room(stage)
        await stage.rc.write(stage.agent, room, "Interested?", attachments=actions("Yes", "No", LONG))
        await stage.customer_reads("Interested?")
        received = stage.customer.received[-1]
        assert received.body["interactive"]["type"] == "button"
        yes, no, long = stage.customer.choices(received)
        assert (yes, no) == ("Yes", "No")
        assert len(long) <= 20 and long.endswith("…")

        await stage.stop()
        await stage.start()
        await stage.customer.tap(received, long)
        await stage.agent_reads("printed catalogue")

        assert stage.from_customer(room)[-1] == LONG


async def test_blocks_of_a_bot_without_any_text_are_read() -> None:
    async with staged() as stage:
        room = await open_room(stage)
        await stage.rc.write(stage.agent, room, "", blocks=blocks("Which *one*?", "Red", "Blue"))
        await stage.customer_reads("Which *one*?")

        assert stage.customer.choices(stage.customer.received[-1]) == ["Red", "Blue"]


@pytest.mark.parametrize("count", [4, 10])
async def test_more_are_a_list_with_the_label_of_the_settings(count: int) -> None:
    async with staged(list_button_label="Options") as stage:
        room = await open_room(stage)
        labels = [f"Choice number {n} of many more" for n in range(count)]
        await stage.rc.write(stage.agent, room, "Which?", attachments=actions(*labels))
        await stage.customer_reads("Which?")
        received = stage.customer.received[-1]

        interactive = received.body["interactive"]
        assert (interactive["type"], interactive["action"]["button"]) == ("list", "Options")
        [section] = interactive["action"]["sections"]
        assert [row["description"] for row in section["rows"]] == labels
        await stage.customer.tap(received, section["rows"][2]["title"])
        await stage.agent_reads(labels[2])
        assert stage.from_customer(room)[-1] == labels[2]


@pytest.mark.parametrize(("count", "lists"), [(11, True), (4, False)])
async def test_what_fits_neither_is_numbered_text(count: int, lists: bool) -> None:
    async with staged(allow_list_options=lists) as stage:
        room = await open_room(stage)
        await stage.rc.write(stage.agent, room, "Which?", attachments=actions(*(f"C{n}" for n in range(count))))
        numbered = "\n".join(f"{n + 1}. C{n}" for n in range(count))
        await stage.customer_reads(f"Which?\n{numbered}")


async def test_titles_a_little_too_long_for_buttons_are_a_list() -> None:
    async with staged() as stage:
        room = await open_room(stage)
        labels = ["Twenty-two characters!", "No"]
        await stage.rc.write(stage.agent, room, "Which?", attachments=actions(*labels))
        await stage.customer_reads("Which?")
        received = stage.customer.received[-1]

        assert received.body["interactive"]["type"] == "list"
        assert stage.customer.choices(received) == labels


async def test_a_long_text_goes_first_and_the_buttons_follow() -> None:
    async with staged() as stage:
        stage.rc.settings["Message_MaxAllowedSize"] = 20_000
        room = await open_room(stage)
        await stage.rc.write(stage.agent, room, "word " * 300, attachments=actions("Yes", "No"))
        await stage.customer_reads("Please choose:")

        first, second = stage.customer.received
        assert first.body["type"] == "text"
        assert second.body["interactive"]["type"] == "button"


async def test_addresses_are_lines_of_the_text() -> None:
    async with staged() as stage:
        room = await open_room(stage)
        links = actions("Our map", url="https://example.org/map")
        await stage.rc.write(stage.agent, room, "Find us", attachments=[*links, *actions("Call me")])
        await stage.customer_reads("Find us\nOur map: https://example.org/map")

        assert stage.customer.choices(stage.customer.received[-1]) == ["Call me"]
