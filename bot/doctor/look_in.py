"""Once an hour: do the messages of every connected number still come here, and is its key still good?

Whoever registers another address for a number, and whoever makes a new API key, which takes the address away, silences
the bot without a word from 360Dialog (docs.360dialog.com: webhook URL, API key). Agents would only see that nobody
writes any more. What is found twice, a minute apart, is told in the setup channel, once a day.
"""

from __future__ import annotations

import logging

from bot.chatops.command import typed
from bot.config import Server
from bot.doctor.dialog360 import look
from bot.doctor.facts import NumberFacts
from bot.errors import BotError, KeyInvalid
from bot.ports import Clock, Entry, Journal, Registry, WhatsApp
from bot.relay.notices import SETUP, notice, with_button
from bot.whatsapp.markup import inert_line

log = logging.getLogger(__name__)

PERIOD = 3600.0
_AGAIN = 60.0
_BUTTON = "connect.show_numbers", typed("numbers")


async def look_in_for_ever(
    registry: Registry, journal: Journal, whatsapp: WhatsApp, server: Server, clock: Clock
) -> None:
    async def found() -> dict[str, NumberFacts]:
        numbers = [one for one in await registry.numbers() if one.connected_at]
        return {one.phone: one for one in await look(whatsapp, server, numbers, {}) if _is_trouble(one)}

    while True:
        await clock.sleep(PERIOD)
        try:
            if not (before := await found()):
                continue
            await clock.sleep(_AGAIN)
            after = await found()
            day = int(clock.now()) // 86400
            told = [_told(one, day) for phone, one in after.items() if phone in before]
            await journal.append(*told)
        except BotError as error:
            log.warning("whether messages still come here could not be looked at: %s", error)


def _is_trouble(number: NumberFacts) -> bool:
    return number.key_refused or number.hook in ("other", "nobody")


def _told(number: NumberFacts, day: int) -> Entry:
    if number.key_refused:  # the same words, once a day, as when a message met it
        key = f"trouble:{number.phone}:{KeyInvalid.__name__}:{day}"
        return notice(key, SETUP, "notice.number_trouble", reason=KeyInvalid.sentence, number=number.phone, said="")
    reason = "numbers.hook_elsewhere" if number.hook == "other" else "numbers.hook_none"
    told = notice(
        f"not here:{number.phone}:{number.hook}:{day}", SETUP, "notice.not_here", reason=reason, number=number.phone,
        address=inert_line(number.hook_shown, 100),
    )  # fmt: skip
    return with_button(*_BUTTON, told)
