"""Forms as data: what is asked, in which order, what a good answer is, and how far somebody has come. Pure.

A form is a few functions; nobody draws in here. The chat (`bot.chatops.dialogue`) and the page (`bot.web.forms`) show
the same fields and may alternate, because the session is a plain stored document that both read and write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from bot.chatops.command import Act, Block, Desk, Person, Reply, Words, words_document, words_of
from bot.errors import BotError, Busy, Invalid, KeyInvalid, NotAllowed, NotForYou, NumberBlocked, Unpaid, Unsure
from bot.model import RoomId, UserId
from bot.translations import Translate
from bot.whatsapp.phones import understood

Answers = Mapping[str, str]
Kind = Literal["text", "secret", "choice", "phone", "long_text", "shown", "file"]
LONGEST_TEXT = 1024
LONGEST_LINE = 256
IDLE = 30 * 60.0
"""Seconds without a step after which an open form is closed."""
TICKET = 15 * 60.0
"""Seconds in which the link of a form's page has to be opened."""


CUSTOMER, OPENED_AT = "customer", "opened_at_ms"
"""What a form knows from the beginning (`about`) when it was opened in a customer's room: the contact, and the moment
of the command by Rocket.Chat's clock."""


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str | Words
    """Data, such as a department's name, or words of ours; `fields_of` has put them into a language."""
    also: tuple[str, ...] = ()
    """Other words for it that are understood, in lower case."""


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `label` and `help` are keys; a `secret` is asked on the page only and never shown again.

    What is `shown` is no question: the page alone shows its `default`, perhaps a secret, to be copied; nothing of it is
    stored. A `secret` that is not required may be kept as it is. A `file` is a link, or an upload on the page, whose
    stored answer is what the form's `upload` makes of it."""

    name: str
    kind: Kind
    label: str
    help: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    """Fills the gaps of label and help: data."""
    required: bool = False
    options: tuple[Option, ...] = ()
    nothing: str = ""
    """Key of the words for "no choice", of a choice that may stay empty."""
    default: str = ""
    """What holds so far, when something existing is edited: `keep` keeps it."""
    note: Words | None = None
    """What has to be known of what holds so far."""
    fixed: bool = False
    """The default is shown and cannot be changed; it is not asked in chat."""
    check: Callable[[str], str] | None = None
    """Turns what was typed into what is stored, or raises Invalid. What holds so far is not checked again."""
    most: int = 0
    """Most characters; 0: as usual for its kind."""
    minor: bool = False
    """Few people need it: the page has it, the chat does not ask."""
    accepts: tuple[str, ...] = ()
    """Media types that are offered when a file is chosen; empty: all."""

    @property
    def longest(self) -> int:
        return self.most or (LONGEST_TEXT if self.kind in ("long_text", "file") else LONGEST_LINE)

    @property
    def is_asked(self) -> bool:
        """A choice among nothing is no question."""
        return not (self.fixed or self.minor) and (self.kind != "choice" or bool(self.options) or self.required)

    def label_of(self, value: str) -> str:
        """How a stored answer is shown to people."""
        return next((str(option.label) for option in self.options if option.value == value), value)


def clean(field: Field, raw: str) -> str:
    """What to store for what was typed. Raises Invalid with the name of the field; changes nothing else."""
    text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
    try:
        if field.default and (text == field.default or (field.fixed and not text)):
            return field.default
        if not text:
            if field.required:
                raise Invalid("form.missing")
            return ""
        if len(text) > field.longest:
            raise Invalid("form.too_long", n=field.longest, length=len(text))
        if field.kind != "long_text" and "\n" in text:
            raise Invalid("form.one_line")
        if field.kind == "choice":
            text = choose(field.options, text)
        elif field.kind == "phone":
            text = phone(text)
        if field.fixed and text != field.default:
            raise Invalid("form.fixed")
        return field.check(text) if field.check else text
    except Invalid as wrong:
        wrong.field = field.name
        raise


_FEW = 5
"""Choices that are named to whoever typed the beginning of several."""


def choose(options: Sequence[Option], text: str) -> str:
    """By value, by name, by the beginning of a name that only one has, or by number. Raises Invalid."""
    for option in options:
        if text == option.value:
            return option.value
    word = text.casefold()
    exact = [
        option for option in options if word in (str(option.label).casefold(), option.value.casefold(), *option.also)
    ]
    begins = [option for option in options if str(option.label).casefold().startswith(word)]
    for found in (exact, begins):
        if len(found) == 1:
            return found[0].value
    if text.isdecimal() and len(text) < 6 and 0 < int(text) <= len(options):
        return options[int(text) - 1].value
    if several := [str(option.label) for option in begins]:
        more = ["…"] if len(several) > _FEW else []
        raise Invalid("form.several_choices", choices=", ".join([*several[:_FEW], *more]))
    raise Invalid("form.not_a_choice")


def phone(text: str) -> str:
    """E.164 with a plus. Takes blanks, dashes, brackets, `00` for the plus, and no plus at all. Raises Invalid.

    A number only has to be possible, not assigned (see `bot.whatsapp.phones`).
    """
    digits = understood(text)
    if digits is None:
        raise Invalid("form.not_a_phone")
    return f"+{digits}"


def explain(error: BotError) -> Words:
    """The reason in words that fit a form or a command: here nothing is tried again unless a person does it."""
    values = {"said": error.said, **error.values}
    match error:
        case Invalid() | NotForYou() | NotAllowed() | NumberBlocked() | Unpaid():
            return Words(error.sentence, values)
        case KeyInvalid():
            return Words("connect.key_refused")
        case Busy():
            return Words("form.busy")
        case Unsure():
            return Words("form.unsure")
    return Words("form.refused", values) if error.said else Words("form.refused_plain")


# --- the form -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Review:
    """All answers together, looked at before anything is done."""

    notes: tuple[Words, ...] = ()
    """Good to know; shown in the summary."""
    agree: tuple[Words, ...] = ()
    """Has to be agreed to: on the page by a button of its own, in chat as part of the summary."""
    subject: Words | None = None
    """What it is about, for a form that asks nothing."""
    preview: Block | None = None
    """What a customer will see of it. The page shows it and asks once more."""
    changes: tuple[Words, ...] = ()
    """What will differ afterwards. The page shows it and asks once more, as the summary in chat does."""

    @property
    def digest(self) -> str:
        """Names what was agreed to: agreement to one thing is not agreement to another."""
        said = [words_document(words) for words in (*self.changes, *self.agree)]
        seen = self.preview.text if self.preview else ""
        return hashlib.sha256(json.dumps([said, seen], sort_keys=True).encode()).hexdigest()[:16]

    @property
    def asks(self) -> bool:
        """Whether the page asks once more."""
        return bool(self.changes or self.agree or self.preview)


Check = Callable[[Desk, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that somebody sent with a page; it is there only as long as it is being read."""

    path: Path
    name: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form in functions. Its texts have keys `<name>.title`, `.intro`, `.submit`, `.cancelled`.

    `questions` says which fields there are, given what is answered so far. `review` raises Invalid for what cannot be.
    `submit` does it, and can be repeated: after a crash it is called again with the same answers. `checks` ask the
    outside about one field, as soon as it is known. All may raise Busy, Unsure and Refused.
    """

    name: str
    questions: Callable[[Desk, Answers], Awaitable[Sequence[Field]]]
    review: Callable[[Desk, Answers], Awaitable[Review]]
    submit: Callable[[Desk, Answers], Awaitable[Reply]]
    checks: Mapping[str, Check] = field(default_factory=dict)
    roles: tuple[str, ...] | None = None
    agents: bool = False
    """Opened in a customer's room it is for agents too."""
    previews: bool = False
    """What is sent is shown first, so the page's first button only goes on."""
    upload: Callable[[Desk, Answers, Uploaded], Awaitable[str]] | None = None
    """What to store for a file; may raise Invalid. An upload that is never used must do no harm."""


async def fields_of(form: Form, desk: Desk, filled: Answers, t: Translate) -> list[Field]:
    """The fields there are now, with the labels of their options in words that can be read and typed."""
    return [
        replace(one, options=tuple(replace(option, label=_spoken(option.label, t)) for option in one.options))
        for one in await form.questions(desk, filled)
    ]


def _spoken(label: str | Words, t: Translate) -> str:
    if isinstance(label, str):
        return label
    return t(label.key, **{name: str(value) for name, value in label.values.items()})


@dataclass(frozen=True, slots=True)
class Opening:
    """A command's wish to have a form filled in. `about` is what the command already knows, kept with the answers."""

    form: Form
    about: Answers = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    """What the call itself has answered already."""
    did: Act | None = None
    """For the audit log, when to look at the form is worth a record."""


# --- how far somebody has come --------------------------------------------------------------------------------------

State = Literal["open", "submitted", "done", "cancelled"]
AT_SUMMARY = "*summary"


@dataclass(frozen=True, slots=True)
class FormSession:
    """One person's form in one room. Moments are unix seconds."""

    id: str
    form: str
    person: Person
    room: RoomId
    state: State = "open"
    about: Answers = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    """Field → stored answer; an optional field that was left empty is here with an empty text."""
    secrets: Answers = field(default_factory=dict, repr=False)
    asking: str = ""
    """The field that the chat asks for now, AT_SUMMARY, or empty before the first question."""
    on_page: bool = False
    """The chat waits for the page: what is asked now must not be typed in chat."""
    shown: str = ""
    """Digest of the review that the person has seen; empty: not looked at yet, so nothing may be done."""
    revision: int = 0
    """Grows with every step: buttons of an earlier step are told apart by it."""
    ticket_hash: str = ""
    ticket_until: float = 0.0
    expires: float = 0.0
    submission: str = ""
    """Key of the entry that does it."""
    heard: str = ""
    """Key of the last entry that moved the session, and the answer it got: a repeated entry gets the same."""
    said: Reply | None = None
    problem: Words | None = None
    """Why the last attempt failed."""
    posted: str = ""
    """Names the page that was sent to do it: the same page sent twice is told from another."""

    @property
    def filled(self) -> dict[str, str]:
        return {**self.about, **self.answers, **self.secrets}

    def is_answered(self, field: Field) -> bool:
        return field.name in (self.secrets if field.kind == "secret" else self.answers)

    def with_answer(self, field: Field, value: str) -> FormSession:
        if field.kind == "shown":
            return self
        if field.kind == "secret":
            return replace(self, secrets={**self.secrets, field.name: value})
        return replace(self, answers={**self.answers, field.name: value})

    def without(self, name: str) -> FormSession:
        answers = {key: value for key, value in self.answers.items() if key != name}
        return replace(self, answers=answers, secrets={k: v for k, v in self.secrets.items() if k != name})

    def closed(self, state: State) -> FormSession:
        """Over: what was typed is forgotten, first of all the secrets."""
        return replace(self, state=state, answers={}, secrets={}, asking="", ticket_until=0.0)

    def document(self) -> dict[str, Any]:
        """As JSON. `secrets` is the part that the registry seals."""
        return {
            "id": self.id,
            "form": self.form,
            "person": {"id": self.person.id, "username": self.person.username, "name": self.person.name},
            "room": self.room,
            "state": self.state,
            "about": dict(self.about),
            "answers": dict(self.answers),
            "secrets": dict(self.secrets),
            "asking": self.asking,
            "on_page": self.on_page,
            "shown": self.shown,
            "revision": self.revision,
            "ticket_hash": self.ticket_hash,
            "ticket_until": self.ticket_until,
            "expires": self.expires,
            "submission": self.submission,
            "heard": self.heard,
            "said": self.said.document() if self.said else None,
            "problem": words_document(self.problem) if self.problem else None,
            "posted": self.posted,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> FormSession:
        """Reads what `document` wrote; unknown names of a later version are left out."""
        person = document["person"]
        known = {name: document[name] for name in (field.name for field in fields(cls)) if name in document}
        return cls(
            **{
                **known,
                "person": Person(UserId(person["id"]), person["username"], person["name"]),
                "room": RoomId(document["room"]),
                "said": Reply.of(document["said"]) if document.get("said") else None,
                "problem": words_of(document["problem"]) if document.get("problem") else None,
            }
        )
