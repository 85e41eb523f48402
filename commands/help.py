"""`help`: what the person may do here, computed from the commands themselves. Also the answer to an empty command.

In a customer's room it lists what works there: agents are in no setup channel, and have no other way to learn of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.chatops.command import BANG, SLASH, Command, Desk, Press, Reply, Value, Words, nearest, typed
from bot.errors import BotError


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    here = desk.customer is not None
    listed = [command for command in desk.commands if command.listed and (command.place != "setup" or not here)]
    allowed = listed if here else await _allowed(desk, listed)
    one = nearest(args[0], allowed) if args else None
    shown = [one] if one else allowed
    rows: list[dict[str, Value]] = []
    for command in shown:
        rows.append({"typed": f"{SLASH} {command.name}", "summary": Words(command.summary)})
        examples = () if here else command.examples if one else command.examples[:1]  # they name a recipient
        rows += ({"example": f"{SLASH} {command.name} {example}"} for example in examples)
    buttons = tuple(
        Press(Words("command.button", {"name": command.name}), typed(command.name))
        for command in shown
        if command.name != "help"
    )
    values: dict[str, Value] = {
        "roles": ", ".join(desk.house.roles),
        "all": int(allowed == listed and not here),
        "more": "" if one else f"{SLASH} help {shown[0].name}",
        "bang": BANG,
        "there": "" if one or here else _for_conversations(desk),
    }
    return Reply("help.list", values, tuple(rows), buttons, layout="help")


def _for_conversations(desk: Desk) -> str:
    """What agents may use in a customer's room, whatever they may use elsewhere."""
    names = [command.name for command in desk.commands if command.listed and command.place == "customer"]
    return ", ".join(f"`{SLASH} {name}`" for name in names if name != "help")


async def _allowed(desk: Desk, commands: Sequence[Command]) -> list[Command]:
    """Each set of roles is asked about once. Not knowing is not allowing; help itself is for everybody."""
    may: dict[tuple[str, ...] | None, bool] = {(): True}
    for command in commands:
        if command.roles not in may:
            try:
                may[command.roles] = await desk.may(command)
            except BotError:
                may[command.roles] = False
    return [command for command in commands if may[command.roles]]


COMMAND = Command(name="help", summary="help.summary", open=show, roles=(), place="customer")
