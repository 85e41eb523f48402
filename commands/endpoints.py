"""`endpoints`: the addresses that other systems call, with the access token in them. Not listed by `help`.

A form that asks nothing: its page shows the addresses, behind a link that only this person got and that ends soon.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.chatops.command import Act, Command, Desk, Press, Reply, Words, typed
from bot.chatops.form import Answers, Field, Form, Opening, Review

SHOW = Press(Words("endpoints.button"), typed("endpoints"))


async def open_form(_: Desk, args: tuple[str, ...]) -> Opening:
    return Opening(FORM, did=Act("endpoints"))


async def questions(desk: Desk, _: Answers) -> Sequence[Field]:
    house = desk.house
    private = f"{house.public_url}/api/apps/private/{house.app_id}/{house.api_token}"
    public = f"{house.public_url}/api/apps/public/{house.app_id}"
    where = Words("endpoints.configured" if house.token_is_configured else "endpoints.made")
    return (
        Field(
            "template_message", "shown", "endpoints.template_message", "endpoints.template_message.help",
            default=f"{private}/templateMessage", note=where,
        ),
        Field(
            "auth_success", "shown", "endpoints.auth_success", "endpoints.auth_success.help",
            default=f"{private}/authSuccess",
        ),
        Field(
            "sidebar_icon", "shown", "endpoints.sidebar_icon", "endpoints.sidebar_icon.help",
            default=f"{public}/get-sidebar-icon",
        ),
    )  # fmt: skip


async def review(desk: Desk, answers: Answers) -> Review:
    return Review()


async def submit(desk: Desk, answers: Answers) -> Reply:
    return Reply("endpoints.done")


FORM = Form(name="endpoints", questions=questions, review=review, submit=submit)

COMMAND = Command(name="endpoints", open=open_form, forms=(FORM,), listed=False)
