"""Facts in, findings out: every bad case, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.chatops.command import SLASH
from bot.chatops.setup_channel import SLASH_SETTING
from bot.doctor.facts import AddressFacts, Answer, Facts, HouseFacts, NumberFacts, WorkspaceFacts
from bot.doctor.judge import NEEDED, SETTINGS, TOO_MUCH, judge, worst
from bot.model import Health
from bot.ports import Finding
from bot.translations import catalogues, translator

NOW = 1_800_000_000.0
DAY = 86400.0
PHONE = "+4915112345678"
BOT, ADMIN = frozenset({"bot", "livechat-manager", "user"}), frozenset({"admin"})
TABLE = {
    **{name: frozenset({"livechat-manager", "admin"}) for group in NEEDED for name in group},
    **dict.fromkeys(TOO_MUCH, ADMIN),
    "api-bypass-rate-limit": frozenset({"bot"}),
}
HOUSE = HouseFacts("data", free=10**11, write_ms=1.2, where="data/journal.sqlite3", format=1, languages=8, key_file="k")
WORKSPACE = WorkspaceFacts(
    url="https://chat.example.com",
    answer=Answer(ahead=0.4),
    version="8.3.0",
    username="bot",
    roles=BOT,
    permissions=TABLE,
    settings={**dict.fromkeys(SETTINGS, True), "Livechat_Routing_Method": "Auto_Selection"},
    agents=3,
    available=2,
    setup_channel="setup",
    setup_found=True,
    setup_people=1,
)
NUMBER = NumberFacts(PHONE, Health("AVAILABLE", quality="GREEN"), hook="us", heard_at=NOW - 60)
ADDRESS = AddressFacts(
    "https://bot.example.com", "bot.example.com", addresses=("8.8.8.8",),
    valid_until=NOW + 60 * DAY, status=200, ours=True,
)  # fmt: skip
FINE = Facts(NOW, HOUSE, WORKSPACE, Answer(ahead=-0.2), "https://360", (NUMBER,), ADDRESS)


def house(**changes: Any) -> Facts:
    return replace(FINE, house=replace(HOUSE, **changes))


def workspace(**changes: Any) -> Facts:
    return replace(FINE, workspace=replace(WORKSPACE, **changes))


def number(**changes: Any) -> Facts:
    return replace(FINE, numbers=(replace(NUMBER, **changes),))


def address(**changes: Any) -> Facts:
    return replace(FINE, address=replace(ADDRESS, **changes))


def setting(name: str, value: object) -> Facts:
    return workspace(settings={**WORKSPACE.settings, name: value})


def without(*permissions: str) -> dict[str, frozenset[str]]:
    return {name: frozenset() if name in permissions else roles for name, roles in TABLE.items()}


def bad(facts: Facts) -> dict[str, Finding]:
    return {one.says.removeprefix("doctor."): one for one in judge(facts) if one.verdict != "fine"}


def test_when_all_is_well_every_check_says_so() -> None:
    found = judge(FINE)

    assert {one.verdict for one in found} == {"fine"}
    assert worst(found) == "fine"
    assert len({one.check for one in found}) == len(found) >= 20


PROBLEMS: dict[str, Facts] = {
    "languages_missing": house(incomplete={"hi": 3}),
    "key_bad": house(key="bad", key_said="Others can read the key file"),
    "disk_failed": house(disk="Permission denied"),
    "disk_low": house(free=100 * 1024 * 1024),
    "database_bad": house(store="bad", said="damaged"),
    "rocketchat_away": workspace(answer=Answer("timeout")),
    "rocketchat_old": workspace(version="6.13"),
    "login_refused": workspace(username="", login="unauthorized"),
    "permissions_missing": workspace(permissions=without("view-livechat-rooms")),
    "limited": workspace(permissions=without("api-bypass-rate-limit")),
    "omnichannel_off": setting("Livechat_enabled", False),
    "agents_none": workspace(agents=0, available=0),
    "dialog360_away": replace(FINE, dialog360=Answer("refused")),
    "number_key": number(key_refused=True, health=None, hook="unknown"),
    "number_away": number(health=None, said="Trouble: HTTP 500", hook="unknown"),
    "number_blocked": number(health=Health("BLOCKED", problems=("no payment",))),
    "hook_none": number(hook="nobody"),
    "hook_secret": number(hook="us", hook_secret=False),
    "hook_other": number(hook="other", hook_shown="old.example.com/hook"),
    "address_unresolved": address(unresolved="Name or service not known", ours=False),
    "address_tls": address(tls="certificate has expired", ours=False),
    "address_away": address(said="refused", ours=False),
    "address_other": address(ours=False, status=404),
    "clock_off": workspace(answer=Answer(ahead=120.0)),
}
HINTS: dict[str, Facts] = {
    "disk_low": house(free=500 * 1024 * 1024),
    "language_unknown": house(unknown_language="Klingon"),
    "disk_slow": house(write_ms=80.0),
    "database_unchecked": house(store="unchecked"),
    "dead": house(dead=2),
    "stopped": house(running=False),
    "permissions_unknown": workspace(permissions=None),
    "too_much": workspace(roles=BOT | {"admin"}),
    "agents_away": workspace(
        available=0, settings={**WORKSPACE.settings, "Livechat_accept_chats_with_no_agents": False}
    ),
    "slash_off": setting(SLASH_SETTING, False),
    "setup_missing": workspace(setup_found=False),
    "setup_alone": workspace(setup_people=0),
    "no_numbers": replace(FINE, numbers=()),
    "number_limited": number(health=Health("LIMITED")),
    "number_quality": number(health=Health("AVAILABLE", quality="RED")),
    "heard_never": number(heard_at=0.0),
    "address_loopback": address(loopback=True),
    "address_private": address(addresses=("10.0.0.1",)),
    "tls_soon": address(valid_until=NOW + 5 * DAY),
    "address_unserved": address(ours=False, served=False, status=502),
}  # fmt: skip


def test_what_was_given_up_is_tried_again_in_chat_while_the_bot_runs() -> None:
    """The command line cannot do it then: the bot holds the journal."""
    for facts, command in ((house(dead=2), f"{SLASH} status"), (house(dead=2, running=False), "python -m bot dead")):
        [found] = [one for one in judge(facts) if one.check == "dead letters"]
        assert found.values["command"] == command


def test_a_medium_quality_is_fine_and_said() -> None:
    found = judge(number(health=Health("AVAILABLE", quality="YELLOW")))

    assert "doctor.number_medium" in [one.says for one in found if one.verdict == "fine"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_found_alone_and_says_what_to_do(name: str) -> None:
    found = bad(PROBLEMS[name])

    assert list(found) == [name]
    assert found[name].verdict == worst(judge(PROBLEMS[name])) == "problem"
    assert found[name].fix == f"doctor.{name}.fix"


@pytest.mark.parametrize("name", HINTS)
def test_a_hint_is_found_alone_and_is_no_problem(name: str) -> None:
    found = bad(HINTS[name])

    assert list(found) == [name]
    assert found[name].verdict == worst(judge(HINTS[name])) == "hint"
    assert found[name].fix == f"doctor.{name}.fix"


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_every_gap_of_every_text_is_filled(language: str) -> None:
    t = translator(language)
    for facts in (FINE, *PROBLEMS.values(), *HINTS.values(), house(key="new", store="new")):
        for one in judge(facts):
            for key in filter(None, (one.says, one.fix)):
                assert "{" not in t(key, **one.values), key


def test_missing_permissions_are_named_and_one_of_two_is_enough() -> None:
    gone = bad(workspace(permissions=without("view-livechat-rooms", "transfer-livechat-guest", "create-p")))
    assert gone["permissions_missing"].values["missing"] == "view-livechat-rooms, create-p"

    both = bad(workspace(permissions=without("transfer-livechat-guest", "edit-omnichannel-contact")))
    assert both["permissions_missing"].values["missing"] == "transfer-livechat-guest / edit-omnichannel-contact"


def test_a_permission_that_this_version_does_not_have_is_not_missed() -> None:
    newer = ("send-many-messages", "api-bypass-rate-limit")
    table = {name: roles for name, roles in TABLE.items() if name not in newer}

    assert bad(workspace(permissions=table)) == {}


def test_superfluous_roles_and_permissions_are_named() -> None:
    names = str(bad(workspace(roles=BOT | {"admin", "livechat-agent"}))["too_much"].values["names"]).split(", ")

    assert names[:2] == ["admin", "livechat-agent"]
    assert {"edit-privileged-setting", "create-user"} < set(names)


def test_nothing_is_asked_of_a_workspace_that_is_away_or_turns_us_away() -> None:
    for facts in (workspace(answer=Answer("timeout")), workspace(username="", login="no")):
        assert not {"permissions", "omnichannel", "setup channel"} & {one.check for one in judge(facts)}


def test_a_workspace_that_takes_conversations_without_agents_needs_none_available() -> None:
    assert bad(workspace(available=0)) == {}


def test_the_fix_of_a_webhook_is_a_command_that_can_be_copied() -> None:
    found = bad(number(hook="nobody"))["hook_none"]

    assert f"`/whatsapp-360d-cloud numbers reconnect {PHONE}`" in translator("en")(found.fix, **found.values)
