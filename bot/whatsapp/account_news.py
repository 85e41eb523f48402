"""What WhatsApp tells of templates and of the account itself that somebody has to look at. Pure.

Shapes: Meta, whatsapp/webhooks/reference (message_template_status_update, template_category_update, account_update,
account_alerts, account_review_update, phone_number_name_update, phone_number_quality_update). Good news and news that
change nothing are left to the lists that show how things are. WhatsApp sends these for the whole account, so they come
here only where the account's own webhook leads to this bot too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.whatsapp.raw import obj, text

_TEMPLATE = frozenset({"REJECTED", "PAUSED", "DISABLED", "FLAGGED", "PENDING_DELETION"})
_ACCOUNT = frozenset(
    {"ACCOUNT_DELETED", "ACCOUNT_RESTRICTION", "ACCOUNT_VIOLATION", "DISABLED_UPDATE", "PARTNER_REMOVED"}
)
_QUALITY = frozenset({"DOWNGRADE", "FLAGGED"})


def trouble(body: Mapping[str, Any]) -> str:
    """A `wa.other` body in WhatsApp's own words; empty when nobody has to do anything about it."""
    field, item = text(body.get("field")), obj(body.get("item"))
    event, decision = text(item.get("event")).upper(), text(item.get("decision")).upper()
    match field:
        case "message_template_status_update" if event in _TEMPLATE:
            why = (obj(item.get("rejection_info")).get("reason"), obj(item.get("other_info")).get("description"))
            return _line(_template(item), event, *(why if any(map(text, why)) else (item.get("reason"),)))
        case "message_template_quality_update" if text(item.get("new_quality_score")).upper() == "RED":
            return _line(_template(item), "quality RED")
        case "template_category_update" if item.get("new_category") and item.get("previous_category"):
            return _line(_template(item), f"{text(item.get('previous_category'))} → {text(item.get('new_category'))}")
        case "account_update" if event in _ACCOUNT:
            return _line(event, obj(item.get("violation_info")).get("violation_type"), *_restrictions(item))
        case "account_alerts" if text(item.get("alert_severity")).upper() in ("CRITICAL", "WARNING"):
            return _line(item.get("alert_type"), item.get("alert_description"))
        case "account_review_update" if decision == "REJECTED":
            return _line("account review", decision)
        case "phone_number_name_update" if decision == "REJECTED":
            return _line(item.get("requested_verified_name"), decision, item.get("rejection_reason"))
        case "phone_number_quality_update" if event in _QUALITY:
            limits = filter(None, (text(item.get("old_limit")), text(item.get("current_limit"))))
            return _line(event, " → ".join(limits))
    return ""


def _template(item: Mapping[str, Any]) -> str:
    name, language = text(item.get("message_template_name")), text(item.get("message_template_language"))
    return f"{name} ({language})" if language else name


def _restrictions(item: Mapping[str, Any]) -> list[object]:
    told = item.get("restriction_info")
    return [obj(one).get("restriction_type") for one in told] if isinstance(told, list) else []


def _line(*words: object) -> str:
    said = (" ".join(text(word).split()) for word in words)
    return " · ".join(one for one in said if one and one != "NONE")[:300]
