"""Which of an agent's messages in a customer's room are answers to a form and not for the customer.

Handler of `rc.message`, in front of the one that sends: it is decided when the message's turn comes, under the one key
that the message has, so no repeated event and no catch-up can send an answer to the customer later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.ports import Entry, Handler, Outcome


class FormsFirst:
    def __init__(self, is_answer: Callable[[Entry], Awaitable[bool]], chat: Handler, send: Handler) -> None:
        self._is_answer = is_answer
        self._chat = chat
        self._send = send

    async def __call__(self, entry: Entry) -> Outcome:
        if await self._is_answer(entry):
            return await self._chat(entry._replace(body={**entry.body, "room_type": "l"}))
        return await self._send(entry)
