"""From facts to findings. Pure.

What the account needs is rocketchat-facts' least set (Rocket.Chat 8.3 `app/authorization/server/constant/
permissions.ts` and the checks of the routes that this bot calls). A permission that the workspace does not know is
not missed: versions differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from bot.chatops.command import SLASH
from bot.chatops.setup_channel import SLASH_SETTING
from bot.doctor.facts import AddressFacts, Answer, Facts, HouseFacts, NumberFacts, WorkspaceFacts
from bot.ports import Finding, Verdict
from bot.translations import own_names

OLDEST = 7
"""Major version of Rocket.Chat that this bot was made for at the least."""
NEEDED: tuple[tuple[str, ...], ...] = (
    ("view-livechat-rooms",),
    ("view-l-room",),
    ("view-livechat-departments", "view-l-room"),
    ("transfer-livechat-guest", "edit-omnichannel-contact"),
    ("create-p",),
    ("view-joined-room", "view-p-room"),
    ("send-many-messages",),
)
"""One of each."""
BYPASS = "api-bypass-rate-limit"
TOO_MUCH_ROLES = ("admin", "livechat-agent", "livechat-monitor", "moderator", "owner")
TOO_MUCH = (
    "access-permissions", "assign-admin-role", "assign-roles", "create-user", "delete-user", "edit-other-user-info",
    "edit-other-user-password", "edit-privileged-setting", "manage-apps", "manage-integrations", "run-import",
    "user-generate-access-token", "view-full-other-user-info", "view-privileged-setting",
)  # fmt: skip
"""What opens the workspace to whoever steals the bot's token."""
SETTINGS = ("Livechat_enabled", "Livechat_Routing_Method", "Livechat_accept_chats_with_no_agents", SLASH_SETTING)

_SKEW = 30.0
_MB = 1024 * 1024
_LOW_DISK, _SCARCE_DISK = 200 * _MB, 1024 * _MB
_SLOW_WRITE = 50.0
_EXPIRES_SOON = 21 * 86400.0


def judge(facts: Facts) -> list[Finding]:
    """In the order in which an admin would mend things."""
    return [
        *_house(facts.house),
        *_workspace(facts.workspace),
        *_dialog360(facts),
        *_address(facts.address, facts.house, facts.now),
        *_clock(facts),
    ]


def worst(findings: list[Finding]) -> Verdict:
    verdicts = {finding.verdict for finding in findings}
    return "problem" if "problem" in verdicts else "hint" if "hint" in verdicts else "fine"


def _fine(check: str, key: str, **values: str | int) -> Finding:
    return Finding(check, "fine", f"doctor.{key}", values)


def _hint(check: str, key: str, **values: str | int) -> Finding:
    return Finding(check, "hint", f"doctor.{key}", values, f"doctor.{key}.fix")


def _problem(check: str, key: str, **values: str | int) -> Finding:
    return Finding(check, "problem", f"doctor.{key}", values, f"doctor.{key}.fix")


# --- this machine ---------------------------------------------------------------------------------------------------


def _house(house: HouseFacts) -> Iterator[Finding]:
    yield _fine("configuration", "config_ok")
    if house.incomplete:
        yield _problem("languages", "languages_missing", names=", ".join(sorted(house.incomplete)))
    else:
        yield _fine("languages", "languages_ok", count=house.languages)
    if house.unknown_language:
        yield _hint("language", "language_unknown", name=house.unknown_language, names=", ".join(sorted(own_names())))
    yield _key_file(house)
    yield _disk(house)
    yield _store(house)
    if house.dead:
        ask = f"{SLASH} status" if house.running else "python -m bot dead"
        yield _hint("dead letters", "dead", count=house.dead, command=ask)
    yield _fine("bot", "running") if house.running else _hint("bot", "stopped", command="python -m bot run")


def _key_file(house: HouseFacts) -> Finding:
    match house.key:
        case "fine":
            return _fine("key file", "key_ok", file=house.key_file)
        case "new":
            return _fine("key file", "key_new", file=house.key_file)
    return _problem("key file", "key_bad", said=house.key_said)


def _disk(house: HouseFacts) -> Finding:
    free, ms = house.free // _MB, max(1, round(house.write_ms))
    if house.disk:
        return _problem("disk", "disk_failed", folder=house.folder, said=house.disk)
    if house.free < _LOW_DISK:
        return _problem("disk", "disk_low", folder=house.folder, free=free)
    if house.free < _SCARCE_DISK:
        return _hint("disk", "disk_low", folder=house.folder, free=free)
    if house.write_ms > _SLOW_WRITE:
        return _hint("disk", "disk_slow", folder=house.folder, ms=ms)
    return _fine("disk", "disk_ok", free=free, ms=ms)


def _store(house: HouseFacts) -> Finding:
    match house.store:
        case "new":
            return _fine("database", "database_new", name=house.where)
        case "unchecked":
            return _hint("database", "database_unchecked", name=house.where)
        case "bad":
            return _problem("database", "database_bad", said=house.said)
    return _fine("database", "database_ok", name=house.where, format=house.format, waiting=house.waiting)


# --- Rocket.Chat ----------------------------------------------------------------------------------------------------


def _workspace(found: WorkspaceFacts) -> Iterator[Finding]:
    if found.answer.said:
        yield _problem("rocketchat", "rocketchat_away", url=found.url, said=found.answer.said)
        return
    yield _version(found.version)
    if not found.username:
        said = found.login or "?"
        yield _problem("login", "login_refused", said=said)
        return
    yield _fine("login", "login_ok", name=found.username)
    yield from _permissions(found)
    yield from _omnichannel(found)
    slash = found.settings.get(SLASH_SETTING)
    if slash is False:
        yield _hint("slash commands", "slash_off", setting=SLASH_SETTING)
    elif slash is True:
        yield _fine("slash commands", "slash_ok")
    if found.setup_found and found.setup_people == 0:
        yield _hint("setup channel", "setup_alone", name=found.setup_channel, bot=found.username)
    elif found.setup_found:
        yield _fine("setup channel", "setup_ok", name=found.setup_channel)
    elif found.setup_found is False:
        yield _hint("setup channel", "setup_missing", name=found.setup_channel)


def _version(version: str) -> Finding:
    major = re.match(r"\d+", version)
    if major and int(major[0]) < OLDEST:
        return _problem("rocketchat", "rocketchat_old", version=version, oldest=f"{OLDEST}.0")
    return _fine("rocketchat", "rocketchat_ok", version=version or "?")


def _permissions(found: WorkspaceFacts) -> Iterator[Finding]:
    table = found.permissions
    if table is None:
        yield _hint("permissions", "permissions_unknown", name=found.username)
        return
    held = {name for name, roles in table.items() if roles & found.roles}
    missing = [
        " / ".join(known)
        for group in NEEDED
        if (known := [name for name in group if name in table]) and not held.intersection(known)
    ]
    if missing:
        yield _problem("permissions", "permissions_missing", name=found.username, missing=", ".join(missing))
    else:
        yield _fine("permissions", "permissions_ok", name=found.username)
    too_much = [*(role for role in TOO_MUCH_ROLES if role in found.roles), *(name for name in TOO_MUCH if name in held)]
    if too_much:
        yield _hint("least privilege", "too_much", name=found.username, names=", ".join(too_much))
    else:
        yield _fine("least privilege", "not_too_much", name=found.username)
    if BYPASS in held:
        yield _fine("rate limit", "limit_ok")
    elif BYPASS in table:
        yield _problem("rate limit", "limited", name=found.username, permission=BYPASS)


def _omnichannel(found: WorkspaceFacts) -> Iterator[Finding]:
    if found.settings.get("Livechat_enabled") is False:
        yield _problem("omnichannel", "omnichannel_off")
        return
    if "Livechat_enabled" in found.settings:
        routing = str(found.settings.get("Livechat_Routing_Method") or "?").replace("_", " ")
        yield _fine("omnichannel", "omnichannel_ok", routing=routing)
    if found.agents is None or found.available is None:
        return
    waits = found.settings.get("Livechat_accept_chats_with_no_agents") is not True
    if not found.agents:
        yield _problem("agents", "agents_none")
    elif not found.available and waits:
        yield _hint("agents", "agents_away", count=found.agents)
    else:
        yield _fine("agents", "agents_ok", available=found.available, count=found.agents)


# --- 360Dialog ------------------------------------------------------------------------------------------------------


def _dialog360(facts: Facts) -> Iterator[Finding]:
    if facts.dialog360.said:
        yield _problem("360dialog", "dialog360_away", url=facts.dialog360_url, said=facts.dialog360.said)
        return
    yield _fine("360dialog", "dialog360_ok")
    if not facts.numbers:
        yield _hint("numbers", "no_numbers", command=f"{SLASH} connect")
    for number in facts.numbers:
        yield _number(number)
        yield from _hook(number)
        if not number.key_refused:
            yield _heard(number)


def _number(number: NumberFacts) -> Finding:
    check, phone, health = f"number {number.phone}", number.phone, number.health
    if number.key_refused:
        return _problem(check, "number_key", phone=phone)
    if health is None:
        return _problem(check, "number_away", phone=phone, said=number.said)
    problems = "; ".join(health.problems) or health.can_send
    if health.can_send == "BLOCKED":
        return _problem(check, "number_blocked", phone=phone, said=problems)
    if health.can_send == "LIMITED":
        return _hint(check, "number_limited", phone=phone, said=problems)
    if health.quality == "RED":
        return _hint(check, "number_quality", phone=phone)
    return _fine(check, "number_medium" if health.quality == "YELLOW" else "number_ok", phone=phone)


def _hook(number: NumberFacts) -> Iterator[Finding]:
    check, command = f"webhook {number.phone}", " ".join((SLASH, "numbers", "reconnect", number.phone))
    match number.hook:
        case "us" if number.hook_secret is False:
            yield _problem(check, "hook_secret", phone=number.phone, command=command)
        case "us":
            yield _fine(check, "hook_ours", phone=number.phone)
        case "nobody":
            yield _problem(check, "hook_none", phone=number.phone, command=command)
        case "other":
            yield _problem(check, "hook_other", phone=number.phone, address=number.hook_shown, command=command)


def _heard(number: NumberFacts) -> Finding:
    check = f"last webhook {number.phone}"
    if not number.heard_at:
        return _hint(check, "heard_never", phone=number.phone)
    when = datetime.fromtimestamp(number.heard_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return _fine(check, "heard", phone=number.phone, when=when)


# --- the public address ---------------------------------------------------------------------------------------------


def _address(found: AddressFacts, house: HouseFacts, now: float) -> Iterator[Finding]:
    check = "public address"
    if found.loopback:
        yield _hint(check, "address_loopback", url=found.url)
    if found.unresolved:
        yield _problem(check, "address_unresolved", host=found.host, said=found.unresolved)
        return
    if found.tls:
        yield _problem(check, "address_tls", host=found.host, said=found.tls)
        return
    if not found.loopback and found.addresses and all(ip_address(one).is_private for one in found.addresses):
        yield _hint(check, "address_private", host=found.host, addresses=", ".join(found.addresses))
    if found.valid_until:
        day = datetime.fromtimestamp(found.valid_until, UTC).strftime("%Y-%m-%d")
        soon = found.valid_until - now < _EXPIRES_SOON
        yield (_hint if soon else _fine)("certificate", "tls_soon" if soon else "tls_ok", host=found.host, day=day)
    if found.ours:
        yield _fine(check, "address_ok", url=found.url)
    elif found.said:
        yield _problem(check, "address_away", url=found.url, said=found.said)
    elif not found.served:
        yield _hint(check, "address_unserved", url=found.url, command="python -m bot run")
    else:
        yield _problem(check, "address_other", url=found.url, status=found.status)


def _clock(facts: Facts) -> Iterator[Finding]:
    told: list[tuple[str, Answer]] = [("Rocket.Chat", facts.workspace.answer), ("360Dialog", facts.dialog360)]
    seen = [(name, answer.ahead) for name, answer in told if answer.ahead is not None]
    for name, ahead in seen:
        if abs(ahead) > _SKEW:
            yield _problem("clock", "clock_off", server=name, seconds=round(abs(ahead)))
    if seen and all(abs(ahead) <= _SKEW for _, ahead in seen):
        yield _fine("clock", "clock_ok")
