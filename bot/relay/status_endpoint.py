"""Tells the administrator's own system what becomes of each message (setting `message_status_endpoint_url`).

One POST for each change, with the fields of the original app (developer.rocket.chat: monitoring WhatsApp messages):
`msId`, `message`, `mobileNo` (digits), `connectedWhatsAppNo`, `MessageStatus` (queued, sent, delivered, read, failed,
deleted), `ErrorDetails`, `type` (Template-Message, Regular-Message), `timestamp` (ISO 8601, when the change was noted).
A message that WhatsApp refused at once never got an id: it has no `msId`.

The system is also told the text of the message. The bot does not keep texts for that longer than a call waits: it has
the latest ones in memory, and asks Rocket.Chat for older ones. Calls wait in a few lanes of their own, so that a slow
or dead system holds no conversation up.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.config import App
from bot.errors import BotError, Refused
from bot.model import NumberId, Pair, Status, Wamid, WireError
from bot.ports import Clock, Entry, Journal, Outcome, Outgoing, Workspace
from bot.rocketchat.parse import chat_message
from bot.whatsapp.markup import from_rocketchat

STATES = frozenset({"queued", "sent", "delivered", "read", "failed", "deleted"})
_LANES = 4
_REMEMBERED = 2000


class StatusEndpoint:
    """Handler of `status.callback` entries, and the one who writes them.

    `private()`: whether the address may be inside the network, which only the configuration file can say.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        workspace: Workspace,
        outgoing: Outgoing,
        clock: Clock,
        app: Callable[[], App],
        private: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._workspace = workspace
        self._outgoing = outgoing
        self._clock = clock
        self._app = app
        self._private = private
        self._texts: OrderedDict[Wamid, str] = OrderedDict()

    async def accepted(self, pairs: Iterable[Pair], to: str, text: str, *, template: bool = False) -> None:
        """WhatsApp has taken these."""
        if not self._wants(template):
            return
        for pair in pairs:
            self._texts[pair.wamid] = text
            if len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)
        await self._journal.append(*(self._of_pair(pair, "queued", to, template=template) for pair in pairs))

    async def refused(
        self, key: str, number: NumberId, to: str, text: str, error: BotError, *, template: bool = False
    ) -> None:
        """WhatsApp did not take it. `key` is that of the entry that sends it."""
        if self._wants(template):
            fields = {"mobileNo": _digits(to), "connectedWhatsAppNo": number, "MessageStatus": "failed"}
            fields |= {"type": _type(template), "message": text, "ErrorDetails": error.said or type(error).__name__}
            await self._journal.append(self._entry(f"{key}:failed", to, fields))

    async def changed(self, pair: Pair, status: Status) -> None:
        """A status webhook told something new."""
        if status.state not in STATES or not self._app().message_status_endpoint_url:
            return
        made_by = await self._journal.find(pair.entry)
        template = made_by is not None and made_by.entry.kind == "template.send"
        if self._wants(template):
            to = status.recipient or pair.contact
            await self._journal.append(self._of_pair(pair, status.state, to, status.errors, template=template))

    async def __call__(self, entry: Entry) -> Outcome:
        url = self._app().message_status_endpoint_url
        if not url:
            return Outcome({"ignored": "there is no status endpoint any more"})
        fields = dict(entry.body["fields"])
        if "message" not in fields:
            fields["message"] = await self._text(entry.body)
        await self._outgoing.post(url, fields, private=self._private())
        return Outcome({"told": fields["MessageStatus"]})

    def _wants(self, template: bool) -> bool:
        app = self._app()
        wanted = app.message_status_filter
        return bool(app.message_status_endpoint_url) and wanted in ("all", "template" if template else "regular")

    def _of_pair(self, pair: Pair, state: str, to: str, errors: tuple[WireError, ...] = (), *, template: bool) -> Entry:
        fields: dict[str, Any] = {
            "msId": pair.wamid,
            "mobileNo": _digits(to),
            "connectedWhatsAppNo": pair.number,
            "MessageStatus": state,
            "type": _type(template),
        }
        if pair.wamid in self._texts:
            fields["message"] = self._texts[pair.wamid]
        if errors:
            fields["ErrorDetails"] = [_error(error) for error in errors]
        return self._entry(f"{pair.wamid}:{state}", pair.contact, fields, pair.message)

    def _entry(self, id: str, contact: str, fields: Mapping[str, Any], message: str = "") -> Entry:
        now = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")
        body = {"fields": {**fields, "timestamp": now.replace("+00:00", "Z")}, "message_id": message}
        lane = zlib.crc32(contact.encode()) % _LANES
        return Entry(key=f"callback:{id}", lane=f"callback:{lane}", kind="status.callback", body=body)

    async def _text(self, body: Mapping[str, Any]) -> str:
        known = self._texts.get(Wamid(body["fields"].get("msId", "")))
        if known is not None or not body["message_id"]:
            return known or ""
        try:
            raw = await self._workspace.message(body["message_id"])
        except Refused:
            return ""
        message = chat_message(raw) if raw is not None else None
        if message is None:
            return ""
        return from_rocketchat(message.text) or ", ".join(file.name for file in message.files)


def _digits(to: str) -> str:
    """A customer is one and the same in all calls: sent to as `+49…`, WhatsApp speaks of `49…`."""
    return to.removeprefix("+")


def _type(template: bool) -> str:
    return "Template-Message" if template else "Regular-Message"


def _error(error: WireError) -> dict[str, Any]:
    """As WhatsApp words it (Meta: whatsapp/webhooks/reference/messages/status)."""
    told: dict[str, Any] = {"code": error.code, "title": error.title}
    return {**told, "error_data": {"details": error.details}} if error.details else told
