"""Which handler does which kind of entry, and what the handlers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.chatops.overheard import FormsFirst
from bot.chatops.template_reports import TemplateReports
from bot.chatops.voice import Voice
from bot.config import App
from bot.doors import Doors
from bot.ports import Clock, Handler, Kind
from bot.relay import notices
from bot.relay.afterwards import AgentEdits, AgentReactions, Closings
from bot.relay.as_it_stands import AsItStands
from bot.relay.auto_messages import AutoMessages
from bot.relay.conversations import Conversations
from bot.relay.echoes import Echoes
from bot.relay.events import Events
from bot.relay.gestures import Gestures
from bot.relay.inbound import Inbound
from bot.relay.inbound_media import InboundMedia
from bot.relay.late import Late
from bot.relay.live_settings import LiveSettings
from bot.relay.numbered_lists import NumberedLists
from bot.relay.outbound import Outbound
from bot.relay.outbound_media import OutboundMedia
from bot.relay.quotes import Quotes
from bot.relay.spool import Spool
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.statuses import Statuses
from bot.relay.targets import Targets
from bot.relay.template_orders import Orders
from bot.relay.template_sends import TemplateSends
from bot.relay.templates import Templates
from bot.relay.ticks import Ticks
from bot.relay.unseen import Unseen
from bot.startup import Bot
from bot.translations import Translate


@dataclass(frozen=True)
class TemplateParts:
    """Everything that template messages need: their definitions, the orders to send them, where an answer to one is to
    go, and the templates that agents have not seen yet."""

    templates: Templates
    orders: Orders
    targets: Targets
    unseen: Unseen


def template_parts_of(doors: Doors, live: LiveSettings, clock: Clock, t: Translate) -> TemplateParts:
    return TemplateParts(
        templates=Templates(doors.registry, doors.whatsapp, clock, lambda: live.current, t),
        orders=Orders(doors.journal, clock),
        targets=Targets(doors.journal, doors.workspace, clock),
        unseen=Unseen(doors.journal, clock, doors.alone),
    )


def handlers_of(
    bot: Bot,
    doors: Doors,
    live: LiveSettings,
    *,
    conversations: Conversations,
    quotes: Quotes,
    gestures: Gestures,
    for_templates: TemplateParts,
    ticks: Ticks,
    clock: Clock,
    t: Translate,
) -> Mapping[Kind, Handler]:
    def app() -> App:
        return live.current

    def from_file() -> bool:
        return "message_status_endpoint_url" not in live.chosen

    journal, registry, whatsapp = doors.journal, doors.registry, doors.whatsapp
    endpoint = StatusEndpoint(
        journal=journal,
        workspace=doors.workspace,
        outgoing=doors.outgoing,
        clock=clock,
        app=app,
        private=from_file,
    )
    spool = Spool(bot.settings.storage.data_dir / "files")
    media = InboundMedia(
        journal=journal,
        registry=registry,
        workspace=doors.workspace,
        whatsapp=whatsapp,
        conversations=conversations,
        spool=spool,
        clock=clock,
        app=app,
        bots=lambda: doors.others.bots,
        t=t,
    )
    numbered_lists = NumberedLists(journal, doors.workspace, conversations, t)
    outbound = Outbound(
        registry=registry,
        journal=journal,
        conversations=conversations,
        whatsapp=whatsapp,
        as_it_stands=AsItStands(doors.workspace, clock),
        files=OutboundMedia(journal, doors.workspace, whatsapp, spool, app),
        numbered_lists=numbered_lists,
        endpoint=endpoint,
        app=app,
        t=t,
    )
    echoes = Echoes(
        registry=registry,
        journal=journal,
        workspace=doors.workspace,
        conversations=conversations,
        quotes=quotes,
        t=t,
    )
    late = Late(journal, clock)
    return {
        "wa.message": Inbound(
            registry=registry,
            journal=journal,
            conversations=conversations,
            media=media,
            quotes=quotes,
            gestures=gestures,
            numbered_lists=numbered_lists,
            clock=clock,
            t=t,
        ),
        "wa.media": media,
        "wa.status": Statuses(journal, endpoint, ticks),
        "wa.other": Events(doors.journal, echoes, for_templates.templates),
        "rc.message": FormsFirst(bot.answers_form, bot.chat, late.watching(outbound)),
        "rc.closed": Closings(registry, journal, conversations),
        "rc.edited": AgentEdits(journal, conversations),
        "rc.reaction": AgentReactions(registry, journal, whatsapp),
        "auto.message": AutoMessages(registry, journal, whatsapp, endpoint),
        "status.callback": endpoint,
        "tick": ticks,
        "late": late,
        "template.send": TemplateSends(
            registry=registry,
            journal=journal,
            whatsapp=whatsapp,
            targets=for_templates.targets,
            unseen=for_templates.unseen,
            endpoint=endpoint,
        ),
        "template.order": for_templates.orders,
        "template.report": TemplateReports(for_templates.orders, clock, Voice(doors.workspace, t)),
        "chat.message": bot.chat,
        "form.submit": bot.chat,
        "notice": notices.Notices(
            journal=journal,
            workspace=doors.workspace,
            setup_room=bot.known_setup_room,
            setup_lost=bot.lost_setup.set,
            quotes=quotes,
            ticks=ticks,
            t=t,
        ),
    }
