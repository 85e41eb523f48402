"""The table of contents of `/whatsapp-360d-cloud`: one value of type Command in each file, in the order of `help`."""

from bot.chatops.command import Command
from commands import account, connect, help, numbers

ALL: tuple[Command, ...] = (
    connect.COMMAND,
    numbers.COMMAND,
    help.COMMAND,
    account.COMMAND,
)
