"""What a chat message or a submitted page means, and the answer to it. The handler of `chat.message` and `form.submit`.

In the setup channel ordinary talk is ignored; in a direct message everything is for the bot; elsewhere a command is
answered with the place where it works. Every step can be repeated: what an entry did to a form is remembered with the
form, and answers are posted under ids computed from the entry's key.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable
from dataclasses import dataclass, replace

from bot.chatops.chat_view import ChatView
from bot.chatops.command import NAME, Call, Desk, Person, Press, Reply, Words, nearest, read, typed
from bot.chatops.dialogue import CODE, ID_LENGTH, Dialogue, Turn, explain, pick
from bot.chatops.form import AT_SUMMARY, FormSession, Opening
from bot.chatops.leaks import holds_key, is_key, is_only_key
from bot.chatops.office import Office
from bot.chatops.sessions import Sessions
from bot.errors import BotError, Invalid, NotForYou, NotFound, Refused
from bot.model import ChatMessage, MessageId, RoomId
from bot.ports import Entry, Outcome
from bot.rocketchat.compose import notice_id
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
        self._dialogue = Dialogue(sessions, t)
        self._view = ChatView(t)

    async def handle(self, entry: Entry) -> Outcome:
        if entry.kind == "form.submit":
            return await self._page_was_sent(entry)
        message = chat_message(entry.body["message"])
        if message is None or message.user == self._account.id:
            return Outcome()
        return await self._message(entry, message, str(entry.body.get("room_type") or ""))

    # --- a chat message ---

    async def _message(self, entry: Entry, message: ChatMessage, room_type: str) -> Outcome:
        direct = room_type == "d"
        call = read(message.text, self._account.username, direct=direct)
        if not direct and message.room != await self._office.setup_room():
            return await self._elsewhere(entry, message, call)
        person = Person(message.user, message.username, message.name)
        if (done := await self._sessions.moved_by(entry.key)) is not None:
            return await self._repeat(entry, done)
        session = await self._sessions.of(person, message.room)
        if _leaks(message.text, call, session, direct):
            await self._take_key_back(entry, message, session)
            if call is None or call.name != "connect":
                return Outcome({"did": "key removed"})
            call = replace(call, args=tuple(arg for arg in call.args if not holds_key(arg)))
        if call is not None and (code := CODE.fullmatch(call.args[-1] if call.args else "")) is not None:
            return await self._pressed(entry, person, message.room, call.name, code)
        if session is not None and (answer := self._is_answer(message, call, session, direct)) is not None:
            return await self._step(entry, session, answer)
        if call is None:
            return Outcome()
        return await self._call(entry, self._office.desk(person, message.room), call)

    async def _elsewhere(self, entry: Entry, message: ChatMessage, call: Call | None) -> Outcome:
        if call is None or not call.addressed:
            return Outcome()
        command = self._office.command(call.name)
        if command is not None and command.place == "anywhere":
            person = Person(message.user, message.username, message.name)
            return await self._call(entry, self._office.desk(person, message.room), call)
        try:
            await self._say(entry, message.room, Reply("command.elsewhere", {"bot": self._account.username}))
        except Refused as error:
            log.info("a command in a room where the bot may not write stays without answer: %s", error)
        return Outcome({"did": "elsewhere"})

    async def _call(self, entry: Entry, desk: Desk, call: Call) -> Outcome:
        command = self._office.command(call.name or "help")
        if command is None:
            await self._say(entry, desk.room, _unknown(call, desk))
            return Outcome({"did": "unknown"})
        try:
            await self._office.require(desk.person, command.roles)
            result = await command.open(desk, call.args)
        except NotForYou as error:
            await self._say(entry, desk.room, Reply(error.sentence, error.values))
            return Outcome({"command": command.name, "did": "refused"})
        except BotError as error:
            log.warning("command %s could not be done: %s", command.name, error)
            await self._say(entry, desk.room, Reply("command.failed", {"reason": explain(error)}))
            return Outcome({"command": command.name, "did": "failed"})
        if isinstance(result, Reply):
            await self._say(entry, desk.room, result)
            return Outcome({"command": command.name})
        return await self._open(entry, desk, result)

    # --- forms in chat ---

    async def _open(self, entry: Entry, desk: Desk, opening: Opening) -> Outcome:
        session = self._sessions.begin(_session_id(entry.key), opening.form, desk.person, desk.room, opening.about)
        async with self._sessions.hold(session.id):
            await self._sessions.sweep()
            turn = await self._safely(self._dialogue.ask(desk, opening.form, session), session)
            session = replace(turn.session, heard=entry.key, said=turn.reply)
            await self._sessions.replace_open(session)
        await self._say(entry, desk.room, turn.reply)
        return Outcome({"form": opening.form.name})

    def _is_answer(self, message: ChatMessage, call: Call | None, session: FormSession, direct: bool) -> str | None:
        """The text that this message answers the open form with; None when it is something else."""
        word = self._dialogue.control(call.name) if call and not call.args else None
        if call is not None and call.addressed:
            return word
        word = self._dialogue.control(message.text)
        if word in ("cancel", "link"):
            return word
        waiting_in_chat = session.state == "open" and not session.on_page
        is_command = call is not None and self._office.command(call.name) is not None
        if direct and is_command and (not waiting_in_chat or self._sessions.is_over(session)):
            return None
        return message.text if direct or waiting_in_chat else None

    async def _pressed(
        self, entry: Entry, person: Person, room: RoomId, answer: str, code: re.Match[str]
    ) -> Outcome:
        """A button of a form: only of the present step, only by whom it was shown to, only once."""
        session = await self._sessions.get(code[1])
        problem = ""
        if session is None or session.room != room:
            problem = "form.button_unknown"
        elif session.person.id != person.id:
            problem = "form.button_of_other"
        elif session.state != "open" or code[2] != str(session.revision):
            problem = "form.button_old"
        if session is None or problem:
            await self._say(entry, room, Reply(problem, {"name": _called(session.person) if session else ""}))
            return Outcome({"did": "button refused"})
        return await self._step(entry, session, answer)

    async def _step(self, entry: Entry, session: FormSession, text: str) -> Outcome:
        """One answer in chat. What the page changed meanwhile is seen, because the session is read under its lock."""
        submit = False
        async with self._sessions.hold(session.id):
            session = await self._sessions.get(session.id) or session
            form = self._office.form(session.form)
            desk = self._office.desk(session.person, session.room)
            if session.state == "submitted":
                reply = Reply("form.working")
            elif form is None or self._sessions.is_over(session):
                session, reply = self._sessions.touched(session).closed("cancelled"), _over(session)
            else:
                turn = await self._safely(self._dialogue.take(desk, form, session, text), session)
                session, reply, submit = turn.session, turn.reply, turn.submit
            if submit:
                session = replace(session, state="submitted", submission=entry.key)
            session = replace(session, heard=entry.key, said=reply)
            await self._sessions.put(session)
        if submit:
            return await self._submit(entry, session)
        await self._say(entry, session.room, reply)
        return Outcome({"form": session.form, "state": session.state})

    async def _safely(self, step: Awaitable[Turn], session: FormSession) -> Turn:
        """A step that could not be made because another server did not answer leaves everything as it is."""
        try:
            return await step
        except BotError as error:
            log.warning("a form could not go on: %s", error)
            return Turn(session, Reply("form.not_now", {"reason": explain(error)}))

    # --- effects ---

    async def _page_was_sent(self, entry: Entry) -> Outcome:
        session = await self._sessions.get(str(entry.body["session"]))
        if session is None:
            return Outcome({"did": "form gone"})
        if session.heard == entry.key and session.state != "submitted":
            return await self._repeat(entry, session)
        if entry.body.get("act") == "cancelled":
            await self._say(entry, session.room, Reply(f"{session.form}.cancelled"))
            return Outcome({"form": session.form, "state": session.state})
        if entry.body.get("act") == "chat":
            return await self._go_on_in_chat(entry, session)
        if session.state != "submitted" or session.submission != entry.key:
            return Outcome({"did": "nothing", "state": session.state})
        return await self._submit(entry, session)

    async def _go_on_in_chat(self, entry: Entry, session: FormSession) -> Outcome:
        form = self._office.form(session.form)
        if form is None or session.state == "done":
            return Outcome({"did": "nothing"})
        if session.state == "open":
            async with self._sessions.hold(session.id):
                session = await self._sessions.get(session.id) or session
                desk = self._office.desk(session.person, session.room)
                turn = await self._safely(self._dialogue.ask(desk, form, session), session)
                session = replace(turn.session, heard=entry.key, said=turn.reply)
                await self._sessions.put(session)
        await self._say(entry, session.room, session.said or Reply(f"{form.name}.cancelled"))
        return Outcome({"form": form.name, "state": session.state})

    async def _submit(self, entry: Entry, session: FormSession) -> Outcome:
        """Does what was confirmed. A failure is told, and nothing that was typed is lost."""
        form = self._office.form(session.form)
        desk = self._office.desk(session.person, session.room)
        problem: Words | None = None
        refused = ""
        try:
            if form is None:
                raise NotFound
            await self._office.require(session.person, form.roles)
            reply = await form.submit(desk, session.filled)
        except BotError as error:
            log.warning("form %s could not be done: %s", session.form, error)
            problem = explain(error)
            refused = error.field if isinstance(error, Invalid) else ""
        async with self._sessions.hold(session.id):
            if problem is None:
                session = self._sessions.touched(session).closed("done")
            else:
                session = replace(session, state="open", asking=AT_SUMMARY, problem=problem)
                if refused:
                    session = replace(session.without(refused), shown="")
                session = self._sessions.with_link(self._sessions.touched(session))
                reply = self._failed(session, problem)
            session = replace(session, heard=entry.key, said=reply)
            await self._sessions.put(session)
        await self._say(entry, session.room, reply)
        return Outcome({"form": session.form, "state": session.state})

    def _failed(self, session: FormSession, problem: Words) -> Reply:
        again = Press(Words("form.button.again"), pick(session, "confirm"))
        page = Press(Words("form.open"), opens=self._sessions.link(session))
        cancel = Press(Words("form.button.cancel"), pick(session, "cancel"))
        return Reply("form.failed", {"reason": problem}, buttons=(again, page, cancel))

    async def _repeat(self, entry: Entry, session: FormSession) -> Outcome:
        """The entry had its effect before; perhaps its answer was not said any more."""
        if session.state == "submitted" and session.submission == entry.key:
            return await self._submit(entry, session)
        if session.said is not None:
            await self._say(entry, session.room, session.said)
        return Outcome({"form": session.form, "state": session.state})

    # --- keys, and speaking ---

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
        buttons: tuple[Press, ...] = ()
        if session is not None and session.state == "open" and not self._sessions.is_over(session):
            async with self._sessions.hold(session.id):
                await self._sessions.put(self._sessions.with_link(await self._sessions.get(session.id) or session))
            buttons = (Press(Words("form.open"), opens=self._sessions.link(session)),)
        reply = Reply("key.deleted" if gone else "key.not_deleted", {"command": f"/{NAME} connect"}, buttons=buttons)
        await self._say(entry, message.room, reply, "key")

    async def _say(self, entry: Entry, room: RoomId, reply: Reply, part: str = "") -> None:
        await self._office.workspace.say(room, reply_id(entry.key, part), self._view.post(reply))


def reply_id(key: str, part: str = "") -> MessageId:
    """The answer to an entry has one id, however often it is said."""
    return notice_id(f"{key} {part}".strip())


def _session_id(key: str) -> str:
    return hashlib.sha256(f"session {key}".encode()).hexdigest()[:ID_LENGTH]


def _leaks(text: str, call: Call | None, session: FormSession | None, direct: bool) -> bool:
    if call is not None and call.addressed:
        return holds_key(" ".join(call.args)) if call.name == "connect" else any(is_key(arg) for arg in call.args)
    waiting = session is not None and session.state == "open"
    return holds_key(text) if waiting or direct else is_only_key(text)


def _unknown(call: Call, desk: Desk) -> Reply:
    near = nearest(call.name, desk.commands)
    names = [near.name] if near else []
    buttons = [Press(Words("command.button", {"name": name}), typed(name)) for name in [*names, "help"]]
    key = "command.unknown_near" if near else "command.unknown"
    return Reply(key, {"word": call.name[:40], "near": near.name if near else ""}, buttons=tuple(buttons))


def _over(session: FormSession) -> Reply:
    again = Press(Words("command.button", {"name": session.form}), typed(session.form))
    return Reply("form.over", buttons=(again,))


def _called(person: Person) -> str:
    return person.name or person.username
