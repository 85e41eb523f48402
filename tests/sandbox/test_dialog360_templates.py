"""Templates: both APIs show the same ones, and a send must fit its definition."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import World
from tests.sandbox.dialog360_client import code_of, wamid_of

TO = "+491701234567"


def words(*texts: str, **named: str) -> list[dict[str, str]]:
    positional = [{"type": "text", "text": text} for text in texts]
    return positional + [{"type": "text", "parameter_name": name, "text": text} for name, text in named.items()]


def component(kind: str, *texts: str, **named: str) -> dict[str, Any]:
    return {"type": kind, "parameters": words(*texts, **named)}


TRACK = {"type": "button", "sub_type": "url", "index": "0", "parameters": words("A-1001")}
ORDER = [component("header", "A-1001"), component("body", "Maria", "Friday"), TRACK]
REMINDER = [component("body", date="12 May", first_name="Maria", time="10:30")]


async def send(world: World, name: str, language: str, components: list[Any] | None = None) -> tuple[int, Any]:
    template: dict[str, Any] = {"name": name, "language": {"code": language}}
    if components is not None:
        template["components"] = components
    return await world.api.send(TO, type="template", template=template)


async def test_the_phone_shows_the_filled_template(world: World) -> None:
    answer = await send(world, "order_update", "en", ORDER)
    assert answer[1]["messages"][0]["message_status"] == "accepted"
    assert world.maria.received[0].text == (
        "Order A-1001\n\nHello Maria, your order is on its way. It should reach you on Friday.\n\nDemo Shop\n\n"
        "[Track order: https://shop.example/orders/A-1001]\n[Talk to us]"
    )
    await world.maria.tap(world.maria.received[0], "Talk to us")
    assert world.hook.messages()[-1]["button"] == {"payload": "Talk to us", "text": "Talk to us"}


async def test_named_parameters_come_in_any_order(world: World) -> None:
    wamid_of(await send(world, "appointment_reminder", "en", REMINDER))
    assert world.maria.received[0].text.startswith("Hi Maria, see you on 12 May at 10:30.")


async def test_values_are_not_filled_in_twice(world: World) -> None:
    wamid_of(await send(world, "order_update", "en", [ORDER[0], component("body", "{{2}}", "Friday"), TRACK]))
    assert "Hello {{2}}," in world.maria.received[0].text


@pytest.mark.parametrize(
    ("name", "language", "components", "code"),
    [
        ("nothing", "en", None, 132001),
        ("order_update", "en_US", ORDER, 132001),
        ("summer_sale", "en", [component("body", "20")], 132001),
        ("free_gift", "en", None, 132001),
        ("order_update", "en", None, 132000),
        ("order_update", "en", [ORDER[0], component("body", "Maria"), TRACK], 132000),
        ("order_update", "en", [component("body", "Maria", "Friday"), TRACK], 132000),
        ("order_update", "en", ORDER[:2], 131008),
        ("order_update", "en", [*ORDER, component("footer", "x")], 100),
        ("order_update", "en", [ORDER[0], component("body", "Maria", "a\nb"), TRACK], 132018),
        ("order_update", "en", [ORDER[0], component("body", "Maria", "a     b"), TRACK], 132018),
        ("order_update", "en", [ORDER[0], component("body", "Maria", " "), TRACK], 131009),
        ("order_update", "en", [ORDER[0], component("body", "x" * 1024, "y"), TRACK], 132005),
        ("order_update", "en", [*ORDER, TRACK | {"index": 1}], 132012),
        ("order_update", "en", [*ORDER, TRACK | {"index": 7}], 132000),
        ("order_update", "en", [*ORDER[:2], TRACK | {"sub_type": "quick_reply"}], 132012),
        ("appointment_reminder", "en", [component("body", "Maria", "12 May", "10:30")], 100),
        ("appointment_reminder", "en", [component("body", first_name="M", date="12", hour="10")], 132000),
        ("new_catalogue", "en", [component("body", "Maria")], 132012),
        ("hello_world", "en_US", [component("body", "x")], 132000),
    ],
)
async def test_a_send_that_does_not_fit_its_template_is_refused(
    world: World, name: str, language: str, components: list[Any] | None, code: int
) -> None:
    assert code_of(await send(world, name, language, components)) == code
    assert world.maria.received == []


async def test_a_picture_in_the_header_and_a_code_in_the_button(world: World) -> None:
    picture = {"type": "image", "image": {"link": "https://shop.example/cover.png"}}
    code = {"type": "button", "sub_type": "copy_code", "index": 0}
    components = [
        {"type": "header", "parameters": [picture]},
        component("body", "Maria"),
        code | {"parameters": [{"type": "coupon_code", "coupon_code": "SPRING25"}]},
    ]
    wamid_of(await send(world, "new_catalogue", "en", components))
    assert world.maria.received[0].text.startswith("[image]\n\nDear Maria,")
    assert world.maria.received[0].text.endswith("[Copy code: SPRING25]")


async def test_paused_and_disabled_templates_say_so(world: World) -> None:
    for status, code in (("PAUSED", 132015), ("DISABLED", 132016)):
        definition = {"name": status.lower(), "language": "en", "category": "UTILITY", "status": status}
        world.wa.add_template(world.number, definition | {"components": [{"type": "BODY", "text": "x"}]})
        assert code_of(await send(world, status.lower(), "en")) == code


async def test_both_apis_show_the_same_templates_in_their_own_words(world: World) -> None:
    _, graph = await world.api.call("GET", "/message_templates?limit=100")
    _, old = await world.api.call("GET", "/v1/configs/templates")
    assert [(item["name"], item["language"]) for item in graph["data"]] == [
        (item["name"], item["language"]) for item in old["waba_templates"]
    ]
    assert {item["status"] for item in graph["data"]} == {"APPROVED", "PENDING", "REJECTED"}
    assert {item["status"] for item in old["waba_templates"]} == {"approved", "submitted", "rejected"}
    assert (old["total"], old["count"], "next" in graph["paging"]) == (7, 7, False)


async def test_pages_follow_the_cursor_to_the_last_one(world: World) -> None:
    names, after = [], ""
    for _ in range(4):
        _, page = await world.api.call("GET", f"/message_templates?limit=2&fields=name,language&after={after}")
        names += [item["name"] for item in page["data"]]
        assert set(page["data"][0]) == {"id", "name", "language"}
        if "next" not in page["paging"]:
            break
        assert page["paging"]["next"].startswith("https://waba-v2.360dialog.io/message_templates?")
        after = page["paging"]["cursors"]["after"]
    assert len(names) == 7


async def test_a_template_is_made_pending_and_removed_in_every_language(world: World) -> None:
    new = {
        "name": "fresh",
        "language": "en",
        "category": "utility",
        "components": [{"type": "BODY", "text": "Hi there."}],
    }
    _, answer = await world.api.call("POST", "/message_templates", json=new)
    assert answer["status"] == "PENDING"
    assert code_of(await world.api.call("POST", "/message_templates", json=new)) == 100
    assert (await world.api.call("GET", f"/message_templates/{answer['id']}"))[1]["name"] == "fresh"
    _, made = await world.api.call("POST", "/v1/configs/templates", json=new | {"language": "de"})
    assert made["status"] == "submitted"
    assert await world.api.call("DELETE", "/message_templates?name=fresh") == (200, {"success": True})
    assert code_of(await world.api.call("DELETE", "/v1/configs/templates/fresh")) == 100


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Big Name"},
        {"category": "FUN"},
        {"language": "english"},
        {"components": []},
        {"components": [{"type": "BODY", "text": "x" * 1025}]},
        {"components": [{"type": "BODY", "text": "Hello {{1}}"}]},
        {"components": [{"type": "BODY", "text": "{{1}} hello"}]},
    ],
)
async def test_a_definition_that_meta_would_not_take_is_refused(world: World, change: dict[str, Any]) -> None:
    new = {"name": "fresh", "language": "en", "category": "UTILITY", "components": [{"type": "BODY", "text": "Hi."}]}
    assert code_of(await world.api.call("POST", "/message_templates", json=new | change)) == 100
