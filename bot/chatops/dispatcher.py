"""What a chat message or a submitted page means, and the answer to it. The handler of `chat.message` and `form.submit`.

In the setup channel ordinary talk is ignored; in a direct message everything is for the bot; in a customer's room it is
commands, and the answers to a form that their author has open there; elsewhere a command is answered with the place
where it works. What is done to forms, exactly once, is `bot.chatops.filling`'s.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from bot.chatops.command import (
    NAME,
    SLASH,
    Act,
    Call,
    Desk,
    Person,
    Press,
    Reply,
    Words,
    mistyped,
    nearest,
    read,
    typed,
    visible,
)
from bot.chatops.filling import Filling, button_code
from bot.chatops.form import CUSTOMER, OPENED_AT, FormSession, explain
from bot.chatops.leaks import holds_key, is_key, is_only_key, mentions_key
from bot.chatops.office import Office
from bot.chatops.sessions import Sessions
from bot.chatops.voice import Voice
from bot.errors import BotError, NotForYou, NotFound, Refused
from bot.model import ChatMessage
from bot.ports import Entry, Outcome
from bot.relay.audit import CHAT, REFUSED
from bot.rocketchat.parse import chat_message
from bot.translations import Translate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's own account in Rocket.Chat."""

    id: str
    username: str


class Dispatcher:
    def __init__(self, office: Office, sessions: Sessions, account: Account, t: Translate) -> None:
        self._office = office
        self._sessions = sessions
        self._account = account
        self._voice = Voice(office.workspace, t)
        self._filling = Filling(office, sessions, self._voice, t)

    async def handle(self, entry: Entry) -> Outcome:
        if entry.kind == "form.submit":
            return await self._filling.page_was_sent(entry)
        message = chat_message(entry.body["message"])
        if message is None or message.user == self._account.id:
            return Outcome()
        direct = entry.body.get("room_type") == "d"
        call = read(message.text, self._account.username, direct=direct)
        if direct or message.room == await self._office.setup_room():
            return await self._at_home(entry, message, call, direct=direct)
        if entry.body.get("room_type") == "l" and await self._in_customers_room(entry, message, call):
            return await self._at_home(entry, message, call, direct=False)
        return await self._elsewhere(entry, message, call)

    async def answers_form(self, entry: Entry) -> bool:
        """Whether an agent's message in a customer's room is for the form that they have open there, not for the
        customer: they wrote it after they had opened the form, which asks in chat."""
        message = chat_message(entry.body["message"])
        if message is None or entry.steps:
            return False
        moved, session = await self._sessions.met_by(entry.key, _author(message), message.room)
        if moved is not None:
            return True
        if session is None or self._sessions.is_over(session) or session.state != "open" or session.on_page:
            return False
        return message.at_ms > int(session.about.get(OPENED_AT, 0)) and bool(visible(message.text))

    async def _in_customers_room(self, entry: Entry, message: ChatMessage, call: Call | None) -> bool:
        """Whether there is anything to do here: a command for this place, a button, or an answer."""
        if call is None or not call.addressed:
            return entry.kind == "rc.message"
        if button_code(call.args) is not None or self._filling.control(call.name) is not None:
            return True
        command = self._office.command(call.name or "help")
        if command is None or command.place == "setup":
            return False
        return command.place == "anywhere" or await self._office.customer_of(message.room) is not None

    async def _at_home(self, entry: Entry, message: ChatMessage, call: Call | None, *, direct: bool) -> Outcome:
        person = _author(message)
        moved, session = await self._sessions.met_by(entry.key, person, message.room)
        if moved is not None:
            return await self._filling.repeat(entry, moved)
        in_customers_room = entry.body.get("room_type") == "l"
        if _leaks(message.text, call, session, direct=direct, in_customers_room=in_customers_room):
            await self._take_key_back(entry, message, session)
            if call is None or call.name != "connect":
                return Outcome({"did": "key removed"})
            call = replace(call, args=tuple(arg for arg in call.args if not holds_key(arg)))
        if call is not None and (code := button_code(call.args)) is not None:
            return await self._filling.pressed(entry, person, message.room, call.name, code)
        if session is not None and (answer := self._answer(message, call, session, direct)) is not None:
            return await self._filling.step(entry, session, answer)
        if call is None:
            return await self._perhaps_mistyped(entry, message)
        if session is None and self._filling.control(call.name) is not None and not self._office.command(call.name):
            await self._voice.say(entry, message.room, Reply("form.none_open"))
            return Outcome({"did": "no form"})
        return await self._call(entry, await self._desk(entry, message), call)

    async def _perhaps_mistyped(self, entry: Entry, message: ChatMessage) -> Outcome:
        """`/whatsapp-360d-clod numbers` is a slip of the hand, not a remark to the others."""
        meant = mistyped(message.text)
        if meant is None:
            return Outcome()
        button = Press(Words("command.button", {"name": meant}), typed(*meant.split()))
        reply = Reply("command.mistyped", {"meant": f"{SLASH} {meant}"}, buttons=(button,))
        await self._voice.say(entry, message.room, reply)
        return Outcome({"did": "mistyped"})

    async def _desk(self, entry: Entry, message: ChatMessage) -> Desk:
        customer = await self._office.customer_of(message.room) if entry.body.get("room_type") == "l" else None
        return self._office.desk(_author(message), message.room, entry.key, customer)

    def _answer(self, message: ChatMessage, call: Call | None, session: FormSession, direct: bool) -> str | None:
        """The text with which this message answers the open form; None when it is something else."""
        if call is not None and call.addressed:
            return self._filling.control(call.name) if not call.args else None
        word = self._filling.control(message.text)
        if word in ("cancel", "link") or (session.on_page and word in ("keep", "skip", "rest", "back")):
            return word
        waiting_in_chat = session.state == "open" and not session.on_page
        is_command = call is not None and self._office.command(call.name) is not None
        if direct and is_command and (not waiting_in_chat or self._sessions.is_over(session)):
            return None
        return message.text if (direct or waiting_in_chat) and visible(message.text) else None

    async def _elsewhere(self, entry: Entry, message: ChatMessage, call: Call | None) -> Outcome:
        if call is None or not call.addressed:
            return Outcome()
        command = self._office.command(call.name)
        if command is not None and command.place == "anywhere":
            return await self._call(entry, await self._desk(entry, message), call)
        try:
            if _leaks(message.text, call, None, direct=False, in_customers_room=True):
                await self._take_key_back(entry, message, None)
            reply = Reply("command.elsewhere", {"bot": self._account.username})
            await self._voice.say(entry, message.room, reply)
        except Refused as error:
            log.info("a command in a room where the bot may not write stays without answer: %s", error)
        return Outcome({"did": "elsewhere"})

    async def _call(self, entry: Entry, desk: Desk, call: Call) -> Outcome:
        command = self._office.command(call.name or "help")
        if command is None:
            await self._voice.say(entry, desk.room, _unknown(call, desk))
            return Outcome({"did": "unknown"})
        try:
            agents = command.place == "customer" and desk.customer is not None
            await self._office.require(desk.person, command.roles, agents=agents)
            result = await command.open(desk, call.args)
        except NotForYou as error:
            await self._office.audit.note(entry.key, Act(command.name), desk.person, origin=CHAT, result=REFUSED)
            await self._voice.say(entry, desk.room, Reply(error.sentence, error.values))
            return Outcome({"command": command.name, "did": "refused"})
        except BotError as error:
            log.warning("command %s could not be done: %s", command.name, error)
            await self._voice.say(entry, desk.room, Reply("command.failed", {"reason": explain(error)}))
            return Outcome({"command": command.name, "did": "failed"})
        if result.did is not None:
            await self._office.audit.note(entry.key, result.did, desk.person, origin=CHAT)
        if isinstance(result, Reply):
            await self._voice.say(entry, desk.room, result)
            return Outcome({"command": command.name})
        if desk.customer is not None:
            about = {**result.about, CUSTOMER: desk.customer.contact, OPENED_AT: str(entry.at_ms)}
            result = replace(result, about=about)
        return await self._filling.open(entry, desk, result)

    async def _take_key_back(self, entry: Entry, message: ChatMessage, session: FormSession | None) -> None:
        """Somebody typed an API key where others read it: the message goes, and they learn what to do about it."""
        try:
            await self._office.workspace.delete(message.room, message.id)
            gone = True
        except NotFound:
            gone = True
        except BotError as error:
            log.warning("a message with an API key could not be deleted: %s", error)
            gone = False
        act = Act("key-typed-in-chat", {"message": "deleted" if gone else "kept"})
        await self._office.audit.note(f"{entry.key} key", act, _author(message), origin=CHAT)
        buttons: tuple[Press, ...] = ()
        if session is not None and session.state == "open" and not self._sessions.is_over(session):
            async with self._sessions.hold(session.id):
                await self._sessions.put(self._sessions.with_link(await self._sessions.get(session.id) or session))
            buttons = (Press(Words("form.open"), opens=self._sessions.link(session)),)
        reply = Reply("key.deleted" if gone else "key.not_deleted", {"command": f"/{NAME} connect"}, buttons=buttons)
        await self._voice.say(entry, message.room, reply, "key")


def _author(message: ChatMessage) -> Person:
    return Person(message.user, message.username, message.name)


def _leaks(text: str, call: Call | None, session: FormSession | None, *, direct: bool, in_customers_room: bool) -> bool:
    """Whether the message holds an API key. The more probable one is, the less like one it has to look."""
    if call is not None and call.addressed:
        return holds_key(" ".join(call.args)) if call.name == "connect" else any(is_key(arg) for arg in call.args)
    waiting = session is not None and session.state == "open"
    if waiting or direct:
        return holds_key(text)
    return is_only_key(text) or (not in_customers_room and mentions_key(text))


def _unknown(call: Call, desk: Desk) -> Reply:
    near = nearest(call.name, desk.commands)
    names = [near.name] if near else []
    offered = dict.fromkeys([*names, "help"])
    buttons = [Press(Words("command.button", {"name": name}), typed(name)) for name in offered]
    key = "command.unknown_near" if near else "command.unknown"
    return Reply(key, {"word": call.name[:40], "near": near.name if near else ""}, buttons=tuple(buttons))
