"""POST /messages: what is accepted, what the phone shows, what is reported afterwards."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import World
from tests.sandbox.dialog360_client import code_of, wamid_of

TO = "+49 170 1234567"


async def test_a_text_reaches_the_phone_and_its_way_is_reported(world: World) -> None:
    await world.greet()
    status, answer = await world.api.text(TO, "Good morning", biz_opaque_callback_data="entry-7")
    assert status == 200
    assert answer["contacts"] == [{"input": TO, "wa_id": "491701234567"}]
    assert [received.text for received in world.maria.received] == ["Good morning"]
    await world.wa.settled()
    reported = world.hook.statuses()
    assert [item["status"] for item in reported] == ["sent", "delivered", "read"]
    assert {item["id"] for item in reported} == {answer["messages"][0]["id"]}
    assert {item["biz_opaque_callback_data"] for item in reported} == {"entry-7"}
    assert world.maria.received[0].status == "read"


async def test_statuses_have_the_captured_shape(world: World) -> None:
    await world.greet()
    await world.api.text(TO)
    await world.wa.settled()
    sent, delivered, _ = world.hook.statuses()
    assert sent["recipient_id"] == "491701234567"
    assert sent["recipient_user_id"] == world.maria.user_id
    assert sent["conversation"]["expiration_timestamp"] == sent["timestamp"]
    assert "expiration_timestamp" not in delivered["conversation"]
    assert delivered["pricing"]["pricing_model"] == "PMP"
    assert world.hook.values()[-1]["contacts"] == [{"wa_id": "491701234567", "user_id": world.maria.user_id}]


@pytest.mark.parametrize("key", ["", "wrong", "D360"])
async def test_a_wrong_or_missing_key_is_401_in_the_shape_of_the_gateway(world: World, key: str) -> None:
    world.api.key = key
    assert await world.api.text(TO) == (
        401,
        {"meta": {"success": False, "http_code": 401, "developer_message": "Invalid api_key"}},
    )


async def test_a_new_key_kills_the_old_one_and_wipes_the_webhook(world: World) -> None:
    old = world.number.api_key
    assert world.wa.rotate_key(world.number) != old
    assert (await world.api.call("GET", "/health_status"))[0] == 401
    world.api.key = world.number.api_key
    assert (await world.api.call("GET", "/v1/configs/webhook"))[0] == 404


async def test_24_hours_after_the_customer_wrote_only_templates_pass(world: World) -> None:
    await world.greet()
    world.wa.clock_offset = 86401
    wamid = wamid_of(await world.api.text(TO))
    await world.wa.settled()
    (failed,) = world.hook.statuses()
    assert (failed["id"], failed["status"], failed["errors"][0]["code"]) == (wamid, "failed", 131047)
    assert world.maria.received == []
    wamid_of(await world.api.send(TO, type="template", template={"name": "hello_world", "language": {"code": "en_US"}}))
    assert len(world.maria.received) == 1


async def test_the_window_can_also_refuse_at_once(world: World) -> None:
    world.wa.window_errors = "sync"
    assert code_of(await world.api.text(TO)) == 131047
    world.wa.window_errors = "off"
    wamid_of(await world.api.text(TO))


async def test_the_window_counts_from_the_time_of_the_message_not_of_its_arrival(world: World) -> None:
    world.wa.window_errors = "sync"
    await world.maria.write(world.number, "late", at=world.wa.now() - 86401)
    assert code_of(await world.api.text(TO)) == 131047


async def test_somebody_who_is_not_on_whatsapp_is_accepted_and_fails_later(world: World) -> None:
    world.wa.customer("+4930123456", name="Nobody", on_whatsapp=False)
    for to in ("+4930123456", "+4930999999"):
        wamid_of(
            await world.api.send(to, type="template", template={"name": "hello_world", "language": {"code": "en_US"}})
        )
    await world.wa.settled()
    assert [item["errors"][0]["code"] for item in world.hook.statuses()] == [131026, 131026]


async def test_one_cannot_write_to_oneself(world: World) -> None:
    assert code_of(await world.api.text("+4915112345678")) == 131021


@pytest.mark.parametrize(
    ("phone", "dialled", "wa_id"),
    [
        ("+55 41 98888-7777", "5541988887777", "554188887777"),
        ("+55 41 98888-7777", "554188887777", "554188887777"),
        ("+52 55 1234 5678", "+525512345678", "5215512345678"),
        ("+52 55 1234 5678", "5215512345678", "5215512345678"),
        ("+54 9 11 1234-5678", "+54 11 15 1234 5678", "5491112345678"),
        ("+54 9 11 1234-5678", "541112345678", "5491112345678"),
        ("+55 41 3234-5678", "554132345678", "554132345678"),
    ],
)
async def test_the_wa_id_of_some_countries_differs_from_what_was_dialled(
    world: World, phone: str, dialled: str, wa_id: str
) -> None:
    customer = world.wa.customer(phone, name="Ana")
    await customer.write(world.number, "oi")
    assert world.hook.messages()[0]["from"] == wa_id
    _, answer = await world.api.text(dialled)
    assert answer["contacts"] == [{"input": dialled, "wa_id": wa_id}]
    assert len(customer.received) == 1


async def test_a_hidden_number_is_reached_by_user_id_alone(world: World) -> None:
    ghost = world.wa.customer(None, name="Ghost", user_id="US.13491208655302741918", username="ghost")
    await ghost.write(world.number, "boo")
    (message,), (value,) = world.hook.messages(), world.hook.values()
    assert "from" not in message and message["from_user_id"] == ghost.user_id
    assert value["contacts"] == [{"profile": {"name": "Ghost", "username": "ghost"}, "user_id": ghost.user_id}]
    body = {"messaging_product": "whatsapp", "recipient": ghost.user_id, "type": "text", "text": {"body": "hi"}}
    status, answer = await world.api.call("POST", "/messages", json=body)
    assert (status, answer["contacts"]) == (200, [{"input": ghost.user_id, "user_id": ghost.user_id}])
    await world.wa.settled()
    assert all("recipient_id" not in item for item in world.hook.statuses())
    assert {item["recipient_user_id"] for item in world.hook.statuses()} == {ghost.user_id}
    assert code_of(await world.api.text(ghost.user_id)) == 131009


async def test_the_story_of_statuses_can_be_told_in_any_order_and_twice(world: World) -> None:
    await world.greet()
    world.wa.status_story = ("read", "delivered", "delivered", "sent")
    await world.api.text(TO)
    await world.wa.settled()
    assert [item["status"] for item in world.hook.statuses()] == ["read", "delivered", "delivered", "sent"]


async def test_all_statuses_can_come_in_one_delivery(world: World) -> None:
    await world.greet()
    world.wa.status_batch = True
    await world.api.text(TO)
    await world.wa.settled()
    assert [item["status"] for item in world.hook.values()[-1]["statuses"]] == ["sent", "delivered", "read"]


async def test_a_status_can_come_before_the_answer_of_the_send(world: World) -> None:
    await world.greet()
    world.wa.status_early = True
    order: list[str] = []
    world.wa.subscribe(lambda kind, _: order.append(kind))
    await world.api.text(TO)
    assert order.index("status") < order.index("call")


async def test_any_status_can_be_reported_by_hand(world: World) -> None:
    await world.greet()
    world.wa.auto_status = False
    wamid = wamid_of(await world.api.text(TO))
    await world.wa.status(wamid, "sent")
    await world.wa.status(wamid, "failed", code=131049, title="Blocked", details="per-user limit")
    await world.wa.status("wamid.foreign", "delivered", number=world.number)
    sent, failed, foreign = world.hook.statuses()
    assert sent["status"] == "sent"
    assert failed["errors"][0]["title"] == "Blocked"
    assert failed["errors"][0]["error_data"] == {"details": "per-user limit"}
    assert foreign["id"] == "wamid.foreign"
    with pytest.raises(LookupError):
        await world.wa.status("wamid.nobody", "sent")


async def test_45_messages_to_one_person_pass_then_one_in_six_seconds(world: World) -> None:
    await world.greet()
    world.wa.auto_status = False
    for _ in range(45):
        wamid_of(await world.api.text(TO))
    assert code_of(await world.api.text(TO)) == 131056
    other = world.wa.customer("+491709999999", name="Otto")
    await other.write(world.number, "hi")
    wamid_of(await world.api.text("+491709999999"))
    world.wa.clock_offset = 6.5
    wamid_of(await world.api.text(TO))
    assert code_of(await world.api.text(TO)) == 131056


async def test_80_messages_a_second_in_and_out_are_the_numbers_limit(world: World) -> None:
    world.wa.limits.pair_burst = 0
    world.wa.limits.mps = 3
    await world.greet()
    wamid_of(await world.api.text(TO))
    wamid_of(await world.api.text(TO))
    assert code_of(await world.api.text(TO)) == 130429
    world.wa.clock_offset = 1.1
    wamid_of(await world.api.text(TO))


async def test_reading_and_typing_are_told_for_messages_that_came_in(world: World) -> None:
    wamid = await world.greet()
    heard: list[str] = []
    world.wa.subscribe(lambda kind, _: heard.append(kind))
    receipt = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    typing = receipt | {"typing_indicator": {"type": "text"}}
    assert await world.api.call("POST", "/messages", json=typing) == (200, {"success": True})
    assert ("read" in heard, "typing" in heard) == (True, True)
    assert world.wa.messages[wamid].read
    for wrong in (receipt | {"message_id": "wamid.unknown"}, receipt | {"status": "unread"}):
        assert code_of(await world.api.call("POST", "/messages", json=wrong)) in (100, 131009)


async def test_a_blocked_number_cannot_send_and_says_so_in_its_health(world: World) -> None:
    world.number.health = "BLOCKED"
    assert (await world.api.text(TO))[1]["meta"]["http_code"] == 400
    _, answer = await world.api.call("GET", "/health_status?fields=health_status,verified_name")
    assert answer["verified_name"] == "Demo Shop"
    assert answer["health_status"]["entities"][0]["errors"]
    assert answer["id"] == world.number.phone_number_id
