"""A person with a phone: what they write and what their phone shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.sandbox.dialog360 import envelope
from bot.sandbox.dialog360.media import kind_of
from bot.sandbox.dialog360.state import Json, Message, Received, SandboxNumber, new_wamid

if TYPE_CHECKING:
    from bot.sandbox.dialog360.sandbox import Dialog360Sandbox


class Customer:
    """Made by `Dialog360Sandbox.customer`.

    `phone` is what one dials, `wa_id` what WhatsApp calls it; both are empty for somebody who hides the number behind a
    username. `user_id` is always there. `received` is what the phone shows, in the order of arrival.
    """

    def __init__(
        self,
        sandbox: Dialog360Sandbox,
        *,
        phone: str,
        wa_id: str,
        user_id: str,
        name: str,
        username: str,
        on_whatsapp: bool,
    ) -> None:
        self._sandbox = sandbox
        self.phone = phone
        self.wa_id = wa_id
        self.user_id = user_id
        self.name = name
        self.username = username
        self.on_whatsapp = on_whatsapp
        self.received: list[Received] = []
        self.seen_at: dict[str, float] = {}
        """When they last wrote, by phone_number_id: the customer service window."""

    async def write(
        self,
        number: SandboxNumber,
        text: str,
        *,
        reply_to: str = "",
        at: float | None = None,
    ) -> str:
        """Writes a text; returns its wamid when the first delivery was answered (or timed out)."""
        return await self.send(number, type="text", at=at, text={"body": text}, **_answering(number, reply_to))

    async def send(self, number: SandboxNumber, *, type: str, at: float | None = None, **parts: Any) -> str:
        """Any kind of message: `parts` are the keys beside `type`, as in Meta's webhook reference."""
        message = self.compose(number, type=type, at=at, **parts)
        await self._sandbox.carry(number, [message])
        return message.wamid

    def compose(self, number: SandboxNumber, *, type: str, at: float | None = None, **parts: Any) -> Message:
        """A message that was written but is not on its way yet; `Dialog360Sandbox.carry` takes one or many."""
        moment = self._sandbox.now() if at is None else at
        wamid = new_wamid()
        return self._sandbox.wrote(
            Message(wamid, number, self, True, moment, envelope.inbound(self, wamid, type, moment, parts))
        )

    async def send_file(
        self,
        number: SandboxNumber,
        data: bytes,
        mime: str,
        *,
        kind: str = "",
        caption: str = "",
        filename: str = "",
        voice: bool = False,
        reply_to: str = "",
        at: float | None = None,
    ) -> str:
        """Sends a file; its kind follows from the type unless given (image, video, audio, document, sticker)."""
        kind = kind or kind_of(mime) or "document"
        media, now = self._sandbox.media, self._sandbox.now()
        part = media.announce(media.received(number, data, mime, filename, now), now)
        extra: Json = {"caption": caption, "filename": filename if kind == "document" else ""}
        part |= {key: value for key, value in extra.items() if value}
        if kind == "audio":
            part["voice"] = voice
        if kind == "sticker":
            part["animated"] = False
        parts: Json = {kind: part, **_answering(number, reply_to)}
        return await self.send(number, type=kind, at=at, **parts)

    async def react(self, number: SandboxNumber, wamid: str, emoji: str) -> str:
        """Reacts to a message; an empty emoji takes the reaction back."""
        return await self.send(number, type="reaction", reaction={"message_id": wamid, "emoji": emoji})

    async def tap(self, received: Received, label: str) -> str:
        """Taps a reply button, a row of a list, or a quick reply of a template, by what is written on it."""
        context = {"from": received.number.digits, "id": received.wamid}
        for shown, kind, part in _choices(received, self._sandbox.quick_replies):
            if shown == label:
                parts: Json = {"context": context, kind: part}
                return await self.send(received.number, type=kind, **parts)
        raise LookupError(f"nothing to tap is labelled {label!r}")

    def choices(self, received: Received) -> list[str]:
        """What can be tapped below a message."""
        return [label for label, *_ in _choices(received, self._sandbox.quick_replies)]

    def window_open(self, number: SandboxNumber, now: float) -> bool:
        """Whether this customer wrote within 24 hours, by the time of the message."""
        return now - self.seen_at.get(number.phone_number_id, float("-inf")) < 86400


def _answering(number: SandboxNumber, wamid: str) -> Json:
    return {"context": {"from": number.digits, "id": wamid}} if wamid else {}


def _choices(
    received: Received, quick_replies: Callable[[Received], tuple[tuple[str, str], ...]]
) -> list[tuple[str, str, Json]]:
    """(label, message type, its part) of everything that can be tapped."""
    if received.body.get("type") == "template":
        return [(label, "button", {"payload": payload, "text": label}) for label, payload in quick_replies(received)]
    action: Json = received.body.get("interactive", {}).get("action", {})
    found: list[tuple[str, str, Json]] = []
    for button in action.get("buttons", []):
        reply = button["reply"]
        found.append((reply["title"], "interactive", {"type": "button_reply", "button_reply": dict(reply)}))
    for section in action.get("sections", []):
        for row in section.get("rows", []):
            found.append((row["title"], "interactive", {"type": "list_reply", "list_reply": dict(row)}))
    return found


def shown(body: Json, template: str = "") -> str:
    """The words a phone shows of an outgoing body; a file is `[image] caption`."""
    kind = str(body.get("type", "text"))
    if kind == "template":
        return template
    if kind == "text":
        return str(body["text"]["body"])
    if kind == "reaction":
        return str(body["reaction"]["emoji"])
    if kind == "location":
        place = body["location"]
        lines = [f"{place['latitude']},{place['longitude']}"]
        if place.get("name"):  # an address without a name is not shown
            lines += [place["name"], place.get("address", "")]
        return "[location] " + "\n".join(line for line in lines if line)
    if kind == "contacts":
        return "[contact] " + ", ".join(entry["name"]["formatted_name"] for entry in body["contacts"])
    if kind == "interactive":
        part = body["interactive"]
        header = part.get("header", {})
        words = [header.get("text") or (f"[{header['type']}]" if header else ""), part.get("body", {}).get("text", "")]
        return "\n\n".join(word for word in (*words, part.get("footer", {}).get("text", "")) if word)
    file = body[kind]
    return " ".join(word for word in (f"[{kind}]", file.get("filename", ""), file.get("caption", "")) if word)
