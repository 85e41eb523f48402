"""`help`: what there is, computed from the commands themselves. For everybody; also the answer to an empty command."""

from __future__ import annotations

from bot.chatops.command import BANG, SLASH, Command, Desk, Press, Reply, Value, Words, typed


async def show(desk: Desk, args: tuple[str, ...]) -> Reply:
    listed = [command for command in desk.commands if command.listed]
    wanted = [command for command in listed if args and command.name == args[0].casefold()]
    rows: tuple[dict[str, Value], ...] = tuple(
        {
            "typed": f"{SLASH} {command.name}",
            "summary": Words(command.summary),
            "examples": ", ".join(f"{SLASH} {command.name} {example}" for example in command.examples),
        }
        for command in wanted or listed
    )
    buttons = tuple(
        Press(Words("command.button", {"name": command.name}), typed(command.name))
        for command in listed
        if command.name != "help"
    )
    roles = ", ".join(desk.house.roles)
    return Reply("help.list", {"roles": roles, "bang": BANG}, rows, buttons, layout="help")


COMMAND = Command(name="help", summary="help.summary", open=show, roles=(), place="setup")
