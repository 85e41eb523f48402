"""`/openapi.json` says what the program does: every address, every answer that any request got, every field."""

import json
import re
from typing import Any

import pytest
from aiohttp import web

from bot.stage import staged
from bot.web.openapi import document


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    for template, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return dict(operations[method.lower()]) if method.lower() in operations else None
    return None


async def test_every_address_is_described_and_answers_as_it_says() -> None:
    async with staged() as stage:
        base = stage.settings.server.public_url
        async with stage.http.get(f"{base}/openapi.json") as answer:
            assert answer.content_type == "application/json"
            found = await answer.json()
        app = "/api/apps/private/whatsapp-360d-cloud"
        asked = [
            ("GET", "/"), ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", "/metrics"),
            ("GET", "/forms/nothing"), ("POST", "/forms/nothing"), ("GET", f"{app}/wrong/authSuccess"),
            ("POST", f"{app}/wrong/templateMessage"), ("POST", f"{app}/wrong/incoming"),
            ("GET", "/api/apps/public/whatsapp-360d-cloud/get-sidebar-icon"),
        ]  # fmt: skip

        assert found["openapi"].startswith("3.1")
        assert len(asked) == sum(len(operations) for operations in found["paths"].values()), "all of them, once"
        for method, path in asked:
            described = operation(found, method, path)
            assert described is not None, path
            assert described["summary"] and "·" not in described["summary"]
            async with stage.http.request(method, base + path, data=b"{}") as answer:
                assert str(answer.status) in described["responses"], f"{method} {path}: {answer.status}"


async def test_the_request_that_is_described_is_the_request_that_is_read() -> None:
    """Names of the contract; and each reference in the document leads somewhere."""
    async with staged() as stage, stage.http.get(f"{stage.settings.server.public_url}/openapi.json") as answer:
        text = await answer.text()
    found = json.loads(text)
    schema = found["components"]["schemas"]["TemplateMessage"]

    assert set(schema["required"]) == {"phoneNumbers", "connectedWhatsAppNo", "template"}
    assert set(schema["properties"]) == {*schema["required"], "targetAgent", "targetDepartment"}
    assert schema["properties"]["phoneNumbers"]["maxItems"] == 250
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
        assert name in found["components"]["schemas"]
    for path, operations in found["paths"].items():
        for described in operations.values():
            named = {one["name"] for one in described.get("parameters", ()) if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))


async def _documented(_: web.Request) -> web.Response:
    """Does a thing. It takes care.

    200 done · 404 not there: look
    elsewhere · 503 later."""
    return web.Response()


async def _bare(_: web.Request) -> web.Response:
    return web.Response()


@pytest.mark.parametrize(
    ("handler", "summary", "codes"),
    [(_documented, "Does a thing. It takes care.", ["200", "404", "503"]), (_bare, "", [])],
)
def test_a_docstring_is_the_description(handler: Any, summary: str, codes: list[str]) -> None:
    made = document([web.get(r"/a/{id:\d+}", handler)], version="1", public_url="https://x")

    assert made["paths"]["/a/{id}"]["get"]["summary"] == summary
    assert list(made["paths"]["/a/{id}"]["get"]["responses"]) == codes
