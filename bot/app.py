"""The composition root: builds everything once, starts it in an order in which nothing can be lost, and stops it.

Start: storage, then the edge (webhooks are stored from the first moment, even while Rocket.Chat is away), then the
worker, the listener and the setup channel. Stop: the edge answers 503, the listener leaves, the worker finishes what it
holds, the rest stays in the journal. There is no flush, because nothing is ever only in memory.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

import commands
from bot import VERSION
from bot.chatops.command import House
from bot.chatops.dispatcher import Dispatcher
from bot.chatops.office import Office
from bot.chatops.overheard import FormsFirst
from bot.chatops.sessions import Sessions
from bot.chatops.setup_channel import SetupChannel
from bot.chatops.template_reports import TemplateReports
from bot.chatops.voice import Voice
from bot.config import App, Settings
from bot.doctor.examine import examine
from bot.doors import Doors, SystemClock, open_doors
from bot.metrics import Glance, Metrics, State
from bot.model import VisitorToken
from bot.ports import Clock, Handler, Kind
from bot.relay import notices
from bot.relay.afterwards import AgentEdits, AgentReactions, Closings
from bot.relay.api_token import api_token
from bot.relay.audit import Audit
from bot.relay.auto_messages import AutoMessages
from bot.relay.conversations import Conversations
from bot.relay.echoes import Echoes
from bot.relay.events import Events
from bot.relay.gestures import Gestures
from bot.relay.inbound import Inbound
from bot.relay.inbound_media import InboundMedia
from bot.relay.listener import Listener
from bot.relay.live_settings import LiveSettings
from bot.relay.numbered_lists import NumberedLists
from bot.relay.outbound import Outbound
from bot.relay.outbound_media import OutboundMedia
from bot.relay.overview import Link, Overview
from bot.relay.quotes import Quotes
from bot.relay.spool import Spool
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.statuses import Statuses
from bot.relay.targets import Targets
from bot.relay.template_orders import Orders
from bot.relay.template_sends import TemplateSends
from bot.relay.templates import Templates
from bot.relay.worker import Worker
from bot.startup import Bot, begin
from bot.translations import Translate, Translator, translator
from bot.web.auth_success import SignUps
from bot.web.forms import Forms
from bot.web.guessing import Guesses
from bot.web.health import HealthPages
from bot.web.metrics_page import MetricsPage
from bot.web.openapi import OpenApi
from bot.web.server import application, serving
from bot.web.template_api import TemplateApi
from bot.web.webhooks import Webhooks
from commands import account

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that the worker gets to finish what it holds."""


_clock: Clock = SystemClock()


@dataclass(frozen=True)
class Letters:
    """What template messages need: their definitions, their way out, and where answers go."""

    templates: Templates
    orders: Orders
    targets: Targets


@asynccontextmanager
async def running(settings: Settings, clock: Clock = _clock) -> AsyncIterator[Bot]:
    """The whole bot while the block runs. It is ready when `bot.ready` is set; a part that dies ends the block."""
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        doors = await open_doors(stack, settings, clock, metrics)
        live = LiveSettings(doors.registry, settings.app)
        await live.load()
        t = translator(lambda: live.current.preferred_language)
        bot = Bot(settings, doors.journal)

        letters = _letters(doors, live, clock, t)
        conversations = Conversations(
            doors.journal,
            doors.workspace,
            doors.registry,
            lambda number, contact: VisitorToken(doors.vault.derive("visitor token", number, contact).hex()),
            letters.targets,
            alone=doors.alone,
        )
        quotes = Quotes(
            doors.journal, doors.admin.public_setting, clock, lambda: live.current, t, url=settings.rocketchat.url
        )
        office = _office(bot, doors, live, letters, conversations=conversations, clock=clock)
        sessions = Sessions(doors.registry, doors.vault.derive, clock, settings.server.public_url, doors.alone)
        listener = bot.listener = Listener(
            stream=doors.stream,
            journal=doors.journal,
            workspace=doors.workspace,
            conversations=conversations,
            clock=clock,
            bot_username=lambda: bot.account.username if bot.account else "",
            setup_room=lambda: bot.setup_room,
            form_rooms=sessions.rooms,
        )
        handlers = _handlers(
            bot, doors, live, conversations=conversations, quotes=quotes, letters=letters, clock=clock, t=t
        )
        worker = Worker(
            doors.journal,
            {**handlers, "audit": office.audit},
            clock,
            notices.of_parked,
            watch=metrics.entry,
        )
        setup = SetupChannel(
            admin=doors.admin,
            workspace=doors.workspace,
            registry=doors.registry,
            t=t,
            name=settings.rocketchat.setup_channel,
            members=settings.rocketchat.setup_members,
            question=account.question(),
            house=office.house,
            alone=doors.alone,
        )
        guesses = Guesses(clock, settings.server.proxies)
        edge = Webhooks(doors.registry, doors.journal, clock, settings.server.app_id, guesses)
        forms = Forms(
            office=office,
            sessions=sessions,
            journal=doors.journal,
            clock=clock,
            t=t,
            public_url=settings.server.public_url,
            guesses=guesses,
        )

        def beginning() -> Coroutine[None, None, None]:
            return begin(
                bot,
                admin=doors.admin,
                setup=setup,
                listener=listener,
                dispatcher=lambda me: Dispatcher(office, sessions, me, t),
                first=(quotes.learn, sessions.sweep),
                clock=clock,
            )

        counted = _metrics_page(bot, doors, metrics, guesses)
        routes = _routes(bot, doors, letters, office, edge, forms, counted, t=t, guesses=guesses)
        served = application(routes, watch=metrics.request)
        await stack.enter_async_context(serving(served, settings.server.host, settings.server.port))
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(worker.run())
            others = [tasks.create_task(one) for one in (listener.run(), beginning(), _follow(doors.changed, live))]
            try:
                yield bot
            finally:
                edge.closing = True
                letters.orders.stopping.set()
                for task in others:
                    task.cancel()
                await worker.stop(GRACE)
                await asyncio.wait([working])


async def _follow(changed: asyncio.Event, live: LiveSettings) -> None:
    """Settings that were changed in chat at another bot count here too."""
    while True:
        await changed.wait()
        changed.clear()
        await live.load()


def _routes(
    bot: Bot,
    doors: Doors,
    letters: Letters,
    office: Office,
    *parts: Webhooks | Forms | MetricsPage,
    t: Translator,
    guesses: Guesses,
) -> list[web.RouteDef]:
    """Every address that the bot answers."""
    house = office.house
    api = TemplateApi(
        registry=doors.registry,
        journal=doors.journal,
        workspace=doors.workspace,
        templates=letters.templates,
        orders=letters.orders,
        house=house,
        setup_channel=bot.settings.rocketchat.setup_channel,
        closing=lambda: any(isinstance(part, Webhooks) and part.closing for part in parts),
        guesses=guesses,
        audit=office.audit,
    )
    sign_ups = SignUps(
        app_id=house.app_id, token=house.api_token, journal=doors.journal, t=t, guesses=guesses
    )
    health = HealthPages(bot.health, doors.vault.proof)
    routes = [route for part in (*parts, api, sign_ups, health) for route in part.routes()]
    return [*routes, *OpenApi(routes, version=VERSION, public_url=house.public_url).routes()]


def _metrics_page(bot: Bot, doors: Doors, metrics: Metrics, guesses: Guesses) -> MetricsPage:
    async def look() -> State:
        return State(
            ready=bot.ready.is_set(),
            connected=bot.connected,
            connections=doors.stream.connections,
            heard_at=doors.stream.heard_at,
            backlog=await doors.journal.backlog(),
            dead=(await doors.journal.counts())["dead"],
        )

    glance = Glance(look)

    async def text() -> bytes:
        return metrics.text(await glance.state())

    server = bot.settings.server
    token = server.metrics_token.get_secret_value()
    return MetricsPage(text, token=token, public_url=server.public_url, guesses=guesses)


def _letters(doors: Doors, live: LiveSettings, clock: Clock, t: Translate) -> Letters:
    return Letters(
        templates=Templates(doors.registry, doors.whatsapp, clock, lambda: live.current, t),
        orders=Orders(doors.journal, clock),
        targets=Targets(doors.journal, doors.workspace, clock),
    )


def _handlers(
    bot: Bot,
    doors: Doors,
    live: LiveSettings,
    *,
    conversations: Conversations,
    quotes: Quotes,
    letters: Letters,
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
        t=t,
    )
    numbered_lists = NumberedLists(journal, doors.workspace, conversations, t)
    outbound = Outbound(
        registry=registry,
        journal=journal,
        conversations=conversations,
        whatsapp=whatsapp,
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
    gestures = Gestures(doors.workspace, quotes, lambda: bot.account.username if bot.account else "", t)
    return {
        "wa.message": Inbound(
            registry=registry,
            journal=journal,
            conversations=conversations,
            media=media,
            quotes=quotes,
            gestures=gestures,
            numbered_lists=numbered_lists,
            t=t,
        ),
        "wa.media": media,
        "wa.status": Statuses(journal, endpoint),
        "wa.other": Events(doors.journal, echoes, letters.templates),
        "rc.message": FormsFirst(bot.answers_form, bot.chat, outbound),
        "rc.closed": Closings(registry, journal, conversations),
        "rc.edited": AgentEdits(journal, conversations),
        "rc.reaction": AgentReactions(registry, journal, whatsapp),
        "auto.message": AutoMessages(registry, journal, whatsapp, endpoint),
        "status.callback": endpoint,
        "template.send": TemplateSends(registry, journal, whatsapp, letters.targets, endpoint),
        "template.order": letters.orders,
        "template.report": TemplateReports(letters.orders, clock, Voice(doors.workspace, t)),
        "chat.message": bot.chat,
        "form.submit": bot.chat,
        "notice": notices.Notices(doors.workspace, bot.known_setup_room, quotes, t),
    }


def _office(
    bot: Bot, doors: Doors, live: LiveSettings, letters: Letters, *, conversations: Conversations, clock: Clock
) -> Office:
    settings = bot.settings
    configured = settings.server.api_token.get_secret_value()

    def link() -> Link:
        return Link(bot.connected, doors.stream.since, doors.stream.heard_at)

    return Office(
        workspace=doors.workspace,
        registry=doors.registry,
        whatsapp=doors.whatsapp,
        clock=clock,
        house=House(
            public_url=settings.server.public_url,
            app_id=settings.server.app_id,
            signup_url=settings.dialog360.signup_url,
            roles=tuple(settings.rocketchat.command_roles),
            api_token=api_token(configured, doors.vault.derive),
            token_is_configured=bool(configured),
        ),
        settings=live,
        condition=lambda: bot.condition(doors.admin),
        examine=lambda: examine(settings, clock),
        templates=letters.templates,
        orders=letters.orders,
        audit=Audit(doors.journal, clock, doors.vault.derive),
        overview=Overview(doors.journal, link, translator(lambda: live.current.preferred_language)),
        customer_of=conversations.of_room,
        commands=commands.ALL,
    )


async def run(settings: Settings) -> int:
    """Until SIGTERM or Ctrl+C."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with running(settings):
        await stop.wait()
        log.info("stopping: what is under way is finished, the rest waits in the journal")
    return 0
