"""`POST …/templateMessage`: other programs send a template to up to 250 people at once.

Request and answers are those of the original app (developer.rocket.chat: send template messages), so that callers
change only the host and the key. What is added: an `Idempotency-Key` header, under which a request is done once however
often it is sent, and errors that say where in the request they are.

Before the answer the request is on the disk, and the outcome of its sends is waited for, but not for long. What
WhatsApp refuses by then is told: people whom it cannot reach are `invalidContacts`, beside what is no phone number;
when nobody got the template, the answer is an error with the reason. Everything that still waits counts as success and
is sent; most of "not on WhatsApp" comes later, by status, for the Cloud API has no contact check. Asked again under
the same key, the answer is what is known by then.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from bot.chatops.command import Act, House
from bot.errors import BotError, NotOnWhatsApp, Refused, StorageAway
from bot.model import Department, Number
from bot.ports import Journal, Registry, Workspace
from bot.relay.api_token import is_token
from bot.relay.audit import API, Audit
from bot.relay.masking import place_of
from bot.relay.targets import Target
from bot.relay.template_orders import Order, Orders, Result
from bot.relay.templates import Templates
from bot.web.guessing import Guesses
from bot.web.in_time import InTime
from bot.web.server import is_compressed
from bot.web.template_request import MOST, TemplateMessage, first_problem, problem_of_parameters
from bot.whatsapp.phones import region_of, understood
from bot.whatsapp.raw import line
from bot.whatsapp.template_preview import plain_preview, values_of
from bot.whatsapp.template_send import arranged

T = TypeVar("T")

log = logging.getLogger(__name__)

_PATIENCE = 3.0
_OUTCOME = 4.0
"""Seconds for which the sends of a request are waited for."""
_DETAILS = "Error occurred while processing request. Details: "
_AWAY = (
    "The bot's storage does not answer. Send the request again in a minute; with an Idempotency-Key it is done once, "
    "even if this one was stored."
)
LARGEST = 512 * 1024
"""Bytes of a request."""
_GUESSING = (
    "Too many wrong keys came from your address. Wait as long as Retry-After says (seconds), then use the right one."
)
_LONGEST_KEY = 255
_PHONE = re.compile(r"\+?[1-9]\d{6,14}", re.ASCII)
_NUMBER = re.compile(r"\d{5,20}", re.ASCII)
"""A phone number, or the id that Meta has for one of a business."""
_SEPARATORS = re.compile(r"[\s().\-\u2010-\u2015/]|(?<!^)\+")


class NotTaken(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class TemplateApi:
    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal,
        workspace: Workspace,
        templates: Templates,
        orders: Orders,
        house: House,
        setup_channel: str,
        closing: Callable[[], bool],
        guesses: Guesses,
        audit: Audit,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._workspace = workspace
        self._templates = templates
        self._orders = orders
        self._path = f"/api/apps/private/{house.app_id}/{{key}}/templateMessage"
        self._token = house.api_token
        self._setup_channel = setup_channel
        self._closing = closing
        self._guesses = guesses
        self._audit = audit
        self._in_time = InTime()

    def routes(self) -> list[web.RouteDef]:
        return [web.post(self._path, self.send)]

    async def send(self, request: web.Request) -> web.Response:
        """Send a template message.

        200 accepted, it was sent or will be · 400 the request is wrong, the text says where · 401 wrong key ·
        413 too large · 415 compressed · 422 this Idempotency-Key was used for another request · 429 too many wrong
        keys · 500 nobody got it, the text has WhatsApp's reason, or trouble on this side · 503 not now, send it
        again."""
        try:
            self._guesses.check(request)
            if not is_token(request.match_info["key"], self._token):
                self._guesses.wrong(request)
                raise NotTaken(401, "The key in the address is not valid.")
            if self._closing():
                raise NotTaken(503, "The bot is stopping. Send the request again in a moment.")
            asked = read_request(await _body(request))
            number = await self._number(asked.connectedWhatsAppNo)
            recipients, invalid = _contacts(asked.phoneNumbers, region_of(number.phone))
            order = await self._accept(request, asked, number, recipients)
            return _answer(await self._results(order) if order else [], invalid)
        except NotTaken as no:
            return web.json_response({"success": False, "error": no.text}, status=no.status)
        except web.HTTPTooManyRequests as no:
            headers = {"Retry-After": no.headers["Retry-After"]}  # the others are those of a text
            return web.json_response({"success": False, "error": _GUESSING}, status=no.status, headers=headers)
        except StorageAway as error:
            log.error("a templateMessage request could not be stored: %s", error)
            return web.json_response({"success": False, "error": _AWAY}, status=503)
        except BotError as error:
            log.warning("a templateMessage request could not be taken: %s", error)
            text = f"{_DETAILS}{error}"
            return web.json_response({"success": False, "error": text}, status=500)
        except Exception as error:
            log.error("a templateMessage request failed: %s %s", type(error).__name__, place_of(error))
            text = f"{_DETAILS}internal error"
            return web.json_response({"success": False, "error": text}, status=500)

    async def _accept(
        self, request: web.Request, asked: TemplateMessage, number: Number, recipients: tuple[str, ...]
    ) -> Order | None:
        target = Target(await self._agent(asked.targetAgent), await self._department(asked.targetDepartment))
        if not recipients:
            return None
        template = arranged(asked.template.model_dump(exclude_none=True))
        order = Order(
            id=_id(request.headers.get("Idempotency-Key")),
            number=number.id,
            template=template,
            recipients=recipients,
            preview=await self._preview(number, template),
            target=target,
            fingerprint=hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:32],
        )
        about = {"template": template["name"], "number": number.phone, "recipients": len(recipients)}
        act = Act("send-template", about)
        given = self._orders.give(order, self._audit.entry(order.key, act, who="API", origin=API))
        if await self._in_time(given):
            return order
        earlier = await self._in_time(self._journal.find(order.key))
        known = (earlier.result or earlier.entry.body).get("fingerprint") if earlier is not None else None
        if known != order.fingerprint:
            raise NotTaken(422, "This Idempotency-Key was used for another request.")
        return order

    async def _results(self, order: Order) -> list[Result]:
        """What is stored is accepted, also when nobody can say what became of it."""
        with suppress(StorageAway):
            return await self._in_time(self._orders.results(order, _OUTCOME))
        return []

    async def _number(self, asked: str) -> Number:
        digits = _SEPARATORS.sub("", asked).lstrip("+")
        if not _NUMBER.fullmatch(digits):
            raise NotTaken(
                400,
                f"Connected WhatsApp Number (connectedWhatsAppNo) i.e. {line(asked, 60)} is not a valid WhatsApp "
                "contact. Contact Status is invalid",
            )
        found = [one for one in await self._in_time(self._registry.numbers()) if one.connected_at]
        for one in found:
            if digits in (one.id, one.phone_number_id):
                return one
        raise NotTaken(
            400,
            f"Error! Connected WhatsApp Number (connectedWhatsAppNo) i.e. {line(asked, 60)} has not been registered "
            f"yet on Rocket.Chat. Please goto #{self._setup_channel} channel and connect this WhatsApp number first "
            "there before sending this request again.",
        )

    async def _agent(self, username: str | None) -> str:
        if not username:
            return ""
        found: str | None = await _as_far_as_allowed(lambda: self._workspace.agent(username), username)
        if found is None:
            raise NotTaken(400, f"No Agent found with username {line(username, 100)}")
        return username.lstrip("@")

    async def _department(self, wanted: str | None) -> str:
        """By id, or by name in any case."""
        if not wanted:
            return ""
        unknown: list[Department] = [Department(wanted, wanted)]
        found = await _as_far_as_allowed(self._workspace.departments, unknown)
        by_name = [one for one in found if one.name.casefold() == wanted.casefold()]
        for one in (*(one for one in found if one.id == wanted), *by_name):
            if one.enabled:
                return one.id
        raise NotTaken(400, f"No Department found with id/Name {line(wanted, 100)}")

    async def _preview(self, number: Number, template: dict[str, Any]) -> str:
        """As far as the definition is known. 360Dialog is asked only when there is no list at all, and not for long."""
        shelf = await self._in_time(self._templates.known(number))
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                shelf = shelf or await self._templates.of(number)
        found = shelf.find(f"{template['name']}|{template['language']['code']}") if shelf else None
        components = template.get("components", [])
        if found is None:
            return plain_preview(template["name"], components)
        return self._templates.preview(found, values_of(found, components))


def _answer(results: Sequence[Result], invalid: list[str]) -> web.Response:
    """An error only when surely nobody got it, so that whoever sends it again reaches nobody twice."""
    refused = {result.to: result.why.partition(": ") for result in results if result.state == "failed"}
    failed = {to: said or name for to, (name, _, said) in refused.items() if name != NotOnWhatsApp.__name__}
    if failed and len(refused) == len(results):
        reasons = "; ".join(dict.fromkeys(failed.values()))
        return web.json_response({"success": False, "error": f"{_DETAILS}{line(reasons, 500)}"}, status=500)
    answer: dict[str, Any] = {"success": True}
    if invalid := [*invalid, *(to for to in refused if to not in failed)]:
        answer["invalidContacts"] = invalid
    if failed:
        answer["failedContacts"] = [{"contact": to, "error": why} for to, why in failed.items()]
    return web.json_response(answer)


async def _as_far_as_allowed(ask: Callable[[], Awaitable[T]], otherwise: T) -> T:
    """When the bot's account may not look, the caller is believed; an unknown target is passed over later."""
    try:
        return await ask()
    except Refused as error:
        log.warning("a target of templateMessage could not be checked: %s", error)
        return otherwise


async def _body(request: web.Request) -> bytes:
    if is_compressed(request):
        raise NotTaken(415, "The request is compressed. Send it as it is, without Content-Encoding.")
    try:
        return await request.clone(client_max_size=LARGEST).read()
    except web.HTTPRequestEntityTooLarge:
        raise NotTaken(413, f"The request is larger than {LARGEST} bytes.") from None


def read_request(body: bytes) -> TemplateMessage:
    try:
        data = json.loads(body)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotTaken(400, f"The request is not valid JSON: {error.msg}, {where}") from None
    except (ValueError, RecursionError):
        raise NotTaken(400, "The request is not valid JSON in UTF-8.") from None
    numbers = data.get("phoneNumbers") if isinstance(data, dict) else None
    if isinstance(numbers, list) and len(numbers) > MOST:
        raise NotTaken(400, f"Too many phone numbers! Please make sure that phoneNumbers are <= {MOST}")
    try:
        asked = TemplateMessage.model_validate(data)
    except ValidationError as error:
        raise NotTaken(400, first_problem(error)) from None
    problem = problem_of_parameters(asked)
    if problem:
        raise NotTaken(400, problem)
    return asked


def _contacts(numbers: list[str], region: str) -> tuple[tuple[str, ...], list[str]]:
    """Digits of each number once, and what is no phone number, as it was given."""
    read = {given: _phone(given, region) for given in numbers}
    good = dict.fromkeys(digits for digits in read.values() if digits)
    return tuple(good), [line(given, 100) for given, digits in read.items() if not digits]


def _phone(given: str, region: str) -> str | None:
    """`+49 170 1234567` → `491701234567`. As it is given: WhatsApp alone knows which numbers there are. A number that
    begins with a nought is read as people type it, for no country code does."""
    compact = _SEPARATORS.sub("", given)
    if compact.startswith("0"):
        return understood(given, region)
    return compact.lstrip("+") if _PHONE.fullmatch(compact) else None


def _id(key: str | None) -> str:
    if not key:
        return uuid.uuid4().hex
    if len(key) > _LONGEST_KEY:
        raise NotTaken(400, f"The Idempotency-Key is longer than {_LONGEST_KEY} characters.")
    return hashlib.sha256(f"idempotency {key}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
