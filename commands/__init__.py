"""The table of contents of `/whatsapp-360d-cloud`: one value of type Command for each, in the order of `help`."""

from bot.chatops.command import Command
from commands import (
    account,
    audit,
    connect,
    doctor,
    endpoints,
    help,
    numbers,
    send_template,
    settings,
    status,
    support,
    view_templates,
)

ALL: tuple[Command, ...] = (
    connect.COMMAND,
    numbers.COMMAND,
    view_templates.COMMAND,
    send_template.COMMAND,
    settings.COMMAND,
    status.COMMAND,
    doctor.COMMAND,
    audit.COMMAND,
    support.COMMAND,
    help.COMMAND,
    account.COMMAND,
    endpoints.COMMAND,
)
