"""What the page shows, as plain JSON: one whole picture each time, so that nothing can get out of step.

Times are unix milliseconds. Texts are data; the page draws them as text. Words of the page itself live in its html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.sandbox.page import phone, picker, workspace
from bot.sandbox.page.cast import Cast, Note

Json = dict[str, Any]


def picture(cast: Cast, notes: Iterable[Note], delivered: set[str], refused: Mapping[str, str]) -> Json:
    """`delivered` are the wamids that a webhook has brought to the bot; `refused` see `workspace.fates`."""
    fates = workspace.fates(cast, refused)
    chats = [workspace.chat(cast, room, notes, fates) for room in cast.rc.rooms.values() if room["t"] == "l"]
    bubbles = list(phone.bubbles(cast, delivered))
    setup = cast.rc.rooms[cast.setup_room]
    return {
        "number": {"name": cast.number.name, "phone": cast.number.phone, "key": cast.number.api_key},
        "connected": cast.number.webhook is not None,
        "customer": {"name": cast.customer.name, "phone": cast.customer.phone},
        "admin": cast.admin.name,
        "agent": cast.agent.name,
        "phone": bubbles,
        "window": cast.customer.window_open(cast.number, cast.wa.now()),
        "setup": {
            "rid": cast.setup_room,
            "name": str(setup.get("name", "")),
            "messages": workspace.messages(cast, cast.setup_room, cast.admin, notes, {}),
        },
        "chats": chats[-20:],
        "templates": picker.templates(cast),
        "steps": _steps(cast, bubbles, chats),
    }


def _steps(cast: Cast, bubbles: list[Json], chats: list[Json]) -> list[bool]:
    """Which of the three are done: the number is connected, the agent reads the customer, the customer the agent."""
    lines = [message for chat in chats for message in chat["messages"] if not message["system"]]
    answers = [message for message in lines if message["own"] and (message["text"] or message["parts"])]
    arrived = [bubble for bubble in bubbles if not bubble["mine"]]
    return [
        cast.number.webhook is not None,
        any(message["guest"] for message in lines),
        bool(answers and arrived),
    ]
