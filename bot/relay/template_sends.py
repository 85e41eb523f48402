"""One template to one customer: handed over once, shown to the agents, remembered. Handler of `template.send`."""

from __future__ import annotations

from bot.errors import NumberGone, Refused
from bot.model import ContactId, MessageId, NumberId, Pair, RoomId, Sent
from bot.ports import Entry, Journal, Json, Outcome, Registry, WhatsApp
from bot.relay.handover import hand_over, opaque_name
from bot.relay.notices import notice
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.targets import Target, Targets
from bot.relay.template_orders import is_few
from bot.relay.unseen import Unseen
from bot.rocketchat.compose import notice_id
from bot.whatsapp import compose
from bot.whatsapp.markup import inert, inert_line
from bot.whatsapp.template_send import message


class TemplateSends:
    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal,
        whatsapp: WhatsApp,
        targets: Targets,
        unseen: Unseen,
        endpoint: StatusEndpoint,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._whatsapp = whatsapp
        self._targets = targets
        self._unseen = unseen
        self._endpoint = endpoint

    async def __call__(self, entry: Entry) -> Outcome:
        body, typed = entry.body, str(entry.body["to"])
        number = await self._registry.number(NumberId(entry.source))
        if number is None:
            raise NumberGone(entry.source)
        known = await self._targets.whom(number.id, typed)
        to = compose.address(known) if known is not None else f"+{typed}" if typed.isdecimal() else typed
        target = Target(**body["target"])
        if target:
            await self._targets.remember(number.id, known.contact if known is not None else typed, target)
        names: list[str] = []

        async def make() -> Json:
            return message(to, body["template"], opaque_name(entry.key, 0))

        async def heard(sent: Sent) -> None:
            names.append(sent.wa_id)
            await self._targets.heard(number.id, typed, sent.wa_id)

        try:
            [wamid] = await hand_over(
                self._journal,
                self._whatsapp,
                entry,
                number.api_key,
                [make],
                heard=heard,
                bulk=not is_few(entry.key),
            )
        except Refused as error:
            await self._endpoint.refused(entry.key, number.id, to, body["preview"], error, template=True)
            raise
        known = await self._targets.whom(number.id, typed)  # the answer may have told who they are
        room = known.room if known is not None else None
        pair = Pair(
            wamid=wamid,
            message=notice_id(f"notice:{entry.key}") if room is not None else MessageId(""),
            room=room or RoomId(body["room"]),
            number=number.id,
            contact=known.contact if known is not None else ContactId("".join(names) or typed),
            outbound=True,
            entry=entry.key,
        )
        if room is not None:
            await self._journal.append(_shown(entry, room))
        else:
            await self._unseen.add(pair, by=_by(entry), template=_name(entry), text=_preview(entry))
        await self._endpoint.accepted([pair], to, body["preview"], template=True)
        return Outcome({"wamids": [wamid], "template": _name(entry)}, (pair,))


def _name(entry: Entry) -> str:
    return inert_line(entry.body["template"]["name"], 80)


def _by(entry: Entry) -> str:
    return inert_line(entry.body["by"], 80)


def _preview(entry: Entry) -> str:
    return "\n".join(f"> {line}" for line in inert(entry.body["preview"]).splitlines())


def _shown(entry: Entry, room: RoomId) -> Entry:
    """The template as the customer sees it, in the room where the agents are."""
    sentence = "notice.template_sent_by" if entry.body["by"] else "notice.template_sent"
    return notice(entry.key, room, sentence, text=_preview(entry), by=_by(entry), template=_name(entry))
