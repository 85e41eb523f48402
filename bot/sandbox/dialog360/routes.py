"""The endpoints of waba-v2. The key selects the number; paths hold neither number ids nor versions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from bot.sandbox.dialog360.media import PATH
from bot.sandbox.dialog360.refusals import Json, gateway, gateway_text, graph, invalid_key
from bot.sandbox.dialog360.state import Call, SandboxNumber
from bot.sandbox.dialog360.webhooks import check_registration

if TYPE_CHECKING:
    from bot.sandbox.dialog360.sandbox import Dialog360Sandbox

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CALL = web.RequestKey("call", Call)
_MAX_UPLOAD = 101 * 1024 * 1024


def add(app: web.Application, sandbox: Dialog360Sandbox) -> None:
    api = _Api(sandbox)
    app.add_routes(
        [
            web.post("/messages", api.keyed(api.send)),
            web.post("/media", api.keyed(api.upload)),
            web.get(PATH, api.keyed(api.download)),
            web.get("/v1/configs/webhook", api.keyed(api.webhook)),
            web.post("/v1/configs/webhook", api.keyed(api.set_webhook)),
            web.get("/v1/configs/templates", api.keyed(api.old_templates)),
            web.post("/v1/configs/templates", api.keyed(api.create_old_template)),
            web.delete("/v1/configs/templates/{name}", api.keyed(api.delete_old_template)),
            web.get("/message_templates", api.keyed(api.templates)),
            web.post("/message_templates", api.keyed(api.create_template)),
            web.delete("/message_templates", api.keyed(api.delete_template)),
            web.get(r"/message_templates/{id:\d+}", api.keyed(api.template)),
            web.get("/health_status", api.keyed(api.health)),
            web.get("/whatsapp_business_profile", api.keyed(api.profile)),
            web.post("/whatsapp_business_profile", api.keyed(api.set_profile)),
            web.get(r"/{media_id:\d+}", api.keyed(api.media)),
            web.delete(r"/{media_id:\d+}", api.keyed(api.delete_media)),
        ]
    )


class _Api:
    def __init__(self, sandbox: Dialog360Sandbox) -> None:
        self._sandbox = sandbox

    def keyed(self, handler: Callable[[web.Request, SandboxNumber], Awaitable[web.StreamResponse]]) -> Handler:
        """Lets in only who brings a living key."""

        async def checked(request: web.Request) -> web.StreamResponse:
            number = self._sandbox.numbers.get(request.headers.get("D360-API-KEY", ""))
            if number is None:
                raise invalid_key()
            return await handler(request, number)

        return checked

    async def send(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        if number.health == "BLOCKED":
            raise gateway(400, "Your WhatsApp for Business API has been disabled")
        return web.json_response(await self._sandbox.outbox.post(number, await _json(request)))

    # --- media --------------------------------------------------------------------------------------------------

    async def upload(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        self._sandbox.limits.upload(number.phone_number_id, self._sandbox.now())
        if request.content_type != "multipart/form-data":
            raise graph(100, "The parameter messaging_product is required.")
        product, data, mime, name = "", None, "", ""
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise graph(100, "Invalid parameter")
            if part.name == "file":
                data, mime, name = await _bounded(part), part.headers.get("Content-Type", ""), part.filename or ""
            elif part.name == "messaging_product":
                product = await part.text()
        request[CALL].body = {"messaging_product": product, "file": name, "type": mime, "size": len(data or b"")}
        if product != "whatsapp":
            raise graph(100, "The parameter messaging_product is required.")
        if data is None:
            raise graph(100, "The parameter file is required.")
        file = self._sandbox.media.upload(number, data, mime, name, self._sandbox.now())
        return web.json_response({"id": file.id})

    async def media(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        now, key = self._sandbox.now(), number.phone_number_id
        self._sandbox.limits.media_look(key, now)
        file = self._sandbox.media.find(number, request.match_info["media_id"], now)
        if file is None:
            self._sandbox.limits.media_error(key, now)
        found = self._sandbox.media.require(number, request.match_info["media_id"], now)
        # PHP writes slashes escaped; a client that cuts the address out of the text instead of decoding it fails here.
        text = json.dumps(self._sandbox.media.describe(found, now)).replace("/", "\\/")
        return web.Response(text=text, content_type="application/json")

    async def delete_media(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        self._sandbox.media.delete(number, request.match_info["media_id"], self._sandbox.now())
        return web.json_response({"success": True})

    async def download(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        mid, ext, hash = (request.query.get(name, "") for name in ("mid", "ext", "hash"))
        file = self._sandbox.media.open(number, mid, ext, hash, self._sandbox.now())
        if file is None:
            raise web.HTTPNotFound
        cut = self._sandbox.cut_downloads_after
        if cut is None:
            return web.Response(body=file.data, headers={"Content-Type": file.mime})
        answer = web.StreamResponse(headers={"Content-Type": file.mime, "Content-Length": str(len(file.data))})
        await answer.prepare(request)
        await answer.write(file.data[:cut])
        if request.transport is not None:
            request.transport.close()
        return answer

    # --- settings -----------------------------------------------------------------------------------------------

    async def webhook(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        if number.webhook is not None:
            return web.json_response(number.webhook)
        if self._sandbox.unset_webhook_status == 200:
            return web.json_response({"url": "", "headers": {}})
        raise gateway(self._sandbox.unset_webhook_status, "Webhook not found")

    async def set_webhook(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        number.webhook = check_registration(await _json(request), allow_local=self._sandbox.allow_local_webhooks)
        self._sandbox.announce("webhook", number)
        return web.json_response(number.webhook)

    async def health(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        """`fields` adds what stands beside the health (360Dialog: "Messaging health status")."""
        fields = request.query.get("fields", "health_status").split(",")
        everything: Json = {
            "health_status": _health(number),
            "display_phone_number": number.phone,
            "verified_name": number.name,
            "name_status": "APPROVED",
            "quality_rating": number.quality,
        }
        for field in fields:
            if field not in (*everything, "id"):
                raise graph(100, f"Tried accessing nonexisting field ({field[:40]})")
        shown = {field: everything[field] for field in fields if field != "id"}
        return web.json_response({**shown, "id": number.phone_number_id})

    async def profile(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        return web.json_response({"data": [{**number.profile, "messaging_product": "whatsapp"}]})

    async def set_profile(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        body = await _json(request)
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise graph(100, "The parameter messaging_product is required.")
        limits = {"about": 139, "address": 256, "description": 512, "email": 128}
        for name, most in limits.items():
            if not isinstance(body.get(name, ""), str) or len(body.get(name, "")) > most:
                raise graph(100, f"Param {name} must be at most {most} characters long.")
        number.profile |= {name: value for name, value in body.items() if name != "messaging_product"}
        return web.json_response({"success": True})

    # --- templates ----------------------------------------------------------------------------------------------

    async def templates(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        return web.json_response(self._sandbox.templates(number).page(request.query))

    async def template(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        found = self._sandbox.templates(number).by_id(request.match_info["id"])
        if found is None:
            raise graph(100, f"Object with ID '{request.match_info['id'][:40]}' does not exist", subcode=33)
        return web.json_response(found)

    async def create_template(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        made = self._sandbox.templates(number).create(await _json(request))
        return web.json_response({"id": made["id"], "status": made["status"], "category": made["category"]})

    async def delete_template(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        self._sandbox.templates(number).remove(request.query.get("name", ""))
        return web.json_response({"success": True})

    async def old_templates(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        return web.json_response(self._sandbox.templates(number).old_page(request.query))

    async def create_old_template(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        templates = self._sandbox.templates(number)
        return web.json_response(templates.old_form(templates.create(await _json(request))), status=201)

    async def delete_old_template(self, request: web.Request, number: SandboxNumber) -> web.StreamResponse:
        self._sandbox.templates(number).remove(request.match_info["name"])
        return web.json_response({"meta": {"success": True, "http_code": 200}})


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise gateway_text(400, "Content-Type must be application/json")
    try:
        return json.loads(await request.read())
    except ValueError:
        raise graph(100, "Invalid JSON in request body") from None


async def _bounded(part: BodyPartReader) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk():
        data += chunk
        if len(data) > _MAX_UPLOAD:
            raise web.HTTPRequestEntityTooLarge(max_size=_MAX_UPLOAD, actual_size=len(data))
    return bytes(data)


def _health(number: SandboxNumber) -> Json:
    entities: list[Json] = []
    ids = {"PHONE_NUMBER": number.phone_number_id, "WABA": number.waba_id, "BUSINESS": "10203040506070"}
    for kind, id in ids.items():
        entity: Json = {"entity_type": kind, "id": id, "can_send_message": "AVAILABLE"}
        if kind == "PHONE_NUMBER" and number.health != "AVAILABLE":
            entity["can_send_message"] = number.health
            entity |= _TROUBLE[number.health]
        entities.append(entity)
    return {"can_send_message": number.health, "entities": entities}


_TROUBLE: dict[str, Json] = {
    "LIMITED": {"additional_info": ["Your display name has not been approved yet."]},
    "BLOCKED": {
        "errors": [
            {
                "error_code": 141000,
                "error_description": "There is an error with the phone number.",
                "possible_solution": "Contact support.",
            }
        ]
    },
}
