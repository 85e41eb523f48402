"""Commands and forms over the real wires: what people see in Rocket.Chat, with the whole bot running."""

from bot.stage import Stage, staged
from bot.stage_page import link_in


async def hears(stage: Stage, words: str, room: str = "") -> dict[str, object]:
    """Waits for a message of the bot's with these words."""
    where = room or stage.setup_room
    found = await stage.rc.until(lambda: [m for m in stage.from_bot(where) if words in m["msg"]], timeout=10)
    return dict(found[-1])


async def test_the_question_leads_by_buttons_to_a_connected_number() -> None:
    async with staged() as stage:
        asked = await hears(stage, "Do you currently have a 360Dialog account?")
        await stage.rc.press(stage.admin, str(asked["_id"]), "Yes")
        ready = await hears(stage, "Have two things ready")
        await stage.rc.press(stage.admin, str(ready["_id"]), "Connect WhatsApp Number")
        page = await stage.open(link_in(await hears(stage, "Open the form")))

        page = await stage.submit(page, "chat", api_key=stage.number.api_key)
        assert "The key is saved" in page.text
        await hears(stage, "Question 2 of 5: Phone Number")
        await stage.rc.write(stage.admin, stage.setup_room, "+49 1511 2345678")
        question = await hears(stage, "Welcome Message")
        await stage.rc.press(stage.admin, str(question["_id"]), "Skip")
        question = await hears(stage, "Conversation Finished Message")
        await stage.rc.press(stage.admin, str(question["_id"]), "Skip")
        question = await hears(stage, "offline service")
        await stage.rc.press(stage.admin, str(question["_id"]), "Skip")
        summary = await hears(stage, "Type confirm or cancel")
        await stage.rc.press(stage.admin, str(summary["_id"]), "Connect")
        await hears(stage, "is now connected")

        await stage.customer.write(stage.number, "Hello")
        await stage.agent_reads("Hello")


async def test_a_key_typed_in_the_setup_channel_disappears() -> None:
    async with staged() as stage:
        written = await stage.rc.write(
            stage.admin, stage.setup_room, f"!whatsapp-360d-cloud connect {stage.number.api_key}"
        )
        assert written is not None

        await hears(stage, "I deleted your message")

        assert stage.number.api_key not in str(stage.rc.messages(stage.setup_room))
        assert link_in(await hears(stage, "Open the form"))


async def test_a_key_typed_in_a_direct_message_cannot_be_deleted_and_that_is_said() -> None:
    async with staged() as stage:
        room = stage.rc.direct_room(stage.admin, stage.bot_user)
        await stage.rc.write(stage.admin, room, stage.number.api_key)

        await hears(stage, "Please delete it yourself now", room)


async def test_disconnect_ends_the_conversation_and_a_second_press_does_nothing() -> None:
    async with staged() as stage:
        await stage.connect()
        listed = await stage.command("!whatsapp-360d-cloud numbers")
        await stage.rc.press(stage.admin, listed["_id"], f"Disconnect {stage.number.phone}")
        ask = await hears(stage, "Agents no longer see what customers write")
        await stage.rc.press(stage.admin, str(ask["_id"]), "Yes, disconnect")
        await hears(stage, "is disconnected")

        await stage.rc.press(stage.admin, str(ask["_id"]), "Yes, disconnect")

        await hears(stage, "belongs to a form that is over")
        assert "No WhatsApp number" in (await stage.command("!whatsapp-360d-cloud numbers"))["msg"]


async def test_an_agent_may_not_connect_and_is_told_why() -> None:
    async with staged() as stage:
        room = stage.rc.direct_room(stage.agent, stage.bot_user)

        told = await stage.command("connect", room, stage.agent)

        assert "Only people with one of these roles" in told["msg"]


async def test_a_command_in_a_customers_room_is_answered_there_and_not_sent_to_the_customer() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "Hello")
        room = await stage.agent_reads("Hello")

        told = await stage.command("!whatsapp-360d-cloud numbers", room, stage.agent)

        assert "works in the setup channel" in told["msg"]
        await stage.rc.write(stage.agent, room, "Good morning")
        await stage.customer_reads("Good morning")
        assert [one.text for one in stage.customer.received] == ["Good morning"]


async def test_a_program_that_posts_under_an_administrators_name_commands_nothing() -> None:
    """Incoming webhooks of Rocket.Chat: `u` is the user that an administrator chose, the text comes from outside."""
    async with staged() as stage:
        direct = stage.rc.direct_room(stage.admin, stage.bot_user)
        for room in (stage.setup_room, direct):
            await stage.rc.write(
                stage.admin, room, "!whatsapp-360d-cloud settings list_button_label Hacked", bot={"i": "integration"}
            )
        listed = await stage.command("!whatsapp-360d-cloud settings list", direct)

        assert "Hacked" not in str([*stage.from_bot(stage.setup_room), *stage.from_bot(direct)])
        assert "Show Options" in listed["msg"]
