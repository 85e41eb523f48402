"""Which news of the account somebody has to look at, and in which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.whatsapp.account_news import trouble

PROMO = {"message_template_name": "promo", "message_template_language": "en"}


@pytest.mark.parametrize(
    ("field", "item", "said"),
    [
        ("message_template_status_update", {**PROMO, "event": "REJECTED", "reason": "INVALID_FORMAT"},
         "promo (en) · REJECTED · INVALID_FORMAT"),
        ("message_template_status_update",
         {**PROMO, "event": "PAUSED", "reason": "NONE", "other_info": {"description": "Paused\nfor 3 hours"}},
         "promo (en) · PAUSED · Paused for 3 hours"),
        ("message_template_status_update", {**PROMO, "event": "APPROVED", "reason": "NONE"}, ""),
        ("message_template_quality_update", {**PROMO, "new_quality_score": "RED"}, "promo (en) · quality RED"),
        ("message_template_quality_update", {**PROMO, "new_quality_score": "GREEN"}, ""),
        ("template_category_update", {**PROMO, "previous_category": "UTILITY", "new_category": "MARKETING"},
         "promo (en) · UTILITY → MARKETING"),
        ("account_update", {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "ADULT"}},
         "ACCOUNT_VIOLATION · ADULT"),
        ("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "R1"}, 5]},
         "ACCOUNT_RESTRICTION · R1"),
        ("account_update", {"event": "VERIFIED_ACCOUNT"}, ""),
        ("account_alerts", {"alert_severity": "CRITICAL", "alert_type": "T", "alert_description": "D"}, "T · D"),
        ("account_alerts", {"alert_severity": "INFORMATIONAL", "alert_description": "D"}, ""),
        ("account_review_update", {"decision": "REJECTED"}, "account review · REJECTED"),
        ("phone_number_name_update", {"decision": "APPROVED", "requested_verified_name": "Shop"}, ""),
        ("phone_number_quality_update", {"event": "DOWNGRADE", "old_limit": "TIER_1K", "current_limit": "TIER_250"},
         "DOWNGRADE · TIER_1K → TIER_250"),
        ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE"}, ""),
        ("moon_phase", {"event": "DISABLED_UPDATE"}, ""),
    ],
)  # fmt: skip
def test_bad_news_is_told_in_whatsapps_words_and_good_news_is_not(field: str, item: dict[str, Any], said: str) -> None:
    assert trouble({"field": field, "item": item}) == said


FIELDS = ["message_template_status_update", "account_update", "account_alerts", "template_category_update"]
KEYS = ["event", "restriction_info", "rejection_info", "other_info", "decision", "new_category"]
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@given(st.sampled_from(FIELDS), JSON)
def test_no_shape_raises(field: str, item: Any) -> None:
    assert len(trouble({"field": field, "item": item})) <= 300
