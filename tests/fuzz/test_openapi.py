"""Requests that our OpenAPI document allows and forbids, sent to the running bot by schemathesis.

`python -m pytest tests/fuzz/test_openapi.py` with FUZZ_EXAMPLES=2000 in the environment for as many of each address.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from bot.relay.api_token import api_token
from bot.stage import Stage, staged
from bot.stage_page import link_in
from bot.storage.secrets import Vault

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))


async def test_every_address_answers_what_is_documented_whatever_it_is_sent() -> None:
    async with staged() as stage:
        await stage.connect()
        secrets = await secrets_of(stage)
        async with stage.http.get(f"{base(stage)}/openapi.json") as answer:
            document = await answer.json()

        codes = await asyncio.to_thread(send_all, document, base(stage), secrets)

        assert len(codes) == sum(map(len, document["paths"].values()))
        assert all(codes.values())
        assert 200 in codes["POST incoming"], "half of the requests get past the door"
        await stage.customer.write(stage.number, "Still there?")
        await stage.agent_reads("Still there?")


def base(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.settings.server.port}"


async def secrets_of(stage: Stage) -> dict[str, dict[str, str]]:
    """What stands in the addresses, by their last part."""
    ticket = link_in(await stage.command("!whatsapp-360d-cloud connect")).rpartition("/")[2]
    hook = stage.number.webhook
    assert hook is not None
    token = api_token("", Vault(stage.settings.storage.key_file).derive)
    return {
        "incoming": {"key": hook["url"].split("/")[-2], **hook["headers"]},
        "templateMessage": {"key": token},
        "authSuccess": {"key": token},
        "{ticket}": {"ticket": ticket},
    }


def send_all(document: dict[str, Any], url: str, secrets: dict[str, dict[str, str]]) -> dict[str, list[int]]:
    """Codes of the answers, by method and last part of the address."""
    schema = schemathesis.openapi.from_dict(document)
    return {
        f"{one.method.upper()} {one.path.rpartition('/')[2]}": send_many(one, url, secrets)
        for one in (cast(Any, result).ok() for result in schema.get_all_operations())
    }


def send_many(operation: Any, url: str, secrets: dict[str, dict[str, str]]) -> list[int]:
    codes: list[int] = []
    known = secrets.get(operation.path.rpartition("/")[2], {})

    @settings(
        max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy(), right=st.booleans())
    def send(case: Any, right: bool) -> None:
        if right and known:
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            case.headers = {**(case.headers or {}), **{k: v for k, v in known.items() if k.startswith("X-")}}
        answer = case.call(base_url=url)
        codes.append(answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error, status_code_conformance])

    send()
    return codes
