"""How WhatsApp writes a phone number: the `wa_id` may differ from what was dialled.

Meta, "Send messages": Brazilian and Mexican prefixes may be rewritten. Brazil often loses the mobile ninth digit,
Mexico gains a 1 after 52, Argentina a 9 after 54 in place of the 15 before the subscriber number.
"""

from __future__ import annotations

import re

BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
"""A business-scoped user id (Meta: business-scoped-user-ids)."""

_COUNTRIES = {
    "1": "US", "44": "GB", "49": "DE", "34": "ES", "33": "FR", "39": "IT", "52": "MX",
    "54": "AR", "55": "BR", "57": "CO", "58": "VE", "91": "IN", "971": "AE",
}  # fmt: skip


def digits_of(phone: str) -> str | None:
    """The digits of a dialled number, or None when it is none. Plus, spaces, dots, dashes, brackets are punctuation."""
    if not re.fullmatch(r"\+?[\d\s().-]+", phone):
        return None
    digits = re.sub(r"\D", "", phone)
    return digits if 7 <= len(digits) <= 15 else None


def wa_id_of(digits: str) -> str:
    """The id under which WhatsApp knows this number."""
    if re.fullmatch(r"55\d\d9[6-9]\d{7}", digits):
        return digits[:4] + digits[5:]
    if re.fullmatch(r"52[2-9]\d{9}", digits):
        return "521" + digits[2:]
    if domestic := re.fullmatch(r"54(\d{2,4})15(\d{6,8})", digits):
        area, subscriber = domestic.groups()
        if len(area + subscriber) == 10:
            return f"549{area}{subscriber}"
    if re.fullmatch(r"54[1-8]\d{9}", digits):
        return "549" + digits[2:]
    return digits


def country_of(digits: str) -> str:
    """Two letters for the head of a user id."""
    return next((code for length in (3, 2, 1) if (code := _COUNTRIES.get(digits[:length]))), "US")
