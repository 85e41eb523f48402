"""A form played in chat: one question at a time, then a summary, then Confirm.

Each step takes the session as it stands and returns how it stands afterwards and what to answer; nothing is stored or
posted in here. A wrong answer is explained and loses nothing. `cancel`, `back`, `skip` and `keep` work everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.chatops.command import Desk, Press, Reply, Value, Words, typed, visible
from bot.chatops.form import AT_SUMMARY, Field, Form, FormSession, Review, clean, explain, fields_of
from bot.chatops.sessions import Sessions
from bot.errors import BotError, Invalid
from bot.translations import Translate

ID_LENGTH = 12
CODE = re.compile(rf"([0-9a-f]{{{ID_LENGTH}}})\.(\d{{1,6}})")
"""Ends what a form's buttons post, `<answer> <session>.<revision>`: this button, of this step, of this form."""
WORDS = ("cancel", "back", "skip", "keep", "rest", "clear", "confirm", "no", "link")
"""Control words. English always works; `form.words.<word>` of the catalogue adds others, separated by commas."""
_MOST_BUTTONS = 10
_MOST_OPTIONS = 40
"""Rows of a list in chat; what is beyond can be typed."""


@dataclass(frozen=True, slots=True)
class Turn:
    session: FormSession
    reply: Reply
    submit: bool = False
    """The person confirmed: the form has to be done, and `reply` is not to be said."""


class Dialogue:
    def __init__(self, sessions: Sessions, t: Translate) -> None:
        self._sessions = sessions
        self._t = t

    def control(self, text: str) -> str | None:
        """The control word that was typed, if it is one."""
        typed_word = _as_typed(visible(text).rstrip(".!।"))
        return next((word for word in WORDS if typed_word in (word, *self._said_for(word))), None)

    def _said_for(self, word: str) -> list[str]:
        return [_as_typed(one.strip()) for one in self._t(f"form.words.{word}").split(",")]

    async def ask(self, desk: Desk, form: Form, session: FormSession, problem: Words | None = None) -> Turn:
        """The first question that has no answer yet, or the summary."""
        fields = await fields_of(form, desk, session.filled, self._t)
        field = next((one for one in fields if one.is_asked and not session.is_answered(one)), None)
        if field is None:
            return await self._summary(desk, form, session, fields, problem)
        return self._question(form, session, fields, field, problem)

    async def take(self, desk: Desk, form: Form, session: FormSession, text: str) -> Turn:
        """What the person typed or pressed, at the question that the session stands at."""
        fields = await fields_of(form, desk, session.filled, self._t)
        word = self.control(text)
        if word == "cancel":
            return self.cancel(form, session)
        if word == "link":
            return self._page(form, session, fields, None, None)
        if session.asking == AT_SUMMARY:
            return await self._at_summary(desk, form, session, text, fields=fields)
        field = next((one for one in fields if one.name == session.asking), None)
        if field is None:
            return await self.ask(desk, form, session)
        if word == "back":
            return self._back(form, session, fields, field)
        if word == "rest" and _edits(fields) and _rest_has_answers(fields, field):
            return await self.ask(desk, form, _rest_kept(session, fields))
        if word == "clear" and _edits(fields) and not field.required:
            word, text = None, ""
        if field.kind in ("secret", "shown") and not (word in ("keep", "skip") and _may_keep(session, field)):
            return self._page(form, session, fields, field, Words("form.secret_on_page"))
        try:
            answered = session.with_answer(field, self._answer(session, field, text, word))
        except Invalid as wrong:
            return self._question(form, session, fields, field, explain(wrong))
        return await self.ask(desk, form, answered)

    def cancel(self, form: Form, session: FormSession) -> Turn:
        return Turn(self._sessions.touched(session).closed("cancelled"), Reply(f"{form.name}.cancelled"))

    # --- what is shown ---

    def _question(
        self, form: Form, session: FormSession, fields: Sequence[Field], field: Field, problem: Words | None
    ) -> Turn:
        link = "" if session.asking else self._sessions.link(session)  # said once, with the first question
        on_page = field.kind in ("secret", "shown")
        session = self._sessions.touched(replace(session, asking=field.name, on_page=on_page))
        if on_page:
            return self._page(form, session, fields, field, problem)
        current = session.answers.get(field.name, field.default)
        asked = [one for one in fields if one.is_asked]
        values: dict[str, Value] = {
            "at": asked.index(field) + 1 if field in asked else 1,
            "n": len(asked),
            "label": Words(field.label, field.about),
            "help": Words(field.help, field.about) if field.help else "",
            "more": max(len(field.options) - _MOST_OPTIONS, 0),
            "current": field.label_of(current),
            "note": field.note or "",
            "optional": 0 if field.required else 1,
            "words": Words(_words_for(field)),
            "problem": problem or "",
        }
        rows: list[Mapping[str, Value]] = [
            {"n": number, "label": option.label} for number, option in enumerate(field.options[:_MOST_OPTIONS], start=1)
        ]
        choices = [
            Press(Words("form.choice", {"label": option.label}), pick(session, str(number)))
            for number, option in enumerate(field.options, start=1)
        ]
        keep = ["keep"] if current else []
        leave = [] if field.required else ["clear"] if field.default else ["skip"]
        rest = ["rest"] if _may_keep_rest(fields, field) else []
        words = [*keep, *leave, *rest, "back", "cancel"]
        buttons = choices if len(choices) <= _MOST_BUTTONS else []
        buttons += [self._button(session, word) for word in words]
        if link:
            buttons.append(Press(Words("form.open"), opens=link))
        return Turn(session, Reply("form.question", values, tuple(rows), tuple(buttons), link, layout="question"))

    def _page(
        self, form: Form, session: FormSession, fields: Sequence[Field], field: Field | None, problem: Words | None
    ) -> Turn:
        """What is secret is asked on the page; so this answer is the link."""
        session = self._sessions.with_link(self._sessions.touched(session))
        link = self._sessions.link(session)
        values: dict[str, Value] = {
            "title": Words(f"{form.name}.title"), "intro": Words(f"{form.name}.intro"), "problem": problem or "",
        }  # fmt: skip
        words = ["cancel"]
        if field is not None and _may_keep(session, field):
            words = ["keep", *(["rest"] if _may_keep_rest(fields, field) else []), "cancel"]
        buttons = (Press(Words("form.open"), opens=link), *(self._button(session, word) for word in words))
        return Turn(session, Reply("form.page", values, buttons=buttons, link=link, layout="page"))

    async def _summary(
        self, desk: Desk, form: Form, session: FormSession, fields: Sequence[Field], problem: Words | None
    ) -> Turn:
        review, shown = Review(), ""
        try:
            review = await form.review(desk, session.filled)
            shown = review.digest
        except Invalid as wrong:
            field = next((one for one in fields if one.name == wrong.field), None)
            if field is not None:
                kept = session.without(field.name) if field.kind == "secret" else session
                return self._question(form, kept, fields, field, explain(wrong))
            problem = explain(wrong)
        except BotError as error:
            problem = Words("form.not_checked", {"reason": explain(error)})
        session = self._sessions.touched(replace(session, asking=AT_SUMMARY, on_page=False, shown=shown))
        rows: list[dict[str, Value]] = [
            {"n": number, "label": Words(one.label, one.about), "value": _shown(session, one)}
            for number, one in enumerate(fields, start=1)
        ]
        rows += [{"preview": review.preview}] if review.preview else []
        rows += [{"note": note} for note in (*review.notes, *review.changes, *review.agree)]
        values: dict[str, Value] = {
            "title": review.subject or Words(f"{form.name}.title"),
            "problem": problem or "",
            "n": len(fields),
        }
        confirm = Press(Words(f"{form.name}.submit"), pick(session, "confirm"))
        words = ["back", "cancel"] if fields else ["cancel"]
        buttons = (confirm, *(self._button(session, word) for word in words))
        return Turn(session, Reply("form.summary", values, tuple(rows), buttons, layout="summary"))

    # --- what is typed ---

    async def _at_summary(
        self, desk: Desk, form: Form, session: FormSession, text: str, *, fields: Sequence[Field]
    ) -> Turn:
        word = self.control(text)
        if word == "confirm" and session.shown:
            return Turn(session, Reply(""), submit=True)
        if word == "confirm":
            return await self.ask(desk, form, session)
        if word == "no":
            return self.cancel(form, session)
        asked = [one for one in fields if one.is_asked]
        if word == "back" and asked:
            return self._question(form, session, fields, asked[-1], None)
        number = visible(text).rstrip(".")
        if number.isdecimal() and len(number) < 4 and 0 < int(number) <= len(fields):
            field = fields[int(number) - 1]
            if field.fixed:
                return await self._summary(desk, form, session, fields, Words("form.fixed"))
            return self._question(form, session, fields, field, None)
        return await self._summary(desk, form, session, fields, Words("form.confirm_or_cancel"))

    def _back(self, form: Form, session: FormSession, fields: Sequence[Field], field: Field) -> Turn:
        asked = [one for one in fields if one.is_asked]
        at = asked.index(field) if field in asked else 0
        return self._question(form, session, fields, asked[max(at - 1, 0)], None)

    @staticmethod
    def _answer(session: FormSession, field: Field, text: str, word: str | None) -> str:
        """What holds already is also what `skip` leaves; only `clear` makes it empty."""
        if field.kind == "secret":
            return session.secrets.get(field.name, "")
        if word == "keep" or (word == "skip" and field.default):
            return clean(field, session.answers.get(field.name, field.default))
        return clean(field, "" if word == "skip" else text)

    # --- buttons ---

    def _button(self, session: FormSession, word: str) -> Press:
        return Press(Words(f"form.button.{word}"), pick(session, word))


def pick(session: FormSession, answer: str) -> str:
    """What the button for this answer posts."""
    return typed(answer, f"{session.id}.{session.revision}")


def _may_keep(session: FormSession, field: Field) -> bool:
    """Of what is asked on the page: one that was given already, or one that need not be given."""
    return field.kind == "secret" and (session.is_answered(field) or not field.required)


def _may_keep_rest(fields: Sequence[Field], field: Field) -> bool:
    """Something existing is edited, and nothing that follows has to be answered first."""
    last = next((one for one in reversed(fields) if one.is_asked), None)
    return field is not last and _edits(fields) and _rest_has_answers(fields, field)


def _edits(fields: Sequence[Field]) -> bool:
    """The form changes something that exists."""
    return any(one.default for one in fields if one.kind != "shown")


def _rest_has_answers(fields: Sequence[Field], field: Field) -> bool:
    rest = fields[fields.index(field) :]
    return all(one.kind != "shown" and (one.default or not one.required) for one in rest if one.is_asked)


def _rest_kept(session: FormSession, fields: Sequence[Field]) -> FormSession:
    for one in fields:
        if one.is_asked and not session.is_answered(one):
            session = session.with_answer(one, "" if one.kind == "secret" else one.default)
    return session


def _as_typed(word: str) -> str:
    """Keyboards write `ü` and `ड़` as one sign or as two; both are the same word."""
    return unicodedata.normalize("NFC", word).casefold()


def _words_for(field: Field) -> str:
    if field.default:
        return "form.words_when_required_editing" if field.required else "form.words_when_editing"
    return "form.words_when_required" if field.required else "form.words_when_optional"


def _shown(session: FormSession, field: Field) -> Value:
    if field.kind == "secret":
        return Words("form.saved") if session.secrets.get(field.name) else Words(field.nothing or "form.nothing")
    value = session.answers.get(field.name, field.default if field.fixed else "")
    return field.label_of(value) if value else Words(field.nothing or "form.nothing")
