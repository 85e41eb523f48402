"""The OpenAPI document of every HTTP endpoint, made from the running routes themselves; served at `/openapi.json`.

A handler's docstring is its documentation: the first sentence is the summary, and `200 done · 404 unknown` are its
answers. What a request and its answers hold is taken from the definitions that read them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.model import HOOK_HEADER
from bot.web.template_request import Accepted, Failed, TemplateMessage

_PATH = "/openapi.json"
_ANSWER = re.compile(r"(?:^|[\s·])([1-5]\d\d) ([^·]+?)(?=\s*·|[.!?](?:\s|$)|$)")
_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
_ABOUT = {
    "key": "Secret part of the address: `[server] api_token`, or the number's own for `incoming`.",
    "ticket": "Secret of one form, part of the link that was given in chat.",
}
_BODIES: dict[str, type[BaseModel]] = {"templateMessage": TemplateMessage}
_ANSWERS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {"templateMessage": (Accepted, Failed)}
_HEADERS = {
    "templateMessage": [("Idempotency-Key", "Requests with the same key are done once.")],
    "livez": [("X-Nonce", "Any text of at most 64 characters: `X-Proof` of the answer shows who answers.")],
    "incoming": [(HOOK_HEADER, "The secret that was registered with the address.")],
}
_SCHEMAS = "#/components/schemas/{model}"


class OpenApi:
    def __init__(self, routes: Iterable[web.RouteDef], *, version: str, public_url: str) -> None:
        """`routes` are all others of the application."""
        self._routes = [*routes, *self.routes()]
        self._version = version
        self._public_url = public_url

    @cached_property
    def document(self) -> dict[str, Any]:
        """Made for the first who asks: nobody needs it for a start."""
        return document(self._routes, version=self._version, public_url=self._public_url)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(_PATH, self.show)]

    async def show(self, _: web.Request) -> web.Response:
        """This document.

        200 the document."""
        return web.json_response(self.document)


def document(routes: Iterable[web.RouteDef], *, version: str, public_url: str) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    models = [*_BODIES.values(), *(model for pair in _ANSWERS.values() for model in pair)]
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMAS)
    return {
        "openapi": "3.1.0",
        "info": {"title": "WhatsApp 360Dialog (Cloud API) for Rocket.Chat", "version": version},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(route: web.RouteDef, path: str) -> dict[str, Any]:
    said = inspect.getdoc(route.handler) or ""
    name = path.rpartition("/")[2]
    made: dict[str, Any] = {"summary": _summary(said), "responses": _responses(said, name)}
    parameters = [_parameter(found, "path", _ABOUT.get(found, "")) for found in _PARAMETER.findall(route.path)]
    parameters += [_parameter(header, "header", about) for header, about in _HEADERS.get(name, ())]
    if parameters:
        made["parameters"] = parameters
    if name in _BODIES:
        made["requestBody"] = {"required": True, "content": _json(_BODIES[name])}
    elif route.method == "POST" and "{ticket}" in path:
        form = {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
        kinds = ("application/x-www-form-urlencoded", "multipart/form-data")
        made["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, form)}
    elif route.method == "POST":
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    return made


def _summary(said: str) -> str:
    first = said.partition("\n\n")[0].replace("\n", " ")
    return (_ANSWER.split(first)[0] or first).strip()


def _responses(said: str, name: str) -> dict[str, Any]:
    """In the order of the codes. An answer whose shape is defined says so."""
    found = dict(sorted(_ANSWER.findall(" ".join(said.split()))))
    made: dict[str, Any] = {code: {"description": about} for code, about in found.items()}
    if name in _ANSWERS:
        good, bad = _ANSWERS[name]
        for code, response in made.items():
            response["content"] = _json(good if code == "200" else bad)
    return made


def _parameter(name: str, where: str, about: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}
    return {**made, "description": about} if about else made


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMAS.format(model=model.__name__)}}}
