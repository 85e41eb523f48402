"""What the bot says by itself: to the agent in the customer's room, or to the admins in the setup channel.

A notice is an entry like any other (kind `notice`): body `{"room": id or "" for the setup channel, "key": text key,
"reason": text key or "", "values": {…}}`, perhaps with `"buttons": [{"label": text key, "says": text}]`, and with
`"wamid"` where it shows a WhatsApp message that stood in no room before. It is spoken with a fixed message id, so it
appears once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from bot.errors import (
    BotError,
    Busy,
    ContactBlocked,
    GroupMessage,
    KeyInvalid,
    NumberBlocked,
    NumberGone,
    OmnichannelOff,
    Refused,
    TooLong,
    Trouble,
    Unpaid,
    Unsure,
)
from bot.model import Button, ChatMessage, Number, Pair, Post, RoomId, Wamid
from bot.ports import Entry, Journal, Outcome, Workspace
from bot.relay.quotes import Quotes
from bot.relay.template_orders import is_few, order_of
from bot.relay.ticks import Ticks
from bot.rocketchat.compose import notice_id
from bot.rocketchat.parse import chat_message
from bot.translations import Translate
from bot.whatsapp import parse
from bot.whatsapp.markup import inert_line

_QUOTED = 80
SETUP = ""
_PATIENT_TRIES = 60
"""Tries within which another setup channel may be found, nearly an hour. All notices behind wait as long, and what is
refused may be just these words: an app of the workspace can refuse any (8.3 IPreMessageSentPrevent)."""


def notice(id: str, room: str, sentence: str, *, reason: str = "", **values: str | int) -> Entry:
    body = {"room": room, "key": sentence, "reason": reason, "values": values}
    return Entry(key=f"notice:{id}", lane=f"say:{room}", kind="notice", body=body)


def with_button(label: str, says: str, entry: Entry) -> Entry:
    """The same notice with a button below it; `label` is a text key."""
    return entry._replace(body={**entry.body, "buttons": [{"label": label, "says": says}]})


def about(message: str, entry: Entry) -> Entry:
    """The same notice with a message of its room quoted in front."""
    return entry._replace(body={**entry.body, "quote": message})


def standing_for(wamid: str, entry: Entry) -> Entry:
    """The same notice, which is from now on where this WhatsApp message is found in Rocket.Chat."""
    return entry._replace(body={**entry.body, "wamid": wamid})


def of_parked(entry: Entry, error: Exception) -> Sequence[Entry]:
    """Who has to know that this entry became a dead letter, and in which words. Of one that was tried again and failed
    again they hear again."""
    again = f":{entry.given_up_at}" if entry.given_up_at else ""
    sentence = error.sentence if isinstance(error, BotError) else BotError.sentence
    values = {"said": "", **(error.values if isinstance(error, BotError) else {})}
    if isinstance(error, BotError) and error.said and not values["said"]:
        values["said"] = error.said
    match entry.kind:
        case "rc.message":
            message = chat_message(entry.body["message"])
            if message is None:
                return ()
            text = "notice.perhaps_sent" if isinstance(error, Unsure) else "notice.not_sent"
            told = notice(
                f"{entry.key}{again}", message.room, text, reason=sentence, text=_quoted(message), **_clean(values)
            )
            return (told, *_number_trouble(entry, error, sentence, values))
        case "wa.message" | "wa.media":
            return (_not_shown(entry, error, sentence, values, again),)
        case "auto.message":
            which, room = entry.body["which"], entry.body["room"]
            if which == "welcome" and room:
                key = f"{entry.key}{again}"
                return (notice(key, room, "notice.welcome_not_sent", reason=sentence, **_clean(values)),)
            key = f"{which}:{entry.source}:{type(error).__name__}:{_day(entry)}"
            where = {"number": f"+{entry.source}", **_clean(values)}
            return (notice(key, SETUP, f"notice.{which}_not_sent", reason=sentence, **where),)
        case "template.send" if again or not entry.body["room"]:
            return (_template_parked(entry, error, sentence, values, again),)
        case "status.callback":
            key = f"callback:{type(error).__name__}:{_day(entry)}"
            return (notice(key, SETUP, "notice.callback_failed", reason=sentence, **_clean(values)),)
        case "chat.message":
            message = chat_message(entry.body["message"])
            if message is None:
                return ()
            key = f"{entry.key}{again}"
            return (notice(key, message.room, "notice.command_failed", reason=sentence, **_clean(values)),)
        case "form.submit":
            room = entry.lane.split(":")[1]  # cmd:<room>:<person>
            key = f"{entry.key}{again}"
            return (notice(key, room, "notice.command_failed", reason=sentence, **_clean(values)),)
        case _:
            return ()


def of_late(id: str, entry: Entry) -> Entry:
    """An agent's message still waits to go out."""
    message = chat_message(entry.body["message"])
    said = _quoted(message) if message is not None else ""
    return notice(id, entry.body["message"]["rid"], "notice.late", text=said)


def _number_trouble(entry: Entry, error: Exception, sentence: str, values: Mapping[str, str | int]) -> Sequence[Entry]:
    """What only an administrator can mend is told in the setup channel too, once a day."""
    number = values.get("number")
    if not isinstance(error, KeyInvalid | Unpaid | NumberBlocked) or not number:
        return ()
    key = f"trouble:{number}:{type(error).__name__}:{_day(entry)}"
    return (notice(key, SETUP, "notice.number_trouble", reason=sentence, **_clean(values)),)


def _not_shown(entry: Entry, error: Exception, sentence: str, values: Mapping[str, str | int], again: str) -> Entry:
    if isinstance(error, GroupMessage):
        key = f"group:{entry.source}:{error.said}:{_day(entry)}"
        return notice(key, SETUP, "notice.group", reason=sentence, number=f"+{entry.source}")
    if isinstance(error, NumberGone):
        return notice(f"gone:{entry.source}:{_day(entry)}", SETUP, "notice.gone_kept", number=f"+{entry.source}")
    contact = parse.message(entry.body).sender
    who = inert_line(contact.name, 60) or contact.phone or contact.contact
    told = {"contact": who, "number": f"+{entry.source}", **_clean(values)}
    key = f"{entry.key}{again}"
    if isinstance(error, ContactBlocked) and not again:  # somebody who is blocked may well write on and on
        key = f"blocked:{entry.source}:{contact.contact}:{_day(entry)}"
    return notice(key, SETUP, "notice.not_shown", reason=sentence, **told)


def of_omnichannel_off(entry: Entry, error: OmnichannelOff) -> Entry:
    """Customers' messages wait until an administrator switches it on; told once a day."""
    told = _not_shown(entry, error, error.sentence, error.values, "")
    return told._replace(key=f"notice:omnichannel off:{_day(entry)}")


def _template_parked(
    entry: Entry, error: Exception, sentence: str, values: Mapping[str, str | int], again: str
) -> Entry:
    """A program asked, so the setup channel hears it: the first of each kind of failure of an order. Of one that was
    tried again, whoever asked for the template."""
    body = entry.body
    text = "notice.template_perhaps_sent" if isinstance(error, Unsure) else "notice.template_not_sent"
    told = {"contact": f"+{body['to']}", "template": body["template"]["name"], **_clean(values)}
    key = f"{entry.key}{again}" if again else f"template:{body['id']}:{type(error).__name__}"
    return notice(key, body["room"] or SETUP, text, reason=sentence, **told)


def department_gone(number: Number) -> Entry:
    """Told once for each department: customers are not made to wait for somebody to edit the number."""
    department = inert_line(number.department_name or number.department, 60)
    return notice(
        f"department:{number.id}:{number.department}", SETUP, "notice.department_gone",
        number=number.phone, department=department,
    )  # fmt: skip


def gave_up(error: BotError) -> str:
    """Text key of why WhatsApp did not deliver what it had taken. Nobody tries that again: it may arrive after all."""
    return "error.gave_up" if isinstance(error, Busy) else error.sentence


def failed_later(entry: Entry, pair: Pair, error: BotError) -> Entry:
    """WhatsApp took the message and could not deliver it after all."""
    values: dict[str, str | int] = {"said": error.said, **error.values}
    if pair.entry.startswith("tpl:"):
        id = pair.wamid if is_few(pair.entry) else f"{order_of(pair.entry)}:{type(error).__name__}"
        contact = f"+{pair.contact}" if pair.contact.isdecimal() else pair.contact
        told = notice(
            f"failed:{id}", pair.room, "notice.template_failed_later", reason=gave_up(error), contact=contact,
            **_clean(values),
        )  # fmt: skip
        return about(pair.message, told)
    told = notice(
        f"failed:{pair.wamid}", pair.room, "notice.failed_later_plain", reason=gave_up(error), **_clean(values)
    )
    return about(pair.message, told)


def reaction_not_sent(message: str, room: str, error: BotError, reason: str) -> Entry:
    """The customer does not see an agent's reaction; said once of a message, for the first of its reactions that fails.
    `reason` is a text key."""
    key = "notice.reaction_not_sent"
    values = _clean({"said": error.said, **error.values})
    return about(message, notice(f"reaction:{message}:{key}", room, key, reason=reason, **values))


class Notices:
    """Handler of `notice` entries."""

    def __init__(
        self,
        *,
        journal: Journal,
        workspace: Workspace,
        setup_room: Callable[[], Awaitable[RoomId]],
        setup_lost: Callable[[], object],
        quotes: Quotes,
        ticks: Ticks,
        t: Translate,
    ) -> None:
        self._journal = journal
        self._workspace = workspace
        self._ticks = ticks
        self._quotes = quotes
        self._setup_room = setup_room
        self._setup_lost = setup_lost
        """To be called when the setup channel takes no messages any more."""
        self._t = t

    async def __call__(self, entry: Entry) -> Outcome:
        body = entry.body
        values: Mapping[str, str | int] = body["values"]
        reason = self._t(body["reason"], **values) if body["reason"] else ""
        text = self._t(body["key"], **{**values, "reason": reason})
        room = RoomId(body["room"]) if body["room"] else await self._setup_room()
        text = await self._quotes.link(body["room"], body.get("quote", "")) + text
        buttons = tuple(Button(self._t(one["label"]), one["says"]) for one in body.get("buttons", ()))
        id = notice_id(entry.key)
        try:
            await self._workspace.say(room, id, Post(text, buttons))
        except Refused as error:
            if body["room"] or isinstance(error, TooLong) or entry.tries >= _PATIENT_TRIES:
                raise
            self._setup_lost()
            raise Trouble(f"the setup channel takes no messages: {error.said}") from None
        pairs = await self._journal.pairs_of_message(id)
        found = await self._journal.pair(Wamid(body["wamid"])) if "wamid" in body else None
        if found is None:
            return Outcome({"room": room}, then=self._ticks.of_shown(pairs))
        shown = replace(found, message=id, room=room)
        stays = replace(shown, state="", state_at=0.0)  # a status may come in this moment: what it says is kept
        return Outcome({"room": room}, pairs=(stays,), then=self._ticks.of_placed(shown))


def _day(entry: Entry) -> int:
    return int(entry.first_at or time.time()) // 86400


def _quoted(message: ChatMessage) -> str:
    text = message.text.strip() or ", ".join(file.name for file in message.files)
    line = inert_line(text, _QUOTED)
    return f"{line}…" if len(text) > _QUOTED else line


def _clean(values: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: inert_line(value, 200) if isinstance(value, str) else value for name, value in values.items()}
