"""Where open forms are kept, and the links to their pages.

A link's ticket is the capability: whoever has it may fill in that form. It is computed from the session and a secret of
the installation, so that an answer that is said again after a crash holds the same, working link; only its SHA-256 is
stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from bot.chatops.command import Person
from bot.chatops.form import CUSTOMER, IDLE, TICKET, Answers, Form, FormSession
from bot.model import RoomId
from bot.ports import Alone, Clock, Json, Registry

Derive = Callable[[str], bytes]
"""Keyed: 32 bytes that nobody can compute without the installation's secret; the same for the same text."""

KEPT = 24 * 3600.0
"""Seconds for which a finished or forgotten form is remembered, so that its link can say what became of it."""
_LINK = "link of this form"


class Sessions:
    def __init__(self, registry: Registry, derive: Derive, clock: Clock, public_url: str, alone: Alone) -> None:
        self._registry = registry
        self._derive = derive
        self._clock = clock
        self._public_url = public_url
        self._alone = alone

    def hold(self, id: str) -> AbstractAsyncContextManager[object]:
        """Chat and page may move the same session: whoever reads it to change it holds it meanwhile."""
        return self._alone(f"form {id}")

    async def get(self, id: str) -> FormSession | None:
        return next(iter(await self._all(id=id)), None)

    async def of(self, person: Person, room: RoomId) -> FormSession | None:
        """The form this person has open (or being worked on) in this room, also when its time is over."""
        _, mine = await self.met_by("", person, room)
        return mine

    async def met_by(self, entry: str, person: Person, room: RoomId) -> tuple[FormSession | None, FormSession | None]:
        """What a message of this person's meets in the room: the session whose last step was made by this very entry,
        which is being repeated then; and the form that the person has open there. Hardly ever there is either."""

        def is_met(stored: Json) -> bool:
            mine = _is_under_way(stored["person"]["id"], stored.get("state", "open"), person)
            return mine or (bool(entry) and stored.get("heard") == entry)

        met = await self._all(is_met, room=room)
        mine = [one for one in met if _is_under_way(one.person.id, one.state, person)]
        moved = next((one for one in met if entry and one.heard == entry), None)
        return moved, max(mine, key=lambda one: one.expires, default=None)

    async def of_ticket(self, ticket: str) -> FormSession | None:
        """The one with this link. The others are not opened, as often as strangers ask."""
        wanted = _hash(ticket).encode()

        def is_it(stored: Json) -> bool:
            return hmac.compare_digest(str(stored.get("ticket_hash", "")).encode(), wanted)

        return next(iter(await self._all(is_it)), None)

    async def rooms(self) -> list[RoomId]:
        """Rooms in which somebody has a form open: messages there must not be missed. Without customers' rooms, which
        are never missed anyway."""
        now = self._clock.now()
        found = [one for one in await self._all() if one.state == "open" and one.expires > now]
        return list(dict.fromkeys(one.room for one in found if CUSTOMER not in one.about))

    def begin(self, id: str, form: Form, person: Person, room: RoomId, about: Answers) -> FormSession:
        """A new session with a link, not stored yet."""
        session = FormSession(id=id, form=form.name, person=person, room=room, about=about)
        return self.with_link(self.touched(session))

    async def put(self, session: FormSession) -> None:
        """The link in what was said last is left out of the store, and put in again when it is read."""
        await self._registry.put_session(_swapped(session, self.link(session), _LINK).document())

    async def replace_open(self, session: FormSession) -> None:
        """Stores a new session; an older one of the same person in the same room is closed."""
        for one in await self._all(lambda stored: stored["person"]["id"] == session.person.id, room=session.room):
            if one.id != session.id and _is_under_way(one.person.id, one.state, session.person):
                await self.put(one.closed("cancelled"))
        await self.put(session)

    def touched(self, session: FormSession) -> FormSession:
        """A step was made: later buttons differ, and the time begins anew."""
        return replace(session, revision=session.revision + 1, expires=self._clock.now() + IDLE)

    def with_link(self, session: FormSession) -> FormSession:
        """The link may be opened from now on for a while. It stays the same: a page that is open goes on working."""
        ticket_hash = _hash(self.ticket(session))
        return replace(session, ticket_hash=ticket_hash, ticket_until=self._clock.now() + TICKET)

    def ticket(self, session: FormSession) -> str:
        secret = self._derive(f"form ticket {session.id}")
        return base64.urlsafe_b64encode(hashlib.sha256(secret).digest()).decode().rstrip("=")

    def link(self, session: FormSession) -> str:
        return f"{self._public_url}/forms/{self.ticket(session)}"

    def seal_of_page(self, ticket: str) -> str:
        """Hidden in the page of this ticket: proves that a submission comes from it."""
        return hashlib.sha256(self._derive(f"form page {_hash(ticket)}")).hexdigest()

    def is_over(self, session: FormSession) -> bool:
        return session.expires <= self._clock.now()

    async def sweep(self) -> None:
        """Forgets the secrets of forms whose time is over, and after a day the forms themselves."""
        now = self._clock.now()
        for one in await self._all():
            if one.expires + KEPT < now:
                await self._registry.remove_session(one.id)
            elif one.expires <= now and (one.secrets or one.answers):
                await self.put(replace(one, secrets={}, answers={}))

    async def _all(
        self, wanted: Callable[[Json], bool] = lambda _: True, *, id: str | None = None, room: RoomId | None = None
    ) -> list[FormSession]:
        """Chosen before they are read."""
        stored = [FormSession.of(document) for document in await self._registry.sessions(wanted, id=id, room=room)]
        return [_swapped(session, _LINK, self.link(session)) for session in stored]


def _is_under_way(whose: str, state: str, person: Person) -> bool:
    return whose == person.id and state in ("open", "submitted")


def _swapped(session: FormSession, old: str, new: str) -> FormSession:
    if session.said is None:
        return session
    buttons = tuple(replace(one, opens=new) if one.opens == old else one for one in session.said.buttons)
    link = new if session.said.link == old else session.said.link
    return replace(session, said=replace(session.said, buttons=buttons, link=link))


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
