"""The doctor in chat: for those who may, the worst first, never longer than a message may be."""

from __future__ import annotations

from bot.ports import Finding
from tests.chatops.desk import Scene, labels

CALL = "!whatsapp-360d-cloud doctor"
LONG = "https://" + "long-name." * 20 + "example.com"


async def test_it_is_not_for_everybody(scene: Scene) -> None:
    scene.findings = [Finding("login", "fine", "doctor.login_ok", {"name": "wa.bot"})]

    told = (await scene.one("doctor", user="eve", room="dm-eve", room_type="d")).text

    assert "wa.bot" not in told and "admin, livechat-manager" in told


async def test_problems_come_first_then_hints_then_what_is_fine(scene: Scene) -> None:
    scene.findings = [
        Finding("bot", "fine", "doctor.running"),
        Finding("slash commands", "hint", "doctor.slash_off", {"setting": "X"}, "doctor.slash_off.fix"),
        Finding("omnichannel", "problem", "doctor.omnichannel_off", {}, "doctor.omnichannel_off.fix"),
    ]

    post = await scene.one(CALL)

    assert [line[:14] for line in post.text.splitlines() if line.startswith("- ")] == [
        "- **Problem**:", "- **Hint**: Sl", "- The bot is r",
    ]  # fmt: skip
    assert "Switch it on under Administration > Settings > Omnichannel." in post.text
    assert labels(post) == ["Check again", "Show numbers"]


async def test_what_other_servers_said_cannot_mention_or_mark_up(scene: Scene) -> None:
    values = {"url": "https://x", "said": "@all **bold** [a](https://evil)"}
    scene.findings = [Finding("360dialog", "problem", "doctor.dialog360_away", values, "doctor.dialog360_away.fix")]

    told = (await scene.one(CALL)).text

    assert "@all" not in told and "[a](" not in told


async def test_very_much_is_cut_and_says_where_all_of_it_is(scene: Scene) -> None:
    values = {"phone": "+4915112345678", "address": LONG, "command": f"{CALL} numbers reconnect +4915112345678"}
    one = Finding("webhook", "problem", "doctor.hook_other", values, "doctor.hook_other.fix")
    scene.findings = [one] * 40

    told = (await scene.one(CALL)).text

    assert "Findings that are not shown here: 30. `python -m bot doctor` shows all." in told
    assert len(told) < 5000
