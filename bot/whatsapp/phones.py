"""Phone numbers as people type them → digits with the country code, as WhatsApp takes them. Pure.

    +49 170 1234567 · 0049 170 1234567 · +49 (0)170 1234567    the country is said
    491701234567                                               digits alone: with the country code, if that fits
    0170 1234567 · (631) 555-1234                              as dialled at home: the connected number's country

A number with its country code only has to be possible: WhatsApp knows numbers that the numbering plans do not (test
numbers, Brazilian mobiles without the ninth digit). One without has to be valid, for here a wrong guess reaches
somebody else; when it could as well be read with a country code, nothing is guessed. It could not when it is grouped as
at home, `(646) 555-1234`, or when the other reading is a landline whose country code does not stand apart.

In Brazil, Mexico and Argentina WhatsApp's own ids differ from what people dial, so a number of these countries stays as
it was typed (Meta: phone numbers).
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

_MARKS = re.compile(r"[\s.\-\u2010-\u2015/\u200b-\u200f\u202a-\u202e\u2066-\u2069]|\(0\)|[()]")
_COMPACT = re.compile(r"\+?\d{5,20}", re.ASCII)
_LONGEST = 15
_SHORTEST = 7
_AS_TYPED = (52, 54, 55)
_MEXICAN_MOBILE = re.compile(r"521\d{10}", re.ASCII)
"""WhatsApp's own form of Mexican mobile numbers, which the numbering plan has given up."""
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def region_of(phone: str) -> str:
    """Of a number with its country code: `DE`; empty when it belongs to none."""
    number = _parsed("+" + phone.lstrip("+"))
    return phonenumbers.region_code_for_country_code(number.country_code or 0) or "" if number else ""


def understood(text: str, region: str = "") -> str | None:
    """Digits with the country code; None for what is no phone number, or could be two."""
    compact = _compact(text)
    if compact is None:
        return None
    if compact.startswith("+"):
        return _international(compact)
    at_home = _at_home(compact, region)
    if compact.startswith("0"):
        return _digits(at_home) if at_home else None
    abroad = _parsed("+" + compact)
    if at_home is None:
        return _international("+" + compact)
    if abroad is None or not phonenumbers.is_valid_number(abroad):
        return _digits(at_home)
    if abroad.country_code == at_home.country_code or phonenumbers.number_type(at_home) not in _MOBILE:
        return _international("+" + compact)
    groups = _groups(text)
    landline = phonenumbers.number_type(abroad) not in _MOBILE and groups[0] != str(abroad.country_code)
    return _digits(at_home) if landline or groups == _groups(_as_at_home(at_home)) else None


def is_valid(digits: str) -> bool:
    """Whether the numbering plan of the country has such a number."""
    number = _parsed("+" + digits)
    return number is not None and phonenumbers.is_valid_number(number)


def _groups(text: str) -> list[str]:
    return re.findall(r"\d+", _plain(text))


def _as_at_home(number: PhoneNumber) -> str:
    """Grouped as people dial it in its country, without the zero in front."""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL).lstrip("0")


def _plain(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text.strip()).removeprefix("tel:")


def _compact(text: str) -> str | None:
    compact = _MARKS.sub("", _plain(text))
    compact = "+" + compact[2:] if compact.startswith("00") else compact
    return compact if _COMPACT.fullmatch(compact) else None


def _international(compact: str) -> str | None:
    number = _parsed(compact)
    typed = compact[1:]
    if number is None or not _SHORTEST <= len(typed) <= _LONGEST:
        return None
    if not phonenumbers.is_possible_number(number) and not _MEXICAN_MOBILE.fullmatch(typed):
        return None
    return typed if number.country_code in _AS_TYPED else _digits(number)


def _at_home(compact: str, region: str) -> PhoneNumber | None:
    number = _parsed(compact, region) if region else None
    return number if number is not None and phonenumbers.is_valid_number(number) else None


def _parsed(compact: str, region: str | None = None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(compact, region)
    except phonenumbers.NumberParseException:
        return None
    return None if number.extension else number


def _digits(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
