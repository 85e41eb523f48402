"""The pages of forms: `GET` and `POST /forms/{ticket}`.

The ticket in the address is the capability: no cookie, no login, any HTTP client. What the page reads and checks is
done here; the effect of a form goes the way of everything: an entry `form.submit` in the journal, in the lane of the
person's commands. The page waits a while for its result; the chat gets it in any case.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from aiohttp import web

from bot.chatops.command import Desk, Reply, Value, Words
from bot.chatops.form import AT_SUMMARY, Field, Form, FormSession, Review, clean, explain, fields_of
from bot.chatops.office import Office
from bot.chatops.sessions import Sessions
from bot.errors import BotError, Invalid, NotForYou
from bot.ports import Clock, Entry, Journal
from bot.translations import Translator
from bot.web.guessing import Guesses
from bot.web.in_time import InTime
from bot.web.pages import Pages
from bot.web.posted import Posted, stored_file
from bot.web.server import give_time

log = logging.getLogger(__name__)

PATIENCE = 15.0
"""Seconds for which the page waits for the effect."""
UPLOAD_TIME = 180.0
"""Seconds for a page with a file: 17 MB at less than a megabit a second, and what is done with it."""
SEAL, ACT, AGREED = "seal", "act", "agreed"


Wrong = dict[str, Words]
"""Field → what is wrong with what was typed there; the empty name: with the whole."""


class Forms:
    def __init__(
        self,
        *,
        office: Office,
        sessions: Sessions,
        journal: Journal,
        clock: Clock,
        t: Translator,
        public_url: str,
        guesses: Guesses,
    ) -> None:
        self._office = office
        self._sessions = sessions
        self._journal = journal
        self._clock = clock
        self._t = t
        self._pages = Pages(t)
        self._guesses = guesses
        self._in_time = InTime()
        self._own_host = urlsplit(public_url).netloc.lower()

    def routes(self) -> list[web.RouteDef]:
        path, worded = "/forms/{ticket}", self._pages.in_words
        return [web.get("/", worded(self.front)), web.get(path, worded(self.show)), web.post(path, worded(self.take))]

    async def front(self, _: web.Request) -> web.Response:
        """Whoever opens the bare address is told where forms come from.

        200 the page."""
        return self._message("page.front", 200)

    # --- GET ---

    async def show(self, request: web.Request) -> web.Response:
        """The page of a form. Looking at it changes nothing: chats fetch previews.

        200 the form · 404 unknown · 410 used, expired · 429 too many unknown · 503 not just now."""
        session = await self._in_time(self._sessions.of_ticket(request.match_info["ticket"]))
        form = self._office.form(session.form) if session else None
        if session is None or form is None:
            self._guesses.wrong(request)
            return self._message("page.unknown", 404)
        if session.state == "open" and session.ticket_until <= self._clock.now():
            return self._message("page.expired", 410)
        return await self._as_it_is(request, form, session, session.problem)

    async def _as_it_is(
        self, request: web.Request, form: Form, session: FormSession, problem: Words | None = None, status: int = 200
    ) -> web.Response:
        """The form with what is stored of it."""
        if session.state != "open":
            return self._not_open(session)
        if self._sessions.is_over(session):
            return self._message("page.expired", 410)
        try:
            fields = await self._fields(form, session)
        except BotError as error:
            return self._message("page.not_now", 503, reason=explain(error))
        return self._form(request, form, fields, session, wrong={"": problem} if problem else None, status=status)

    # --- POST ---

    async def take(self, request: web.Request) -> web.Response:
        """A filled-in page, or its Cancel.

        200 done, next page, or working · 400 no form · 403 foreign, not allowed · 404 unknown · 410 over ·
        413 too large · 422 something is wrong, the page says what · 429 too many unknown · 503 not just now."""
        ticket = request.match_info["ticket"]
        if not self._same_origin(request):
            return self._message("page.foreign", 403)
        session = await self._in_time(self._sessions.of_ticket(ticket))
        form = self._office.form(session.form) if session else None
        if session is None or form is None:
            self._guesses.wrong(request)
            return self._message("page.unknown", 404)
        if form.upload:
            give_time(request, UPLOAD_TIME)
        try:
            async with Posted.read(request, files=form.upload is not None) as posted:
                return await self._take(request, form, session, posted)
        except web.HTTPRequestEntityTooLarge:
            return await self._as_it_is(request, form, session, Words("page.too_large"), 413)

    async def _take(self, request: web.Request, form: Form, session: FormSession, posted: Posted) -> web.Response:
        ticket = request.match_info["ticket"]
        given = posted.texts.get(SEAL, "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, self._sessions.seal_of_page(ticket).encode()):
            return self._message("page.foreign", 403)
        async with self._sessions.hold(session.id):
            session = await self._again(session)
            if session.state == "open":
                answer = await self._act(request, form, session, posted)
                if isinstance(answer, web.Response):
                    return answer
                session = answer
        if session.state == "open":
            return await self._went_on_in_chat(session)
        result = await self._result(request, form, session)
        another = session.state in ("submitted", "done") and session.posted != _name_of(posted, ticket)
        return self._message("page.used", 410) if another else result

    async def _act(
        self, request: web.Request, form: Form, session: FormSession, posted: Posted
    ) -> web.Response | FormSession:
        """A page to show at once, or the stored session on which an entry has to follow."""
        if self._sessions.is_over(session):
            return self._message("page.expired", 410)
        act, desk = posted.texts.get(ACT, ""), self._desk(session)
        if act == "cancel":
            session = self._sessions.touched(session).closed("cancelled")
            return await self._stored(replace(session, submission=_key(session)))
        if act == "change":
            return await self._as_it_is(request, form, await self._stored(session))
        try:
            fields = await self._fields(form, session)
        except BotError as error:
            return self._message("page.not_now", 503, reason=explain(error))
        session, wrong = await self._read(desk, form, fields, session, posted)
        review = Review()
        try:
            await self._office.require_of(session, form)
            if not wrong and act != "chat":
                asked = {one.name for one in fields}
                fields = await self._fields(form, session)
                if new := next((one.name for one in fields if one.name not in asked), ""):
                    return self._form(request, form, fields, await self._stored(session), new=new)
                review = await form.review(desk, session.filled)
        except NotForYou as error:
            return self._message(error.sentence, 403, None, **error.values)
        except Invalid as error:
            wrong[error.field] = explain(error)
            session = _without_secret(session, fields, error.field)
        except BotError as error:
            log.warning("a page could not be checked: %s", error)
            wrong[""] = Words("page.not_checked", {"reason": explain(error)})
        session = await self._stored(session)
        if wrong:
            asks, wrong = await self._now_asked(form, session, fields, wrong)
            status = 422 if wrong else 200
            return self._form(request, form, asks, session, posted=posted.texts, wrong=wrong, status=status)
        if act == "chat":
            return session
        if review.asks and posted.texts.get(AGREED) != review.digest:
            return self._agree(request, form, fields, session, review)
        submitted = replace(session, state="submitted", asking=AT_SUMMARY, on_page=False, shown=review.digest)
        name = _name_of(posted, request.match_info["ticket"])
        return await self._stored(replace(submitted, submission=_key(submitted), posted=name))

    async def _read(
        self, desk: Desk, form: Form, fields: Sequence[Field], session: FormSession, posted: Posted
    ) -> tuple[FormSession, Wrong]:
        """Every field by itself. What is good is kept, whatever is wrong with the rest.

        A secret is asked about at once when only it is sent, to go on in chat."""
        wrong: Wrong = {}
        only_secret = posted.texts.get(ACT) == "chat"
        for one in fields:
            if one.kind == "shown":
                continue
            raw = posted.texts.get(one.name, session.answers.get(one.name, one.default))
            if only_secret and one.kind != "secret":
                session = _kept(session, one, raw)
                continue
            file = posted.files.get(one.name) if one.kind == "file" else None
            if one.kind in ("secret", "file") and not raw.strip() and file is None and session.is_answered(one):
                continue
            try:
                if file is not None:
                    raw = await stored_file(form, desk, session, one.name, file)
                session = session.with_answer(one, clean(one, raw))
                if only_secret and one.name in form.checks:
                    await form.checks[one.name](desk, session.secrets[one.name])
            except Invalid as error:
                wrong[one.name] = explain(error)
                session = session.without(one.name)
            except BotError as error:
                wrong[""] = Words("page.not_checked", {"reason": explain(error)})
        return session, wrong

    async def _now_asked(
        self, form: Form, session: FormSession, fields: Sequence[Field], wrong: Wrong
    ) -> tuple[Sequence[Field], Wrong]:
        """After what was good has been kept: another template asks for other values, under the same names even. Of what
        the page had not asked for nobody says that it is missing."""
        before = {one.name: (one.label, one.about) for one in fields}
        try:
            fields = await self._fields(form, session)
        except BotError:
            return fields, wrong
        same = {"", *(one.name for one in fields if before.get(one.name) == (one.label, one.about))}
        return fields, {name: why for name, why in wrong.items() if name in same}

    async def _again(self, session: FormSession) -> FormSession:
        """As it is stored by now."""
        found = await self._in_time(self._sessions.get(session.id))
        return found or session

    async def _stored(self, session: FormSession) -> FormSession:
        session = self._sessions.touched(session) if session.state == "open" else session
        session = replace(session, problem=None)
        await self._in_time(self._sessions.put(session))
        return session

    # --- entries, and waiting for them ---

    async def _result(self, request: web.Request, form: Form, session: FormSession) -> web.Response:
        if session.state == "submitted":
            await self._append(session, session.submission, {"session": session.id})
            await self._journal.closed(session.submission, PATIENCE)
            session = await self._again(session)
        if session.state == "cancelled" and session.submission.startswith("form:"):
            await self._append(session, session.submission, {"session": session.id, "act": "cancelled"})
        if session.state == "open" and session.problem:
            fields = await self._fields(form, session)
            return self._form(request, form, fields, session, wrong={"": session.problem}, status=422)
        return self._not_open(session, status=200)

    async def _went_on_in_chat(self, session: FormSession) -> web.Response:
        await self._append(session, _key(session), {"session": session.id, "act": "chat"})
        return self._message("page.in_chat", 200)

    async def _append(self, session: FormSession, key: str, body: Mapping[str, str]) -> None:
        lane = f"cmd:{session.room}:{session.person.id}"
        entry = Entry(key, lane, "form.submit", body, int(self._clock.now() * 1000))
        await self._in_time(self._journal.append(entry))

    # --- pages ---

    def _form(
        self,
        request: web.Request,
        form: Form,
        fields: Sequence[Field],
        session: FormSession,
        *,
        posted: Mapping[str, str] | None = None,
        wrong: Wrong | None = None,
        new: str = "",
        status: int = 200,
    ) -> web.Response:
        """`new`: the first field that the page before did not have."""
        known = {**{one.name: session.answers.get(one.name, one.default) for one in fields}, **(posted or {})}
        values = {one.name: "" if one.kind == "secret" else known[one.name] for one in fields}
        return self._pages.page(
            "form",
            status,
            form=form,
            fields=fields,
            values=values,
            wrong=wrong or {},
            new=new,
            saved={one.name for one in fields if _is_saved(session, one)},
            has_secret=any(one.kind == "secret" and one.required for one in fields),
            seal=self._sessions.seal_of_page(request.match_info["ticket"]),
        )

    def _agree(
        self, request: web.Request, form: Form, fields: Sequence[Field], session: FormSession, review: Review
    ) -> web.Response:
        carried = {name: session.answers[name] for name in (one.name for one in fields) if name in session.answers}
        return self._pages.page(
            "agree",
            form=form,
            fields=fields,
            review=review,
            carried={**carried, AGREED: review.digest},
            seal=self._sessions.seal_of_page(request.match_info["ticket"]),
        )

    def _not_open(self, session: FormSession, status: int = 410) -> web.Response:
        """What became of a form: shown once as the result, and later to whoever opens the used link."""
        if session.state in ("submitted", "open"):
            return self._message("page.working", 200)
        if session.state == "cancelled":
            return self._message("page.cancelled" if status == 200 else "page.was_cancelled", status)
        if status == 200:
            return self._message("page.done", 200, session.said)
        return self._message("page.used", status)

    def _message(self, key: str, status: int, said: Reply | None = None, **values: Value) -> web.Response:
        links = [(self._pages.say(button.label), button.opens) for button in (said.buttons if said else ())]
        return self._pages.page(
            "message",
            status,
            key=key,
            words=Words(key, values),
            said=Words(said.key, said.values) if said else None,
            rows=[[self._pages.set_apart(value) for value in row.values()] for row in said.rows] if said else [],
            links=[(label, address) for label, address in links if address],
        )

    # --- small things ---

    async def _fields(self, form: Form, session: FormSession) -> list[Field]:
        return await fields_of(form, self._desk(session), session.filled, self._t)

    def _desk(self, session: FormSession) -> Desk:
        return self._office.desk(session.person, session.room)

    def _same_origin(self, request: web.Request) -> bool:
        """Browsers say where a form was sent from; other clients say nothing, which the ticket makes up for.

        Our pages tell the browser to send no referrer; then `Origin` is `null` (Fetch: append a request Origin header)
        and `Sec-Fetch-Site` tells (W3C: Fetch Metadata)."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None and site != "same-origin":
            return False
        if origin is None or (origin == "null" and site is not None):
            return True
        try:
            host = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(host) and host in (request.host.lower(), self._own_host)


def _is_saved(session: FormSession, field: Field) -> bool:
    """What the page does not show again although it was given."""
    return bool(session.secrets.get(field.name)) or (field.kind == "file" and session.is_answered(field))


def _name_of(posted: Posted, ticket: str) -> str:
    """Of a page as it was sent; without the ticket nothing can be learned from it."""
    return hmac.new(ticket.encode(), json.dumps(sorted(posted.texts.items())).encode(), "sha256").hexdigest()


def _key(session: FormSession) -> str:
    return f"form:{session.id}:{session.revision}"


def _kept(session: FormSession, field: Field, raw: str) -> FormSession:
    """What was typed besides, when it is good: the chat need not ask it again."""
    try:
        return session.with_answer(field, clean(field, raw)) if raw.strip() else session
    except Invalid:
        return session


def _without_secret(session: FormSession, fields: Sequence[Field], name: str) -> FormSession:
    """A key that was refused is not kept; anything else stays for the person to correct."""
    refused = any(one.name == name and one.kind == "secret" for one in fields)
    return session.without(name) if refused else session
