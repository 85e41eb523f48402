"""Every way in which work can fail, as a tree. The family decides what happens; the leaf knows its sentence.

    BotError
    ├── Refused      understood, and no: park and tell            (never tried again as it is)
    │   ├── WindowClosed · NotOnWhatsApp · Undeliverable · MarketingStopped · KeyInvalid · NumberBlocked · Unpaid
    │   ├── TemplateRefused · MediaRefused · InvalidRequest
    │   ├── RoomClosed · RoomUnknown · VisitorUnknown · DepartmentUnknown · ContactBlocked · TooLong
    │   ├── AlreadyThere · NotFound
    │   ├── NumberGone · WrongNumber · GroupMessage · FileRefused
    │   └── NotAllowed · NotForYou · AddressNotAllowed
    ├── Busy         not now: again, after a while
    │   ├── RateLimited · FilesPaused · FileWaits · PairLimited · Unreachable · Trouble · Doubtful
    │   └── StorageAway · LoggedOut · NoAgentOnline · OmnichannelOff
    ├── Unsure       handed over, no answer: confirm, never a silent second send
    └── Invalid      what a person typed: ask again

`sentence` is a key of the translation catalogue; `values` fill its placeholders. Neither ever holds a secret.
`str(error)` is for logs and the journal: the class name and what the server said, cut to a sane length.
"""

from __future__ import annotations

_LONGEST = 300

SENT_SINCE = "may have been sent since"
"""How the reason ends for which a restored backup holds an entry back: whether to send it again, a person decides."""


class BotError(Exception):
    """Root of the tree."""

    sentence: str = "error.unknown"

    def __init__(self, said: str = "", **values: str | int) -> None:
        self.said = " ".join(said.split())[:_LONGEST]
        self.values: dict[str, str | int] = dict(values)
        super().__init__(f"{type(self).__name__}: {self.said}" if self.said else type(self).__name__)


class Refused(BotError):
    """The other side understood and said no."""

    sentence = "error.refused"


class WindowClosed(Refused):
    """The customer wrote more than 24 hours ago; WhatsApp takes only templates now (131047, 470)."""

    sentence = "error.window_closed"


class NotOnWhatsApp(Refused):
    """WhatsApp cannot deliver to this number: not registered, too old an app, or blocked (131026, 131030, 1013)."""

    sentence = "error.not_on_whatsapp"


class Undeliverable(Refused):
    """Meta decided not to deliver (spam, policy, experiment, country: 131048, 131049, 130472, 130497, 368)."""

    sentence = "error.undeliverable"


class MarketingStopped(Undeliverable):
    """The customer stopped marketing messages of this business (131050): no day is late enough to try it again."""

    sentence = "error.marketing_stopped"


class KeyInvalid(Refused):
    """The API key is not valid, or no longer (HTTP 401, codes 0, 190)."""

    sentence = "error.key_invalid"


class NumberBlocked(Refused):
    """The number or its account is blocked, locked or not registered (HTTP 403, 131031, 131045, 133010, …)."""

    sentence = "error.number_blocked"


class Unpaid(Refused):
    """The WhatsApp account has a payment problem (131042, 131044, "lack of payment")."""

    sentence = "error.unpaid"


class TemplateRefused(Refused):
    """WhatsApp refuses the template or its parameters (132000–132069)."""

    sentence = "error.template_refused"


class MediaRefused(Refused):
    """WhatsApp refuses the file (131052, 131053)."""

    sentence = "error.media_refused"


class InvalidRequest(Refused):
    """WhatsApp does not accept the request as it is (100, 131008, 131009, 131051)."""

    sentence = "error.invalid_request"


class RoomClosed(Refused):
    """Rocket.Chat: the conversation was closed (`room-closed`)."""

    sentence = "error.room_closed"


class RoomUnknown(Refused):
    """Rocket.Chat: no such room for this visitor (`invalid-room`)."""

    sentence = "error.room_unknown"


class VisitorUnknown(Refused):
    """Rocket.Chat: no visitor with this token (`invalid-token`)."""

    sentence = "error.visitor_unknown"


class DepartmentUnknown(Refused):
    """Rocket.Chat: no such department, or not any more (`error-invalid-department`)."""

    sentence = "error.department_unknown"


class ContactBlocked(Refused):
    """Rocket.Chat: an administrator blocked this contact (`error-contact-channel-blocked`)."""

    sentence = "error.contact_blocked"


class TooLong(Refused):
    """Rocket.Chat: longer than this workspace lets visitors write (`message-length-exceeds-character-limit`)."""

    sentence = "error.too_long"


class AlreadyThere(Refused):
    """Rocket.Chat: the name is taken (`error-duplicate-channel-name`)."""

    sentence = "error.already_there"


class NotFound(Refused):
    """The thing, or the route, does not exist on that server (HTTP 404)."""

    sentence = "error.not_found"


class NotAllowed(Refused):
    """The bot's account lacks a permission, or is asked for a second factor (HTTP 403, `totp-required`)."""

    sentence = "error.not_allowed"


class NumberGone(Refused):
    """The WhatsApp number of this entry is not connected any more. The entry can be retried once it is again."""

    sentence = "error.number_gone"


class WrongNumber(Refused):
    """A delivery came in on one number's address but names another connected number."""

    sentence = "error.wrong_number"


class GroupMessage(Refused):
    """A message of a WhatsApp group: not a private conversation, so no agent's room is the right one."""

    sentence = "error.group_message"


class FileRefused(Refused):
    """A file is over a limit, of a type that is not accepted, or damaged. Whoever checks says which, by `sentence`."""

    def __init__(self, sentence: str, said: str = "", **values: str | int) -> None:
        super().__init__(said or sentence, **values)
        self.values["said"] = self.said if said else ""
        self.sentence = sentence


class AddressNotAllowed(Refused):
    """An address that an administrator gave is no web address, or leads where only the configuration file may lead."""

    sentence = "error.address_not_allowed"


class NotForYou(Refused):
    """A person without the configured role tried to use a command."""

    sentence = "error.not_for_you"


class Busy(BotError):
    """Not now. `after` seconds when the server said how long, else None."""

    sentence = "error.busy"

    def __init__(self, said: str = "", after: float | None = None, **values: str | int) -> None:
        super().__init__(said, **values)
        self.after = after


class RateLimited(Busy):
    """Too many requests (HTTP 429, 130429, 80007, 4, and 360Dialog's 400 "endpoint rate limit")."""


class FilesPaused(RateLimited):
    """So many files of a number could not be fetched that 360Dialog would soon lock it; no more are asked for."""

    sentence = "error.files_paused"


class FileWaits(Busy):
    """A customer's file that cannot be fetched until the server, or an administrator, has mended something. Its
    sentence and its text are those of the trouble itself."""


class PairLimited(Busy):
    """Too many messages to this one customer (131056): only this conversation waits."""


class Unreachable(Busy):
    """No connection was made, so nothing was handed over."""

    sentence = "error.unreachable"


class Trouble(Busy):
    """The server failed on its side and says so (5xx, codes 1, 2, 131000, 131016, `is_transient`)."""


class Doubtful(Trouble):
    """The server says that it failed, perhaps after it had taken the message. It is sent again, but only when no status
    has told within a while that it is on its way."""


class StorageAway(Busy):
    """What the bot stores could not be reached in the time that somebody may be kept waiting."""

    sentence = "error.storage_away"


class LoggedOut(Busy):
    """Rocket.Chat does not accept the bot's login at the moment: what has to go there waits for a new one."""

    sentence = "error.logged_out"


class NoAgentOnline(Busy):
    """Rocket.Chat takes no new conversation while no agent is available (`no-agent-online`). A normal state."""

    sentence = "error.no_agent_online"


class OmnichannelOff(Busy):
    """Omnichannel is switched off in this workspace (`error-omnichannel-is-disabled`)."""

    sentence = "error.omnichannel_off"


class Unsure(BotError):
    """The request went out and no usable answer came back: it may or may not have taken effect."""

    sentence = "error.unsure"


class Invalid(BotError):
    """What a person typed cannot be used. `sentence` is given by whoever checks; `field` names the form field."""

    def __init__(self, sentence: str, field: str = "", **values: str | int) -> None:
        super().__init__(sentence)
        self.values = dict(values)
        self.sentence = sentence
        self.field = field
