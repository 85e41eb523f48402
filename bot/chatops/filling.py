"""What an entry does to a form: opens it, answers a question, presses a button, does it. Each exactly once.

The session remembers the entry that moved it last and what was answered, so an entry that is repeated after a crash
finds its step made and only says the answer again. An effect is repeated as a whole; `submit` of a form allows that.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable
from dataclasses import replace

from bot.chatops.command import Act, Desk, Person, Press, Reply, Words, typed
from bot.chatops.dialogue import CODE, ID_LENGTH, Dialogue, Turn, pick
from bot.chatops.form import AT_SUMMARY, FormSession, Opening, explain
from bot.chatops.office import Office
from bot.chatops.sessions import Sessions
from bot.chatops.voice import Voice
from bot.errors import BotError, Invalid, NotForYou, NotFound
from bot.model import RoomId
from bot.ports import Entry, Outcome
from bot.relay.audit import CHAT, DONE, FAILED, PAGE, REFUSED
from bot.translations import Translate

log = logging.getLogger(__name__)


class Filling:
    def __init__(self, office: Office, sessions: Sessions, voice: Voice, t: Translate) -> None:
        self._office = office
        self._sessions = sessions
        self._voice = voice
        self._dialogue = Dialogue(sessions, t)

    # --- in chat ---

    async def open(self, entry: Entry, desk: Desk, opening: Opening) -> Outcome:
        before = await self._sessions.of(desk.person, desk.room)
        session = self._sessions.begin(_session_id(entry.key), opening.form, desk.person, desk.room, opening.about)
        session = replace(session, answers=dict(opening.answers))
        closing = self._closing(before, session) if before else None
        async with self._sessions.hold(session.id):
            await self._sessions.sweep()
            turn = await self._safely(self._dialogue.ask(desk, opening.form, session, closing), session)
            session = replace(turn.session, heard=entry.key, said=turn.reply)
            await self._sessions.replace_open(session)
        await self._voice.say(entry, desk.room, turn.reply)
        return Outcome({"form": opening.form.name})

    def _closing(self, before: FormSession, session: FormSession) -> Words | None:
        """What is said of a form that another one closes, unless nothing of it is lost."""
        if before.state != "open" or self._sessions.is_over(before):
            return None
        if before.form == session.form and len(before.answers) <= len(session.answers):
            return None
        return Words("form.replaced", {"title": Words(f"{before.form}.title")})

    def control(self, text: str) -> str | None:
        return self._dialogue.control(text)

    async def pressed(self, entry: Entry, person: Person, room: RoomId, answer: str, code: re.Match[str]) -> Outcome:
        """A button of a form: only of the present step, only by whom it was shown to, only once."""
        session = await self._sessions.get(code[1])
        problem = ""
        if session is None or session.room != room or session.state in ("done", "cancelled"):
            problem = "form.button_unknown"
        elif session.person.id != person.id:
            problem = "form.button_of_other"
        elif session.state == "submitted":
            problem = "form.working"
        elif code[2] != str(session.revision):
            problem = "form.button_old"
        if session is None or problem:
            name = session.person.name or session.person.username if session else ""
            again = self._again(session) if problem == "form.button_unknown" and session else ()
            await self._voice.say(entry, room, Reply(problem, {"name": name}, buttons=again))
            return Outcome({"did": "button refused"})
        return await self.step(entry, session, answer)

    async def step(self, entry: Entry, session: FormSession, text: str) -> Outcome:
        """One answer in chat. What the page changed meanwhile is seen, because the session is read under its lock."""
        submit = False
        async with self._sessions.hold(session.id):
            session = await self._sessions.get(session.id) or session
            form = self._office.form(session.form)
            desk = self._office.desk(session.person, session.room, entry.key)
            if form is None or self._sessions.is_over(session):
                session, reply = self._sessions.touched(session).closed("cancelled"), self._over(session)
            elif session.state != "open":
                reply = Reply("form.working")
            else:
                turn = await self._safely(self._dialogue.take(desk, form, session, text), session)
                session, reply, submit = turn.session, turn.reply, turn.submit
            if submit:
                session = replace(session, state="submitted", submission=entry.key)
            session = replace(session, heard=entry.key, said=reply)
            await self._sessions.put(session)
        if submit:
            return await self._submit(entry, session)
        await self._voice.say(entry, session.room, reply)
        return Outcome({"form": session.form, "state": session.state})

    def _over(self, session: FormSession) -> Reply:
        return Reply("form.over", buttons=self._again(session))

    def _again(self, session: FormSession) -> tuple[Press, ...]:
        """Opens such a form anew."""
        name = self._office.command_of(session.form)
        return (Press(Words("command.button", {"name": name}), typed(name)),) if name else ()

    async def _safely(self, step: Awaitable[Turn], session: FormSession) -> Turn:
        """A step that could not be made because another server did not answer leaves everything as it is."""
        try:
            return await step
        except BotError as error:
            log.warning("a form could not go on: %s", error)
            return Turn(session, Reply("form.not_now", {"reason": explain(error)}))

    # --- from the page ---

    async def page_was_sent(self, entry: Entry) -> Outcome:
        session = await self._sessions.get(str(entry.body["session"]))
        if session is None:
            return Outcome({"did": "form gone"})
        if session.heard == entry.key:
            return await self.repeat(entry, session)
        match entry.body.get("act"):
            case "cancelled":
                await self._voice.say(entry, session.room, Reply(f"{session.form}.cancelled"))
            case "chat":
                return await self._go_on_in_chat(entry, session)
            case _ if session.state == "submitted" and session.submission == entry.key:
                return await self._submit(entry, session)
        return Outcome({"form": session.form, "state": session.state})

    async def _go_on_in_chat(self, entry: Entry, session: FormSession) -> Outcome:
        async with self._sessions.hold(session.id):
            session = await self._sessions.get(session.id) or session
            form = self._office.form(session.form)
            if form is None or session.state != "open":
                return Outcome({"form": session.form, "state": session.state})
            desk = self._office.desk(session.person, session.room)
            turn = await self._safely(self._dialogue.ask(desk, form, session), session)
            await self._sessions.put(replace(turn.session, heard=entry.key, said=turn.reply))
        await self._voice.say(entry, session.room, turn.reply)
        return Outcome({"form": form.name, "state": turn.session.state})

    # --- the effect ---

    async def _submit(self, entry: Entry, session: FormSession) -> Outcome:
        """Does what was confirmed. A failure is told, and nothing that was typed is lost."""
        form = self._office.form(session.form)
        desk = self._office.desk(session.person, session.room, entry.key)
        failure: BotError | None = None
        try:
            if form is None:
                raise NotFound
            await self._office.require_of(session, form)
            reply = await form.submit(desk, session.filled)
        except BotError as error:
            log.warning("form %s could not be done: %s", session.form, error)
            failure = error
        await self._note(entry, session, reply if failure is None else failure)
        async with self._sessions.hold(session.id):
            if failure is None:
                session = self._sessions.touched(session).closed("done")
            else:
                session = self._opened_again(session, failure)
                reply = self._failed(session, explain(failure))
            session = replace(session, heard=entry.key, said=reply)
            await self._sessions.put(session)
        await self._voice.say(entry, session.room, reply)
        return Outcome({"form": session.form, "state": session.state})

    async def _note(self, entry: Entry, session: FormSession, outcome: Reply | BotError) -> None:
        """For the audit log, before the session forgets that it has to be done: what is repeated is noted once."""
        origin = PAGE if entry.kind == "form.submit" else CHAT
        act, result = Act(session.form.replace("_", "-")), DONE
        if isinstance(outcome, BotError):
            result = REFUSED if isinstance(outcome, NotForYou) else f"{FAILED}: {type(outcome).__name__}"
        elif outcome.did is None:
            return
        else:
            act = outcome.did
        await self._office.audit.note(entry.key, act, session.person, origin=origin, result=result)

    def _opened_again(self, session: FormSession, failure: BotError) -> FormSession:
        session = replace(session, state="open", asking=AT_SUMMARY, problem=explain(failure))
        if isinstance(failure, Invalid) and failure.field:
            session = replace(session.without(failure.field), shown="")
        return self._sessions.with_link(self._sessions.touched(session))

    def _failed(self, session: FormSession, problem: Words) -> Reply:
        again = Press(Words("form.button.again"), pick(session, "confirm"))
        page = Press(Words("form.open"), opens=self._sessions.link(session))
        cancel = Press(Words("form.button.cancel"), pick(session, "cancel"))
        return Reply("form.failed", {"reason": problem}, buttons=(again, page, cancel))

    async def repeat(self, entry: Entry, session: FormSession) -> Outcome:
        """The entry had its effect before; perhaps its answer was not said any more."""
        if session.state == "submitted" and session.submission == entry.key:
            return await self._submit(entry, session)
        if session.said is not None:
            await self._voice.say(entry, session.room, session.said)
        return Outcome({"form": session.form, "state": session.state})


def button_code(args: tuple[str, ...]) -> re.Match[str] | None:
    """The last word of what a form's button posts."""
    return CODE.fullmatch(args[-1]) if args else None


def _session_id(key: str) -> str:
    return hashlib.sha256(f"session {key}".encode()).hexdigest()[:ID_LENGTH]
