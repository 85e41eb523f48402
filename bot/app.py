"""The composition root: builds everything once, starts it in an order in which nothing can be lost, and stops it.

Start: storage, then the edge (webhooks are stored from the first moment, even while Rocket.Chat is away), then the
worker, the listener and the setup channel. Stop: the edge answers 503, the listener leaves, the worker finishes what it
holds, the rest stays in the journal. There is no flush, because nothing is ever only in memory.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

import commands
from bot import VERSION
from bot.chatops.command import House
from bot.chatops.dispatcher import Dispatcher
from bot.chatops.office import Office, setup_room
from bot.chatops.sessions import Sessions
from bot.chatops.setup_channel import SetupChannel
from bot.config import Settings
from bot.doctor.examine import examine
from bot.doctor.look_in import look_in_for_ever
from bot.doors import Doors, SystemClock, open_doors
from bot.handlers import TemplateParts, handlers_of, template_parts_of
from bot.metrics import Glance, Metrics, State
from bot.model import VisitorToken
from bot.ports import Clock
from bot.relay import notices
from bot.relay.api_token import api_token
from bot.relay.audit import Audit
from bot.relay.conversations import Conversations
from bot.relay.gestures import Gestures
from bot.relay.listener import Listener
from bot.relay.live_settings import LiveSettings
from bot.relay.overview import Link, Overview
from bot.relay.own_reactions import OwnReactions
from bot.relay.quotes import Quotes
from bot.relay.retention import days_kept, forget_for_ever
from bot.relay.ticks import Ticks
from bot.relay.worker import Worker
from bot.startup import Bot, begin
from bot.translations import Translator, translator
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


@asynccontextmanager
async def running(settings: Settings, clock: Clock = _clock) -> AsyncIterator[Bot]:
    """The whole bot while the block runs. It is ready when `bot.ready` is set; a part that dies ends the block."""
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        doors = await open_doors(stack, settings, clock, metrics)
        live = LiveSettings(doors.registry, settings.app, doors.alone)
        await live.load()
        t = translator(lambda: live.current.preferred_language)
        bot = Bot(settings, doors.journal, lambda: setup_room(doors.registry), lambda: doors.stream.heard_at)

        for_templates = template_parts_of(doors, live, clock, t)
        conversations = Conversations(
            doors.journal,
            doors.workspace,
            doors.registry,
            lambda number, contact: VisitorToken(doors.vault.derive("visitor token", number, contact).hex()),
            targets=for_templates.targets,
            unseen=for_templates.unseen,
            alone=doors.alone,
        )
        quotes = Quotes(
            doors.journal, doors.admin.public_setting, clock, lambda: live.current, t, url=settings.rocketchat.url
        )
        office = _office(bot, doors, live, for_templates, conversations=conversations, clock=clock)
        sessions = Sessions(doors.registry, doors.vault.derive, clock, settings.server.public_url, doors.alone)
        listener = bot.listener = Listener(
            stream=doors.stream,
            journal=doors.journal,
            workspace=doors.workspace,
            conversations=conversations,
            clock=clock,
            bot_username=bot.username,
            introduced=bot.introduced,
            setup_room=office.setup_room,
            form_rooms=sessions.rooms,
        )
        reactions = OwnReactions(doors.workspace, bot.username, doors.alone)
        ticks = Ticks(doors.journal, reactions, clock, wanted=settings.rocketchat.status_reactions)
        handlers = handlers_of(
            bot,
            doors,
            live,
            conversations=conversations,
            quotes=quotes,
            gestures=Gestures(doors.workspace, quotes, reactions, t),
            for_templates=for_templates,
            ticks=ticks,
            clock=clock,
            t=t,
        )
        worker = Worker(
            doors.journal,
            {**handlers, "audit": office.audit},
            clock,
            lambda entry, error: (*notices.of_parked(entry, error), *ticks.of_parked(entry, error)),
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
        keep = settings.storage.keep_dead_letters_days
        days = days_kept(keep)
        edge = Webhooks(doors.registry, doors.journal, clock, settings.server.app_id, guesses, days=days)
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
        routes = _routes(bot, doors, for_templates, office, edge, forms, counted, t=t, guesses=guesses)
        served = application(routes, watch=metrics.request)
        await stack.enter_async_context(serving(served, settings.server.host, settings.server.port))
        endless = (
            listener.run(),
            beginning(),
            _follow(doors.changed, live),
            forget_for_ever(doors.journal, clock, keep, for_templates.unseen),
            look_in_for_ever(doors.registry, doors.journal, doors.whatsapp, settings.server, clock),
        )
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(worker.run())
            others = [tasks.create_task(one) for one in endless]
            try:
                yield bot
            finally:
                edge.closing = True
                for_templates.orders.stopping.set()
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
    for_templates: TemplateParts,
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
        templates=for_templates.templates,
        orders=for_templates.orders,
        house=house,
        setup_channel=bot.settings.rocketchat.setup_channel,
        closing=lambda: any(isinstance(part, Webhooks) and part.closing for part in parts),
        guesses=guesses,
        audit=office.audit,
    )
    sign_ups = SignUps(
        app_id=house.app_id,
        token=house.api_token,
        journal=doors.journal,
        setting=doors.admin.public_setting,
        t=t,
        guesses=guesses,
    )
    health = HealthPages(bot.health, doors.vault.proof)
    routes = [route for part in (*parts, api, sign_ups, health) for route in part.routes()]
    return [*routes, *OpenApi(routes, version=VERSION, public_url=house.public_url).routes()]


def _metrics_page(bot: Bot, doors: Doors, metrics: Metrics, guesses: Guesses) -> MetricsPage:
    async def look() -> State:
        return State(
            ready=bot.ready.is_set() and not await bot.storing.obstacle(),
            connected=bot.connected,
            connections=doors.stream.connections,
            heard_at=doors.stream.heard_at,
            backlog=await doors.journal.backlog(),
            dead=(await doors.journal.counts())["dead"],
        )

    glance = Glance(look)

    async def text() -> bytes:
        return metrics.text(await glance.state())

    token = bot.settings.server.metrics_token.get_secret_value()
    return MetricsPage(text, token=token, guesses=guesses)


def _office(
    bot: Bot,
    doors: Doors,
    live: LiveSettings,
    for_templates: TemplateParts,
    *,
    conversations: Conversations,
    clock: Clock,
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
        templates=for_templates.templates,
        orders=for_templates.orders,
        audit=Audit(doors.journal, clock, doors.vault.derive),
        overview=Overview(
            doors.journal,
            link,
            translator(lambda: live.current.preferred_language),
            keep_days=settings.storage.keep_dead_letters_days,
        ),
        customer_of=conversations.of_room,
        commands=commands.ALL,
    )


async def run(settings: Settings) -> int:
    """Until SIGTERM or Ctrl+C."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server, folder = settings.server, settings.storage.data_dir.absolute()
    log.info("starting, on %s:%d; its folder is %s", server.host, server.port, folder)
    async with running(settings):
        await stop.wait()
        log.info("stopping: what is under way is finished, the rest waits in the journal")
    return 0
