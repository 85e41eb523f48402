"""What an admin changes in chat counts from the next message on, also after a restart."""

from bot.stage import staged

CALL = "!whatsapp-360d-cloud"


async def test_who_writes_is_shown_to_the_customer_as_soon_as_it_is_set_and_after_a_restart() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "Hello")
        room = await stage.agent_reads("Hello")
        await stage.agent_writes(room, "One")
        await stage.customer_reads("One")

        await stage.command(f"{CALL} settings agents_display_info username")
        await stage.agent_writes(room, "Two")
        await stage.wa.until(lambda: any("Two" in one.text for one in stage.customer.received), timeout=10)
        await stage.stop()
        await stage.start()
        await stage.agent_writes(room, "Three")
        await stage.wa.until(lambda: any("Three" in one.text for one in stage.customer.received), timeout=10)

        one, two, three = (message.text for message in stage.customer.received)
        assert stage.agent.username not in one
        assert stage.agent.username in two
        assert stage.agent.username in three


async def test_the_language_changes_at_once_in_chat_and_on_pages() -> None:
    async with staged() as stage:
        told = await stage.command(f"{CALL} settings preferred_language Deutsch")
        assert "Deutsch" in told["msg"]
        assert "is now" not in told["msg"]

        page = await stage.connect()

        assert page.status == 200
        assert "You can close this page" not in page.text
        german = await stage.command(f"{CALL} numbers")
        assert "WhatsApp number is connected" not in german["msg"]


async def test_a_number_is_edited_with_a_new_key_and_goes_on_working() -> None:
    async with staged() as stage:
        await stage.connect(welcome_message="")
        await stage.customer.write(stage.number, "Before")
        room = await stage.agent_reads("Before")
        listed = await stage.command(f"{CALL} numbers")
        assert "Its messages come here." in listed["msg"]
        assert "Quality: high" in listed["msg"]

        old, new = stage.number.api_key, stage.wa.rotate_key(stage.number)
        assert old != new
        form = await stage.command(f"{CALL} numbers edit {stage.number.phone}")
        page = await stage.open(next(a["url"] for a in form["attachments"][0]["actions"] if "url" in a))
        page = await stage.submit(page, api_key=new)
        await stage.submit(page)

        await stage.customer.write(stage.number, "After")
        await stage.agent_reads("After")
        await stage.agent_writes(room, "With the new key")
        await stage.customer_reads("With the new key")
