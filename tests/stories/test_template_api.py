"""`templateMessage`: what other programs send, what they are answered, and where the customer's answer goes."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from bot.config import Server
from bot.stage import Stage, staged

TOKEN = "the-key-of-this-test"
HELLO = {"name": "hello_world", "language": {"code": "en_US", "policy": "deterministic"}}


def with_token(stage: Stage) -> None:
    server = stage.settings.server
    changed = Server(port=server.port, public_url=server.public_url, api_token=TOKEN)  # type: ignore[arg-type]
    stage.settings = stage.settings.model_copy(update={"server": changed})


async def started(stage: Stage) -> Stage:
    with_token(stage)
    await stage.start()
    await stage.connect()
    return stage


def path(stage: Stage, key: str = TOKEN) -> str:
    return f"{stage.settings.server.public_url}/api/apps/private/whatsapp-360d-cloud/{key}/templateMessage"


async def post(
    stage: Stage, body: Any, *, key: str = TOKEN, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/json", **(headers or {})}
    async with stage.http.post(path(stage, key), data=data, headers=kind) as answer:
        return answer.status, await answer.json()


def request(stage: Stage, *numbers: str, **more: Any) -> dict[str, Any]:
    return {
        "phoneNumbers": list(numbers or [stage.customer.phone]),
        "connectedWhatsAppNo": stage.number.phone,
        "template": HELLO,
        **more,
    }


async def test_what_was_accepted_is_sent_and_what_is_no_number_is_named() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        other = stage.wa.customer("+491700000001", name="Other")
        numbers = ("0170 1234567", "+49 170 1234567", "00491700000001", "nobody", "12", "+01701234567", "0170 12")
        answer = await post(stage, request(stage, *numbers))

        assert answer == (200, {"success": True, "invalidContacts": ["nobody", "12", "+01701234567", "0170 12"]})
        await stage.wa.until(lambda: stage.customer.received and other.received)
        body = stage.customer.received[0].body
        assert {name: body[name] for name in ("to", "type", "template")} == {
            "to": "+491701234567",
            "type": "template",
            "template": {"name": "hello_world", "language": {"code": "en_US"}},
        }


async def test_the_documented_example_with_a_footer_is_sent_without_it() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        parameters = [{"type": "text", "text": "Ana"}, {"type": "text", "text": "Friday"}]
        components = [
            {"type": "header", "parameters": [{"type": "text", "text": "A-1"}]},
            {"type": "body", "parameters": parameters},
            {"type": "footer", "parameters": [{"type": "text", "text": "x"}]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "A-1"}]},
        ]
        template = {"namespace": "n", "name": "order_update", "language": {"code": "en"}, "components": components}

        assert await post(stage, request(stage, template=template)) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        assert "Hello Ana" in stage.customer.received[0].text


NOT_THERE = (
    "Error! Connected WhatsApp Number (connectedWhatsAppNo) i.e. 565412001234 has not been registered yet on "
    "Rocket.Chat. Please goto #omnichannel-whatsapp-cloud-api-setup channel and connect this WhatsApp number first "
    "there before sending this request again."
)
INVALID = (
    "Connected WhatsApp Number (connectedWhatsAppNo) i.e. abc is not a valid WhatsApp contact. "
    "Contact Status is invalid"
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"phoneNumbers": ["+491701234567"] * 251},
         "Too many phone numbers! Please make sure that phoneNumbers are <= 250"),
        ({"targetAgent": "abc98"}, "No Agent found with username abc98"),
        ({"targetDepartment": "SalesDepartment"}, "No Department found with id/Name SalesDepartment"),
        ({"connectedWhatsAppNo": None}, 'Error! Missing "connectedWhatsAppNo" field within the request'),
        ({"connectedWhatsAppNo": "565412001234"}, NOT_THERE),
        ({"connectedWhatsAppNo": "abc"}, INVALID),
        ({"phoneNumbers": []}, 'Error! Missing "phoneNumbers" field within the request'),
        ({"template": None}, 'Error! Missing "template" field within the request'),
        ({"template": {"name": "x"}}, 'Error! Missing "template.language" field within the request'),
        ({"template": {**HELLO, "components": [{"type": "body", "parameters": [{"type": "text", "text": " "}]}]}},
         'Error! Missing "template.components[0].parameters[0].text" field within the request'),
    ],
)  # fmt: skip
async def test_every_error_is_told_in_the_words_of_the_original(change: dict[str, Any], text: str) -> None:
    async with staged(start=False) as stage:
        await started(stage)
        body = {name: value for name, value in request(stage, **change).items() if value is not None}

        assert await post(stage, body) == (400, {"success": False, "error": text})
        assert stage.customer.received == []


async def test_a_wrong_key_broken_json_and_too_much_are_refused() -> None:
    async with staged(start=False) as stage:
        await started(stage)

        assert (await post(stage, request(stage), key="wrong"))[0] == 401
        status, answer = await post(stage, b'{"phoneNumbers": ["+49",],\n}')
        assert status == 400
        assert "line 1, column" in answer["error"]
        assert (await post(stage, b"[" * 100_000))[0] == 400
        assert (await post(stage, b" " * 600_000))[0] == 413
        status, answer = await post(stage, gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
        assert (status, answer["success"]) == (415, False)
        assert "without Content-Encoding" in answer["error"]
        assert (await post(stage, b'"text"'))[0] == 400
        assert (await post(stage, b'{"phoneNumbers": ["\\ud800"], "connectedWhatsAppNo": "\\u0000"}'))[0] == 400
        assert stage.customer.received == []


async def test_who_guesses_the_key_is_told_in_json_when_to_come_again() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        codes = [(await post(stage, request(stage), key=f"wrong{guess}"))[0] for guess in range(31)]
        async with stage.http.post(path(stage, "wrong"), json=request(stage)) as answer:
            told = await answer.json()

        assert codes == [401] * 30 + [429]
        assert (answer.status, told["success"]) == (429, False)
        assert int(answer.headers["Retry-After"]) > 0 and "Too many wrong keys" in told["error"]


async def test_a_request_with_the_same_idempotency_key_is_done_once() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        key = {"Idempotency-Key": "order 4711"}
        assert await post(stage, request(stage), headers=key) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        assert await post(stage, request(stage), headers=key) == (200, {"success": True})
        other = await post(stage, request(stage, "+491700000001"), headers=key)
        assert other[0] == 422
        assert await post(stage, request(stage), headers={"Idempotency-Key": "another"}) == (200, {"success": True})
        await stage.wa.until(lambda: len(stage.customer.received) == 2)


async def test_the_agents_of_an_open_room_see_what_was_sent() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.command("!whatsapp-360d-cloud view-templates")
        assert await post(stage, request(stage)) == (200, {"success": True})

        [shown] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "> Welcome and congratulations!" in shown["msg"]
        assert "> _WhatsApp Business Platform sample message_" in shown["msg"]


async def test_who_gets_the_answer_to_a_template_sees_what_it_answers() -> None:
    """Nobody's conversation was open when it went out, so it is shown in the one that the answer opens, once."""
    async with staged(start=False) as stage:
        await started(stage)
        await stage.command("!whatsapp-360d-cloud view-templates")
        assert await post(stage, request(stage)) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")
        [shown] = await stage.rc.until(lambda: stage.from_bot(room))
        await stage.rc.close_room(stage.admin, room, comment="done")
        await stage.customer.write(stage.number, "another thing")
        again = await stage.agent_reads("another thing")
        await stage.rc.write(stage.agent, again, "which?")
        await stage.customer_reads("which?")

        assert "hello_world" in shown["msg"]
        assert "before this conversation" in shown["msg"]
        assert "> Welcome and congratulations!" in shown["msg"]
        assert stage.from_bot(again) == []


async def test_a_template_that_never_arrived_is_not_shown_to_have_been_sent() -> None:
    async with staged(start=False) as stage:
        stage.wa.auto_status = False
        await started(stage)
        assert await post(stage, request(stage)) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        await stage.wa.status(stage.customer.received[0].wamid, "failed", code=131026, title="Message undeliverable")
        await stage.rc.until(lambda: any("could not deliver" in one["msg"] for one in stage.from_bot(stage.setup_room)))
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        await stage.rc.write(stage.agent, room, "hello")
        await stage.customer_reads("hello")

        assert stage.from_bot(room) == []


async def test_the_answer_goes_to_the_agent_who_was_named_and_only_that_one() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        for name in ("aaa", "zoe"):
            stage.rc.add_user(name, name=name, roles=("livechat-agent", "user"))
        assert await post(stage, request(stage, targetAgent="zoe")) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")
        assert stage.rc.rooms[room]["servedBy"]["username"] == "zoe"

        await stage.rc.close_room(stage.admin, room, comment="done")
        await stage.customer.write(stage.number, "another thing")
        again = await stage.agent_reads("another thing")
        assert stage.rc.rooms[again]["servedBy"]["username"] == "aaa", "a target counts once"


async def test_an_agent_who_is_away_is_replaced_by_the_department() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        zoe = stage.rc.add_user("zoe", name="Zoe", roles=("livechat-agent", "user"))
        sales = stage.rc.add_department("Sales", agents=[stage.agent])
        target = {"targetAgent": "zoe", "targetDepartment": "sales"}
        assert await post(stage, request(stage, **target)) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        stage.rc.go_online(zoe, False)
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")

        assert stage.rc.rooms[room]["departmentId"] == sales.id
        assert stage.rc.rooms[room]["servedBy"]["username"] == stage.agent.username


async def test_an_agent_whom_rocketchat_refuses_keeps_nobody_waiting() -> None:
    """Listed as available, and gone when the room is asked for."""
    async with staged(start=False) as stage:
        await started(stage)
        zoe = stage.rc.add_user("zoe", name="Zoe", roles=("livechat-agent", "user"))
        assert await post(stage, request(stage, targetAgent="zoe")) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        stage.rc.go_online(zoe, False)
        listed = {"users": [{"_id": zoe.id, "username": "zoe"}], "count": 1, "offset": 0, "total": 1, "success": True}
        stage.rc.levers.add("livechat/users/agent", times=-1, status=200, body=listed)
        before = len(stage.rc.calls)
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")

        assert stage.rc.rooms[room]["servedBy"]["username"] == stage.agent.username
        asked = [call for call in stage.rc.calls[before:] if call.path.endswith("livechat/room")]
        assert [call.status for call in asked] == [400, 200], "refused once, then without that agent"


async def test_a_target_department_without_anybody_is_replaced_by_what_the_number_has() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        stage.rc.add_department("Sales")
        assert await post(stage, request(stage, targetDepartment="Sales")) == (200, {"success": True})
        await stage.wa.until(lambda: stage.customer.received)
        await stage.customer.write(stage.number, "yes, please")
        room = await stage.agent_reads("yes, please")

        assert stage.rc.rooms[room]["servedBy"]["username"] == stage.agent.username


async def test_an_agents_reply_does_not_wait_for_thousands_of_templates() -> None:
    """360Dialog answers nothing to templates; conversations go on as ever."""
    async with staged(start=False) as stage:
        await started(stage)
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        bulks = [[f"+49170{bulk}000{n:03}" for n in range(250)] for bulk in range(8)]
        answers = await asyncio.gather(*(post(stage, request(stage, *numbers)) for numbers in bulks))
        assert [status for status, _ in answers] == [200] * 8
        await stage.wa.until(lambda: len([call for call in stage.wa.calls if call.path == "/messages"]) > 20)

        sent = len([call for call in stage.wa.calls if call.path == "/messages"])
        await stage.rc.write(stage.agent, room, "quickly")
        await stage.customer_reads("quickly")
        between = len([call for call in stage.wa.calls if call.path == "/messages"]) - sent
        assert between < 60, f"{between} templates went before the agent's words"


async def test_a_bulk_goes_on_after_a_stop_and_nobody_gets_it_twice() -> None:
    async with staged(start=False) as stage:
        with_token(stage)
        await stage.start()
        await stage.connect()
        people = [stage.wa.customer(f"+4917000002{n:02}", name=f"P{n}") for n in range(40)]
        assert (await post(stage, request(stage, *(one.phone for one in people))))[0] == 200
        await stage.wa.until(lambda: sum(len(one.received) for one in people) > 5)
        await stage.stop()
        await stage.start()
        await stage.wa.until(lambda: all(one.received for one in people), timeout=20)
        await asyncio.wait_for(stage.wa.settled(), 10)

        assert [len(one.received) for one in people] == [1] * 40


async def test_whom_whatsapp_cannot_reach_is_an_invalid_contact_also_when_asked_again() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        refusal = {"error": {"code": 131026, "message": "(#131026) Message undeliverable"}}
        stage.wa.levers.add("^/messages$", status=400, body=refusal)
        key = {"Idempotency-Key": "one"}
        asked = request(stage, "+491700000009")
        told = (200, {"success": True, "invalidContacts": ["491700000009"]})

        assert await post(stage, asked, headers=key) == told
        assert await post(stage, asked, headers=key) == told
        assert len([call for call in stage.wa.calls if call.path == "/messages"]) == 1


async def test_a_template_that_is_refused_for_everybody_is_an_error_with_the_reason() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        template = {"name": "no_such_template", "language": {"code": "en"}}
        asked = request(stage, "+491700000001", "+491700000002", template=template)
        status, answer = await post(stage, asked, headers={"Idempotency-Key": "k"})

        assert (status, answer["success"]) == (500, False)
        assert answer["error"].startswith("Error occurred while processing request. Details: ")
        assert "no_such_template" in answer["error"]
        assert await post(stage, asked, headers={"Idempotency-Key": "k"}) == (status, answer)
        assert len([call for call in stage.wa.calls if call.path == "/messages"]) == 2


async def test_who_was_refused_alone_is_named_with_the_reason() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        stage.wa.levers.add("^/messages$", status=400, body={"error": {"code": 131049, "message": "Not delivered"}})
        status, answer = await post(stage, request(stage, "+491700000001", "+491700000002"))

        assert (status, answer["success"]) == (200, True)
        [failed] = answer["failedContacts"]
        assert failed["contact"] in ("491700000001", "491700000002")
        assert failed["error"] == "Not delivered"


async def test_what_still_waits_is_a_success_and_is_sent() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        stage.wa.levers.add("^/messages$", status=503, body="", times=2)

        assert await post(stage, request(stage)) == (200, {"success": True})
        assert stage.customer.received == []
        await stage.wa.until(lambda: stage.customer.received, timeout=20)
        assert len(stage.customer.received) == 1


async def test_what_whatsapp_refuses_is_told_once_to_the_setup_channel() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        template = {"name": "no_such_template", "language": {"code": "en"}}
        assert (await post(stage, request(stage, "+491700000001", "+491700000002", template=template)))[0] == 500

        def told() -> list[str]:
            return [m["msg"] for m in stage.from_bot(stage.setup_room) if "no_such_template" in m["msg"]]

        await stage.rc.until(told)
        await stage.wa.until(lambda: len([call for call in stage.wa.calls if call.path == "/messages"]) == 2)
        assert len(told()) == 1
