"""Who stands on both sides: agents by name, customers without a phone, customers with a new number."""

import pytest

from bot.sandbox.dialog360.customer import Customer
from bot.stage import Stage, staged
from tests.stories.webhooks import messages


@pytest.mark.parametrize(
    ("shown", "line"), [("none", ""), ("name", "*Ben Agent:*\n"), ("username", "*ben:*\n")], ids=str
)
async def test_the_agents_name_stands_in_front_as_the_setting_says(shown: str, line: str) -> None:
    async with staged(agents_display_info=shown) as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.rc.write(stage.agent, room, "good morning")
        await stage.customer_reads(f"{line}good morning")


async def test_a_text_that_just_fits_keeps_the_name_and_its_beginning_together() -> None:
    async with staged(agents_display_info="name") as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.rc.write(stage.agent, room, "x" * 4096)
        first, rest = await stage.wa.until(lambda: stage.customer.received if len(stage.customer.received) > 1 else [])
        assert str(first.text).startswith("*Ben Agent:*\nxxx")
        assert (len(str(first.text)), rest.text) == (4096, "x" * len("*Ben Agent:*\n"))


async def test_after_a_transfer_the_other_agents_name_is_shown() -> None:
    async with staged(agents_display_info="name") as stage:
        carla = stage.rc.add_user("carla", name="Carla *Star*", roles=("livechat-agent", "user"))
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.rc.write(stage.agent, room, "I hand you over")
        await stage.rc.forward(room, carla)
        await stage.rc.write(carla, room, "hello")
        await stage.customer_reads("*Carla Star:*\nhello")

        assert stage.customer.received[0].text == "*Ben Agent:*\nI hand you over"


async def test_a_customer_without_a_phone_number_is_answered_under_their_user_id() -> None:
    async with staged() as stage:
        await stage.connect()
        person = stage.wa.customer(None, name="Noor", user_id="DE.1470891188060290")
        await stage.wa.deliver(
            stage.number,
            {
                "object": "whatsapp_business_account",
                "entry": [
                    {
                        "id": stage.number.waba_id,
                        "changes": [
                            {
                                "field": "messages",
                                "value": {
                                    "messaging_product": "whatsapp",
                                    "metadata": {
                                        "display_phone_number": stage.number.digits,
                                        "phone_number_id": stage.number.phone_number_id,
                                    },
                                    "contacts": [{"profile": {"name": "Noor"}, "user_id": person.user_id}],
                                    "messages": [
                                        {
                                            "from_user_id": person.user_id,
                                            "id": "wamid.noor1",
                                            "timestamp": str(int(stage.wa.now())),
                                            "type": "text",
                                            "text": {"body": "salam"},
                                        }
                                    ],
                                },
                            }
                        ],
                    }
                ],
            },
        )
        [room] = await stage.rc.until(lambda: [rid for rid in stage.rc.rooms if stage.from_customer(rid) == ["salam"]])
        await stage.rc.write(stage.agent, room, "hello Noor")
        await stage.wa.until(lambda: [call for call in stage.wa.calls if call.path == "/messages"])

        body = [call.body for call in stage.wa.calls if call.path == "/messages"][-1]
        assert body["recipient"] == person.user_id
        assert "to" not in body


async def with_a_new_number(stage: Stage) -> tuple[str, Customer]:
    """The room of a customer who has written and then changed the number; and the same customer, under the new one."""
    await stage.customer.write(stage.number, "hi")
    room = await stage.agent_reads("hi")
    new = stage.wa.customer("+491709999999", name="Maria")
    system = {"body": "Maria changed", "wa_id": new.wa_id, "type": "user_changed_number"}
    await stage.customer.send(stage.number, type="system", system=system)
    await stage.agent_reads(new.wa_id)
    return room, new


async def test_a_customer_with_a_new_number_goes_on_in_the_same_conversation() -> None:
    async with staged() as stage:
        await stage.connect()
        room, new = await with_a_new_number(stage)
        await new.write(stage.number, "it is me")
        await stage.rc.until(lambda: "it is me" in stage.from_customer(room))
        await stage.rc.write(stage.agent, room, "welcome back")
        await stage.customer_reads("welcome back", new)

        assert stage.customer.received == []


async def test_what_was_written_before_the_number_changed_and_comes_late_does_not_bring_the_old_number_back() -> None:
    async with staged() as stage:
        await stage.connect()
        room, new = await with_a_new_number(stage)
        earlier = stage.wa.now() - 30
        await stage.customer.send(stage.number, type="text", text={"body": "soon I have a new one"}, at=earlier)
        await stage.agent_reads("soon I have a new one")
        await stage.rc.write(stage.agent, room, "which?")
        await stage.wa.until(lambda: [call for call in stage.wa.calls if call.path == "/messages"])
        assert [call.body["to"] for call in stage.wa.calls if call.path == "/messages"] == [new.wa_id]

        await new.write(stage.number, "this one")

        await stage.rc.until(lambda: stage.from_customer(room)[-1] == "this one")


async def test_a_customer_with_a_new_number_who_then_shows_only_a_user_name_goes_on_in_the_same_conversation() -> None:
    """The message of the change names the new user id beside the new number (Meta: business-scoped user ids)."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        system = {
            "body": "Maria changed", "type": "user_changed_number",
            "wa_id": "491709999999", "user_id": "DE.200", "previous_user_id": "DE.100",
        }  # fmt: skip
        await stage.customer.send(stage.number, type="system", system=system)
        await stage.agent_reads("491709999999")

        body = messages(stage.number, stage.customer)
        stamp = str(int(stage.wa.now()))
        text = {"from_user_id": "DE.200", "id": "wamid.new", "timestamp": stamp, "type": "text", "text": {"body": "me"}}
        [change] = body["entry"][0]["changes"]
        change["value"] |= {"contacts": [{"profile": {"name": "Maria"}, "user_id": "DE.200"}], "messages": [text]}
        await stage.wa.deliver(stage.number, body)

        await stage.rc.until(lambda: any("me" in stage.from_customer(one["_id"]) for one in stage.rooms_of()))
        assert stage.from_customer(room)[-1] == "me"


async def test_who_only_quotes_hears_that_nothing_reached_the_customer() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "the first thing")
        room = await stage.agent_reads("the first thing")
        quoted = stage.rc.messages(room)[-1]["_id"]
        link = f"{stage.rc.url}/live/{room}?msg={quoted}"
        for _ in range(2):
            await stage.rc.write(stage.agent, room, f"[ ]({link})\n")
        await stage.rc.write(stage.agent, room, f"[ ]({link})\nyes")
        await stage.customer_reads("yes")
        await stage.rc.until(lambda: len(stage.from_bot(room)) == 2)
        assert all("only quotes another one" in told["msg"] for told in stage.from_bot(room))
        assert [one.text for one in stage.customer.received] == ["yes"]
