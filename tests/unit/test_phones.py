"""Phone numbers as people type them: what is understood, what is refused, and that nobody else is reached."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from bot.whatsapp.phones import region_of, understood


@pytest.mark.parametrize(
    ("typed", "region", "digits"),
    [
        ("0170 1234567", "DE", "491701234567"),
        ("(631) 555-1234", "US", "16315551234"),
        ("170 1234567", "DE", "491701234567"),
        ("+49 170 0000001", "", "491700000001"),
        ("+49 (0)170 1234567", "BR", "491701234567"),
        ("0049 170 1234567", "US", "491701234567"),
        ("491701234567", "DE", "491701234567"),
        ("5541988887777", "DE", "5541988887777"),
        ("5541988887777", "BR", "5541988887777"),
        ("06 12 34 56 78", "FR", "33612345678"),
        ("06 1234 5678", "IT", "390612345678"),
        ("0170 12", "DE", None),
        ("0170 1234567", "", None),
        ("+1234567", "", None),
        ("nobody", "DE", None),
        ("", "DE", None),
        ("+49 170 1234567 ext. 4", "", None),
    ],
)
def test_what_is_understood(typed: str, region: str, digits: str | None) -> None:
    assert understood(typed, region) == digits


@pytest.mark.parametrize(
    ("typed", "region", "digits"),
    [
        ("+55 41 8888-7777", "BR", "554188887777"),
        ("554188887777", "BR", "554188887777"),
        ("41 98888-7777", "BR", "5541988887777"),
        ("41 8888-7777", "BR", None),
        ("+521 55 1234 5678", "MX", "5215512345678"),
        ("5215512345678", "MX", "5215512345678"),
        ("+52 55 1234 5678", "MX", "525512345678"),
        ("55 1234 5678", "MX", "525512345678"),
        ("+54 9 11 1234 5678", "AR", "5491112345678"),
        ("+54 11 15 1234 5678", "AR", "54111512345678"),
        ("+54 11 1234 5678", "AR", "541112345678"),
    ],
)
def test_numbers_of_brazil_mexico_and_argentina_stay_as_typed(typed: str, region: str, digits: str | None) -> None:
    """With and without the ninth digit, the 1 or the 9 they may be two people: WhatsApp's answer tells."""
    assert understood(typed, region) == digits


def test_what_could_be_two_people_is_nobody() -> None:
    """Somebody in Miami, or with another country's code: the plus tells."""
    assert understood("786 136 5875", "US") is None
    assert understood("+1 786 136 5875", "US") == understood("1 786 136 5875", "US") == "17861365875"


@pytest.mark.parametrize("typed", ["6465551234", "646 555 1234", "(646) 555-1234", "646.555.1234", "646-555-1234"])
def test_ten_digits_of_a_new_yorker_are_not_a_landline_in_new_zealand(typed: str) -> None:
    assert understood(typed, "US") == "16465551234"


@pytest.mark.parametrize(
    ("typed", "region", "digits"),
    [
        ("64 6 555 1234", "US", None),
        ("64 65551234", "US", None),
        ("+64 6 555 1234", "US", "6465551234"),
        ("6465551234", "NZ", "6465551234"),
        ("6465551234", "DE", "6465551234"),
        ("202 456 1111", "US", "12024561111"),
        ("2024561111", "US", "12024561111"),
        ("(959) 521-3397", "US", "19595213397"),
        ("9595213397", "US", None),
        ("95 9521 3397", "US", None),
    ],
)
def test_a_country_code_set_apart_or_a_mobile_abroad_is_not_read_as_a_number_at_home(
    typed: str, region: str, digits: str | None
) -> None:
    assert understood(typed, region) == digits


@given(st.from_regex(r"[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True))
def test_what_is_read_at_home_is_valid_there_and_no_mobile_abroad(typed: str) -> None:
    digits = understood(typed, "US")
    try:
        abroad = phonenumbers.parse(f"+{typed}")
    except phonenumbers.NumberParseException:
        return

    if digits == f"1{typed}" and phonenumbers.is_valid_number(abroad):
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
        assert phonenumbers.number_type(abroad) not in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


@given(st.text(max_size=30), st.sampled_from(["", "DE", "BR", "US", "XX"]))
def test_whatever_is_understood_is_understood_again(typed: str, region: str) -> None:
    digits = understood(typed, region)
    if digits is not None:
        assert digits.isascii() and digits.isdecimal() and 7 <= len(digits) <= 15
        assert understood(f"+{digits}", region) == digits


def test_the_region_is_that_of_the_country_code() -> None:
    assert [region_of(phone) for phone in ("+4915112345678", "554188887777", "+9991234567", "")] == ["DE", "BR", "", ""]
