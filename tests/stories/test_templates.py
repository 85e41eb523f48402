"""Templates, as the people see them: the list, the form in chat and on the page, one line, the customer's room."""

from typing import Any

from bot.stage import Stage, staged
from bot.stage_page import link_in


async def said(stage: Stage, room: str, text: str) -> dict[str, Any]:
    """The bot's message that holds this text, as soon as there is one."""
    found = await stage.rc.until(lambda: [m for m in stage.from_bot(room) if text in m["msg"]], timeout=10)
    return dict(found[-1])


def sends(stage: Stage) -> list[dict[str, Any]]:
    """Bodies of templates that went to WhatsApp."""
    bodies = [call.body for call in stage.wa.calls if call.path == "/messages"]
    return [dict(body) for body in bodies if isinstance(body, dict) and body.get("type") == "template"]


MISSING = "This is needed to go on."


async def test_the_list_shows_every_template_and_filters_by_words() -> None:
    async with staged() as stage:
        await stage.connect()
        shown = await stage.command("!whatsapp-360d-cloud view-templates")

        assert "**order_update**" in shown["msg"]
        assert "Languages: de, en" in shown["msg"]
        assert "REJECTED" in shown["msg"]
        assert stage.number.phone in shown["msg"]
        assert "just now" in shown["msg"]

        some = await stage.command("!whatsapp-360d-cloud view-templates marketing approved")
        assert "new_catalogue" in some["msg"]
        assert "order_update" not in some["msg"]


async def test_quality_is_told_in_the_words_that_numbers_use_and_found_by_whatsapps() -> None:
    async with staged() as stage:
        await stage.connect()
        body = {"type": "BODY", "text": "Thank you."}
        rated = {"name": "thanks", "language": "en", "components": [body], "quality_score": {"score": "YELLOW"}}
        stage.wa.templates(stage.number).add(rated)

        shown = await stage.command("!whatsapp-360d-cloud view-templates yellow")

        assert "**thanks**" in shown["msg"]
        assert "Quality: medium" in shown["msg"]


async def test_a_list_is_kept_until_somebody_refreshes_it_or_a_template_changes() -> None:
    async with staged() as stage:
        await stage.connect()

        def asked() -> int:
            return len([call for call in stage.wa.calls if call.path == "/message_templates"])

        await stage.command("!whatsapp-360d-cloud view-templates")
        await stage.command("!whatsapp-360d-cloud view-templates")
        assert asked() == 1
        body = {"type": "BODY", "text": "Thank you."}
        stage.wa.templates(stage.number).add(
            {"name": "brand_new", "language": "en", "category": "UTILITY", "components": [body]}
        )
        shown = await stage.command("!whatsapp-360d-cloud view-templates refresh brand_new")
        assert "brand_new" in shown["msg"]
        assert asked() == 2

        value = {"event": "PAUSED", "message_template_name": "brand_new", "message_template_language": "en"}
        change = {"field": "message_template_status_update", "value": value}
        hook = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
        assert await stage.wa.deliver(stage.number, hook) == [200]
        for _ in range(20):  # the webhook is taken at once and read in its turn
            await stage.command("!whatsapp-360d-cloud view-templates brand_new")
            if asked() > 2:
                break
        assert asked() == 3


async def test_a_refresh_that_fails_shows_the_kept_list_and_says_that_it_failed() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/message_templates", times=-1, status=503, body={})
        nothing = await stage.command("!whatsapp-360d-cloud view-templates refresh")
        assert f"The templates of {stage.number.phone} could not be read." in nothing["msg"]
        assert "message templates" not in nothing["msg"], "nobody knows how many there are"

        stage.wa.levers.clear()
        await stage.command("!whatsapp-360d-cloud view-templates refresh")
        stage.wa.levers.add("/message_templates", times=-1, status=401, body={})
        shown = await stage.command("!whatsapp-360d-cloud view-templates refresh")
        assert "**order_update**" in shown["msg"]
        assert "Read from 360Dialog" in shown["msg"]
        assert f"The templates of {stage.number.phone} could not be read." in shown["msg"]
        assert "360Dialog does not accept this key. Copy it again" in shown["msg"]


async def test_the_page_asks_for_each_variable_and_shows_the_message_before_it_is_sent() -> None:
    async with staged() as stage:
        await stage.connect()
        answer = await stage.command("!whatsapp-360d-cloud send-template")
        page = await stage.open(link_in(answer))
        assert "summer_sale" not in str(page.choices["template"]), "only what is approved"

        page = await stage.submit(page, template="order_update|en", recipients=stage.customer.phone)
        assert {"header_1", "body_1", "body_2", "button_0"} <= page.fields.keys()
        assert "For example: Maria" in page.text
        page = await stage.submit(page, header_1="A-1", body_1="Ana", body_2="Friday", button_0="A-1")
        assert "your order is on its way. It should reach you on Friday." in page.text
        assert "[Track order: https://shop.example/orders/A-1]" in page.text
        assert sends(stage) == []
        page = await stage.submit(page)

        assert "sent to 1 of 1" in page.text
        assert "Hello Ana, your order is on its way" in str(stage.customer.received[0].text)
        assert sends(stage)[0]["template"] == {
            "name": "order_update",
            "language": {"code": "en"},
            "components": [
                {"type": "header", "parameters": [{"type": "text", "text": "A-1"}]},
                {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "Friday"}]},
                {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "A-1"}]},
            ],
        }
        assert sends(stage)[0]["to"] == stage.customer.phone


async def test_no_value_is_called_missing_before_the_page_has_asked_for_it() -> None:
    """Nor is one that another template does not ask for."""
    async with staged() as stage:
        await stage.connect()
        page = await stage.open(link_in(await stage.command("!whatsapp-360d-cloud send-template")))

        page = await stage.submit(page, template="order_update|en", recipients="")
        assert (page.status, page.text.count(MISSING)) == (422, 2)  # on top, and at the field
        assert {"header_1", "body_1", "body_2", "button_0"} <= page.fields.keys()
        page = await stage.submit(page, recipients=stage.customer.phone, body_1="Ana")
        assert (page.status, page.text.count(MISSING)) == (422, 6)
        page = await stage.submit(page, template="appointment_reminder|en")
        assert (page.status, page.text.count(MISSING)) == (200, 0)
        assert page.fields["recipients"] == stage.customer.phone


async def test_the_form_is_asked_in_chat_one_question_at_a_time() -> None:
    async with staged() as stage:
        await stage.connect()
        room = stage.setup_room
        await stage.command("!whatsapp-360d-cloud send-template", room)
        await stage.command("appointment_reminder", room)
        await stage.command(stage.customer.phone, room)
        question = await stage.command("Ana", room)
        assert "12 May" in question["msg"]
        await stage.command("Friday", room)
        summary = await stage.command("10:30", room)
        assert "> Hi Ana, see you on Friday at 10:30." in summary["msg"]
        await stage.command("confirm", room)

        await said(stage, room, "sent to 1 of 1")
        assert [one.body["type"] for one in stage.customer.received] == ["template"]
        assert sends(stage)[0]["template"]["components"][0]["parameters"][0] == {
            "type": "text", "parameter_name": "first_name", "text": "Ana",
        }  # fmt: skip


async def test_an_expert_says_it_in_one_line() -> None:
    async with staged() as stage:
        await stage.connect()
        line = f'send-template order_update en {stage.customer.phone} "A-1" "Ana Maria" Friday A-1'
        answer = await stage.command(f"!whatsapp-360d-cloud {line}")

        assert "sent to 1 of 1" in answer["msg"]
        assert "Hello Ana Maria, your order" in answer["msg"]
        assert len(stage.customer.received) == 1


async def test_an_agent_sends_a_template_from_the_customers_room() -> None:
    """After 24 hours nothing else reaches the customer. What the agent answers the form with stays in the room."""
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.wa.clock_offset = 25 * 3600

        question = await stage.command("!whatsapp-360d-cloud send-template", room, stage.agent)
        assert "not sent to the customer" in question["msg"]
        await stage.command("appointment_reminder", room, stage.agent)
        await stage.command("Ana", room, stage.agent)
        await stage.command("Friday", room, stage.agent)
        await stage.command("10:30", room, stage.agent)
        await stage.command("confirm", room, stage.agent)
        result = await said(stage, room, "sent to 1 of 1")
        assert "see you on Friday" not in result["msg"], "it stands in the room already"
        shown = await said(stage, room, "sent the template")
        assert "> Hi Ana, see you on Friday at 10:30." in shown["msg"]
        assert [one.body["type"] for one in stage.customer.received] == ["template"]

        stage.wa.clock_offset = 0
        await stage.rc.write(stage.agent, room, "and now to the customer")
        await stage.customer_reads("and now to the customer")


async def test_only_agents_and_the_configured_roles_send_templates() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        direct = stage.rc.direct_room(stage.agent, stage.bot_user)

        refused = await stage.command("send-template", direct, stage.agent)
        assert "roles" in refused["msg"]
        allowed = await stage.command("!whatsapp-360d-cloud send-template", room, stage.agent)
        assert "roles" not in allowed["msg"]
        elsewhere = await stage.command("!whatsapp-360d-cloud view-templates", room, stage.agent)
        assert "setup channel" in elsewhere["msg"]


async def test_each_recipient_has_a_result_and_each_failure_a_reason() -> None:
    async with staged() as stage:
        await stage.connect()
        people = [stage.wa.customer(f"+49170000001{n}", name=f"P{n}") for n in range(3)]
        missing = stage.wa.customer("+491700000099", name="Nobody", on_whatsapp=False)
        numbers = ",".join(one.phone for one in (*people, missing))
        summary = await stage.command(f"!whatsapp-360d-cloud send-template hello_world {numbers}")
        assert "4 people" in summary["msg"]
        await stage.command("confirm", stage.setup_room)

        result = await said(stage, stage.setup_room, "hello_world: sent to")
        assert all(f"{one.phone}: sent" in result["msg"] for one in people)
        assert all(len(one.received) == 1 for one in people)


async def test_many_recipients_get_one_each_and_the_results_are_reported() -> None:
    async with staged() as stage:
        await stage.connect()
        people = [stage.wa.customer(f"+4917000001{n:02}", name=f"P{n}") for n in range(60)]
        answer = await stage.command("!whatsapp-360d-cloud send-template hello_world")
        page = await stage.open(link_in(answer))
        page = await stage.submit(page, recipients="\n".join(one.phone for one in people))
        page = await stage.submit(page)

        await said(stage, stage.setup_room, "sent to 60 of 60")
        await stage.rc.until(
            lambda: all(any(one.phone in m["msg"] for m in stage.from_bot(stage.setup_room)) for one in people)
        )
        assert [len(one.received) for one in people] == [1] * 60


async def test_a_template_that_whatsapp_never_answered_is_not_sent_again() -> None:
    async with staged() as stage:
        await stage.connect()
        stage.wa.levers.add("/messages", when="after", drop=True)
        line = f"!whatsapp-360d-cloud send-template hello_world {stage.customer.phone}"
        await stage.rc.write(stage.admin, stage.setup_room, line)

        await said(stage, stage.setup_room, "sent to 1 of 1")
        assert len(sends(stage)) == len(stage.customer.received) == 1


async def test_the_id_that_whatsapp_returns_names_the_customer() -> None:
    """A Brazilian number is dialled with a ninth digit that WhatsApp does not know."""
    async with staged() as stage:
        await stage.connect()
        customer = stage.wa.customer("+5541988887777", name="Bia", wa_id="554188887777")
        await stage.command("!whatsapp-360d-cloud send-template hello_world +5541988887777")
        await customer.write(stage.number, "oi")
        room = str(
            (await stage.rc.until(lambda: [r for r in stage.rc.rooms.values() if r["t"] == "l"], timeout=10))[0]["_id"]
        )
        await stage.rc.until(lambda: stage.from_customer(room) == ["oi"])
        await stage.command("!whatsapp-360d-cloud send-template hello_world +5541988887777")

        assert [body["to"] for body in sends(stage)] == ["+5541988887777", "554188887777"]
        await said(stage, room, "sent the template")
