"""Templates as WhatsApp defines them: what has to be filled in, what is sent, and what the customer sees."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Invalid
from bot.translations import translator
from bot.whatsapp.template_preview import preview, values_of
from bot.whatsapp.template_send import arranged, check, check_whole, fill, filled, message, tidy
from bot.whatsapp.templates import Template, read, tokens

T = translator("en")


def template(*components: dict[str, Any], **more: Any) -> Template:
    found = read({"name": "demo", "language": "en", "status": "APPROVED", "components": list(components), **more})
    assert found is not None
    return found


BODY = {"type": "BODY", "text": "Hi {{1}}, see you on {{2}}.", "example": {"body_text": [["Ana", "Friday"]]}}


def fields(one: Template) -> list[str]:
    return [variable.field for variable in one.variables]


def examples(one: Template) -> dict[str, str]:
    return {variable.field: variable.example for variable in one.variables}


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "example",
    [{"body_text": [["Ana", "Friday"]]}, {"body_text": ["Ana", "Friday"]}],
    ids=["nested", "flat"],
)
def test_both_shapes_of_examples_are_read(example: dict[str, Any]) -> None:
    assert examples(template({**BODY, "example": example})) == {"body_1": "Ana", "body_2": "Friday"}


def test_named_variables_keep_their_names_and_examples() -> None:
    pairs = [{"param_name": "first_name", "example": "Ana"}, {"param_name": "day", "example": "Friday"}]
    body = {"type": "body", "text": "Hi {{first_name}}, on {{ day }}.", "example": {"body_text_named_params": pairs}}

    found = template(body, parameter_format="named")

    assert found.named
    assert examples(found) == {"body_first_name": "Ana", "body_day": "Friday"}


def test_names_are_recognised_where_the_answer_does_not_say_the_format() -> None:
    assert template({"type": "BODY", "text": "Hi {{first_name}}"}).named
    assert not template(BODY).named


def test_positions_are_counted_up_to_the_highest() -> None:
    assert tokens("{{3}} {{1}} {{1}}") == ["1", "2", "3"]
    assert len(tokens("{{999999999}}")) == 100


@pytest.mark.parametrize("status", ["APPROVED", "approved"])
def test_both_apis_mean_the_same_status(status: str) -> None:
    assert template(BODY, status=status).approved
    assert not template(BODY, status="submitted").approved


def test_each_kind_of_header_and_button_asks_for_its_value() -> None:
    buttons = [
        {"type": "URL", "text": "Track", "url": "https://s.example/{{1}}", "example": ["https://s.example/A-1"]},
        {"type": "QUICK_REPLY", "text": "Talk"},
        {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+491"},
        {"type": "COPY_CODE", "example": ["SPRING"]},
        {"type": "URL", "text": "Home", "url": "https://s.example/"},
    ]
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://s.example/a.png"]}}

    found = template(header, BODY, {"type": "FOOTER", "text": "bye"}, {"type": "BUTTONS", "buttons": buttons})

    assert fields(found) == ["header_media", "body_1", "body_2", "button_0", "button_1", "button_3"]
    assert examples(found)["button_0"] == "A-1"
    assert examples(found)["header_media"] == "https://s.example/a.png"
    assert [one.required for one in found.variables] == [True, True, True, True, False, True]


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        ({"type": "CAROUSEL", "cards": []}, "CAROUSEL"),
        ({"type": "LIMITED_TIME_OFFER"}, "LIMITED_TIME_OFFER"),
        ({"type": "HEADER", "format": "PRODUCT"}, "PRODUCT"),
        ({"type": "BUTTONS", "buttons": [{"type": "MPM", "text": "View items"}]}, "MPM"),
        ({"type": "HOLOGRAM"}, "HOLOGRAM"),
    ],
)
def test_what_cannot_be_filled_in_is_named_and_not_guessed(component: dict[str, Any], reason: str) -> None:
    assert template(BODY, component).not_supported == (reason,)


def test_a_template_without_a_body_is_not_offered() -> None:
    assert template({"type": "FOOTER", "text": "bye"}).not_supported == ("BODY",)


@settings(max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "language", "status", "components", "type", "format", "text", "example",
                             "body_text", "buttons", "url", "quality_score", "parameter_format"]),
            inner, max_size=5,
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_whatever_an_answer_holds_is_a_template_or_none(raw: object) -> None:
    found = read(raw)
    if found is not None:
        values = {variable.field: variable.example or "x" for variable in found.variables}
        assert preview(found, values, T) is not None
        assert filled(found, values)["name"] == found.name


# --- values ---------------------------------------------------------------------------------------------------------


def test_what_whatsapp_refuses_in_a_parameter_becomes_one_blank() -> None:
    assert tidy(" a\nb\tc     d    e\r\n\r\nf ") == "a b c d    e f"


@given(st.text(alphabet="a \n\t\r\u2028\u00a0", max_size=40))
def test_no_parameter_holds_what_whatsapp_refuses(value: str) -> None:
    said = tidy(value)

    assert not any(mark in said for mark in "\n\t\r\u2028")
    assert " " * 5 not in said


def variable(one: Template, field: str) -> Any:
    return next(each for each in one.variables if each.field == field)


def test_a_whole_link_pasted_for_its_end_is_cut_to_its_end() -> None:
    button = {"type": "URL", "text": "Track", "url": "https://s.example/o/{{1}}"}
    found = template(BODY, {"type": "BUTTONS", "buttons": [button]})

    assert check(found, variable(found, "button_0"), "https://s.example/o/A-1") == "A-1"
    assert check(found, variable(found, "button_0"), "A-1") == "A-1"


@pytest.mark.parametrize("value", ["", "cat.png", "ftp://x/y", "javascript:alert(1)", "https://"])
def test_a_media_header_takes_a_link_or_an_upload_only(value: str) -> None:
    found = template({"type": "HEADER", "format": "IMAGE"}, BODY)

    with pytest.raises(Invalid):
        check(found, variable(found, "header_media"), value)


@pytest.mark.parametrize(("value", "good"), [("52.52", True), ("-90", True), ("90.1", False), ("north", False)])
def test_a_location_needs_degrees(value: str, good: bool) -> None:
    found = template({"type": "HEADER", "format": "LOCATION"}, BODY)
    if good:
        assert float(check(found, variable(found, "header_latitude"), value)) == float(value)
        return
    with pytest.raises(Invalid):
        check(found, variable(found, "header_latitude"), value)


def test_the_filled_body_has_a_limit_of_its_own() -> None:
    found = template(BODY)
    check_whole(found, {"body_1": "a" * 500, "body_2": "b" * 500})

    with pytest.raises(Invalid) as caught:
        check_whole(found, {"body_1": "a" * 600, "body_2": "b" * 600})
    assert caught.value.field == "body_2"


# --- the send body --------------------------------------------------------------------------------------------------


def test_a_template_without_variables_has_no_components() -> None:
    plain = template({"type": "BODY", "text": "Hello"}, {"type": "FOOTER", "text": "bye"})

    assert filled(plain, {}) == {"name": "demo", "language": {"code": "en"}}


def test_every_part_goes_where_whatsapp_expects_it() -> None:
    buttons = [
        {"type": "QUICK_REPLY", "text": "Talk"},
        {"type": "URL", "text": "Track", "url": "https://s.example/{{1}}"},
        {"type": "COPY_CODE", "text": "Copy"},
    ]
    header = {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"}
    found = template(header, BODY, {"type": "BUTTONS", "buttons": buttons})

    made = filled(found, {"header_1": "A-1", "body_1": "Ana", "body_2": "Fri", "button_1": "a b", "button_2": "X1"})

    assert made["components"] == [
        {"type": "header", "parameters": [{"type": "text", "text": "A-1"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "Fri"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "a%20b"}]},
        {
            "type": "button", "sub_type": "copy_code", "index": "2",
            "parameters": [{"type": "coupon_code", "coupon_code": "X1"}],
        },
    ]  # fmt: skip


def test_named_parameters_carry_their_name() -> None:
    made = filled(template({"type": "BODY", "text": "Hi {{who}}"}), {"body_who": "Ana"})

    assert made["components"][0]["parameters"] == [{"type": "text", "parameter_name": "who", "text": "Ana"}]


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("https://s.example/report.pdf?x=1", {"link": "https://s.example/report.pdf?x=1", "filename": "report.pdf"}),
        ("id:123 My report.pdf", {"id": "123", "filename": "My report.pdf"}),
        ("https://s.example/", {"link": "https://s.example/"}),
    ],
)
def test_a_document_is_a_link_or_an_id_with_its_name(given: str, media: dict[str, str]) -> None:
    made = filled(template({"type": "HEADER", "format": "DOCUMENT"}, {"type": "BODY", "text": "x"}),
                  {"header_media": given})  # fmt: skip

    assert made["components"] == [{"type": "header", "parameters": [{"type": "document", "document": media}]}]


def test_a_code_goes_into_the_body_and_into_the_button() -> None:
    found = template(
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "FOOTER", "code_expiration_minutes": 10},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy Code"}]},
    )

    assert fields(found) == ["body_1"]
    assert filled(found, {"body_1": "123456"})["components"] == [
        {"type": "body", "parameters": [{"type": "text", "text": "123456"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "123456"}]},
    ]
    assert preview(found, {"body_1": "123456"}, T) == (
        "*123456* is your verification code. For your security, do not share this code.\n\n"
        "_This code expires in 10 minutes._\n\n[Copy Code: 123456]"
    )


def test_an_api_call_is_put_in_order_and_its_footer_left_out() -> None:
    """Older examples of Rocket.Chat show a namespace, a policy and footer parameters, which WhatsApp refuses."""
    raw = {
        "namespace": "abc",
        "name": "demo",
        "language": {"code": "en", "policy": "deterministic"},
        "components": [
            {"type": "HEADER", "parameters": [{"type": "text", "text": "a\nb"}]},
            {"type": "body", "parameters": []},
            {"type": "footer", "parameters": [{"type": "text", "text": "x"}]},
            {"type": "button", "sub_type": "URL", "index": 0, "parameters": [{"type": "text", "text": "s"}]},
        ],
    }

    assert arranged(raw) == {
        "name": "demo",
        "language": {"code": "en"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "text": "a b"}]},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "s"}]},
        ],
    }


def test_a_user_id_is_a_recipient_and_a_number_is_a_to() -> None:
    assert message("DE.123456", {}, "k")["recipient"] == "DE.123456"
    assert message("+491701234567", {}, "k")["to"] == "+491701234567"


# --- the preview ----------------------------------------------------------------------------------------------------


def test_the_preview_shows_every_part_as_the_customer_sees_it() -> None:
    buttons = [
        {"type": "URL", "text": "Track", "url": "https://s.example/{{1}}"},
        {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+491"},
        {"type": "QUICK_REPLY", "text": "Talk"},
    ]
    found = template(
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
        BODY,
        {"type": "FOOTER", "text": "Demo Shop"},
        {"type": "BUTTONS", "buttons": buttons},
    )

    shown = preview(found, {"header_1": "A-1", "body_1": "Ana {{2}}", "body_2": "Friday", "button_0": "A 1"}, T)

    assert shown == (
        "*Order A-1*\n\nHi Ana {{2}}, see you on Friday.\n\n_Demo Shop_\n\n"
        "[Track: https://s.example/A%201]\n[Call: +491]\n[Talk]"
    )


def test_a_missing_value_leaves_its_place_visible() -> None:
    assert fill("{{1}} and {{ 2 }}", {"1": "a"}) == "a and {{ 2 }}"


@given(st.dictionaries(st.sampled_from(["body_1", "body_2"]), st.text(max_size=20)))
def test_nothing_that_was_filled_in_is_read_again(values: dict[str, str]) -> None:
    shown = preview(template(BODY), values, T)

    first = values.get("body_1") or "{{1}}"
    second = values.get("body_2") or "{{2}}"
    assert shown == f"Hi {first}, see you on {second}."


def test_finished_components_can_be_shown_too() -> None:
    found = template(
        {"type": "HEADER", "format": "DOCUMENT"}, BODY,
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://s.example/{{1}}"}]},
    )  # fmt: skip
    values = {"header_media": "id:77 a.pdf", "body_1": "Ana", "body_2": "Friday", "button_0": "A-1"}

    assert values_of(found, filled(found, values)["components"]) == values
