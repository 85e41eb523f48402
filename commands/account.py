"""`account yes|no`: what the two buttons below the first question of the setup channel say. Not listed by `help`."""

from __future__ import annotations

from bot.chatops.command import Command, Desk, Press, Reply, Words, typed

CONNECT = Press(Words("account.connect"), typed("connect"))


async def answer(desk: Desk, args: tuple[str, ...]) -> Reply:
    match [word.casefold() for word in args]:
        case ["yes"]:
            return Reply("account.yes", buttons=(CONNECT,))
        case ["no"]:
            sign_up = Press(Words("account.sign_up"), opens=desk.house.signup_url)
            return Reply("account.no", buttons=(sign_up, CONNECT), link=desk.house.signup_url)
    return question()


def question() -> Reply:
    buttons = (
        Press(Words("account.button.yes"), typed("account", "yes")),
        Press(Words("account.button.no"), typed("account", "no")),
    )
    return Reply("account.question", buttons=buttons)


COMMAND = Command(name="account", open=answer, listed=False)
