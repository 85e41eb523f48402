"""Whatever a caller sends, the simulator answers as a server does: it refuses, it does not break."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.rocketchat.rest import Route
from bot.sandbox.rocketchat.schema import Schema
from bot.sandbox.rocketchat.server import ROUTES
from tests.sandbox.rocketchat_client import World, ddp, workspace

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["text", "msg", "actions", "fields", "t", "url", "rid", "token"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
ASKING = [route for route in ROUTES if route.path not in ("logout", "groups.kick")]


def plausible(w: World, rid: str, gid: str) -> dict[str, st.SearchStrategy[Any]]:
    """What a parameter of that name usually is in the prepared workspace."""
    rooms, messages = st.sampled_from([rid, gid]), st.sampled_from(["m1", "g1"])
    people = st.sampled_from([w.anna.id, w.root.id])
    text = st.one_of(st.text(max_size=10), st.just(f"[ ]({w.rc.url}/live/{rid}?msg=m1) @anna @all #setup"))
    attachments = st.lists(ANYTHING, max_size=2)
    message = st.fixed_dictionaries(
        {"rid": rooms}, optional={"msg": text, "attachments": attachments, "tmid": messages}
    )
    visitor = st.fixed_dictionaries({"token": st.just("tok-1")}, optional={"name": text, "phone": text, "email": text})
    moments = st.sampled_from(["2026-01-01T00:00:00Z", "2026-13-01", "0", '{"start":"2026-01-01"}', "[]"])
    return {
        **dict.fromkeys(("rid", "roomId"), rooms),
        **dict.fromkeys(("msgId", "messageId", "tmid"), messages),
        **dict.fromkeys(("userId", "agentId", "excludeId"), people),
        **dict.fromkeys(("username", "user"), st.sampled_from(["anna", "root", "nobody"])),
        **dict.fromkeys(("department", "departmentId"), st.just(w.sales.id)),
        **dict.fromkeys(("next", "previous"), st.sampled_from(["0", "1772359200000", "x", "9" * 30])),
        **dict.fromkeys(("lastUpdate", "latest", "oldest", "end", "createdAt", "closedAt", "updatedSince"), moments),
        "roomName": st.just("setup"),
        "token": st.just("tok-1"),
        "message": message,
        "visitor": visitor,
        "attachments": attachments,
        "emoji": st.sampled_from([":thumbsup:", "x"]),
        "type": st.sampled_from(["UPDATED", "DELETED", "x"]),
        "sort": st.sampled_from(['{"ts":1}', '{"ts":-1,"lm":1}', "[]", "{", "1", '{"v":1}']),
    }


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=8),
    "text": st.text(min_size=1, max_size=8),
    "bool": st.booleans(),
    "num": st.integers(-2, 300),
    "list": st.lists(ANYTHING, max_size=3),
    "dict": st.dictionaries(st.text(max_size=5), ANYTHING, max_size=2),
}


def pick(fitting: st.SearchStrategy[Any], dice: int) -> st.SearchStrategy[Any]:
    return ANYTHING if dice == 9 else fitting


def parameters(schema: Schema | None, usual: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly what the schema wants, with values that exist; now and then anything."""
    if schema is None:
        names = ["visitor", "value", "user", "password", "resume", "token", "rid"]
        return st.fixed_dictionaries({}, optional={name: usual.get(name, ANYTHING) for name in names})
    drawn = {}
    for name, kind in schema.kinds.items():
        fitting = usual[name] if name in usual else KINDS[kind if isinstance(kind, str) else kind[0]]
        drawn[name] = st.integers(0, 9).flatmap(partial(pick, fitting))
    alternatives = {name for group in schema.one_of for name in group}
    chosen = [group[0] for group in schema.one_of]
    required = {name: drawn[name] for name in [*schema.required, *chosen]}
    optional = {name: value for name, value in drawn.items() if name not in required and name not in alternatives}
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.parametrize("route", ASKING, ids=lambda route: f"{route.method} {route.path}")
@settings(max_examples=5)
@given(data=st.data())
def test_no_parameters_break_a_route(route: Route, data: st.DataObject) -> None:
    async def attempt() -> None:
        async with workspace() as w:
            rid, gid = await w.chat(), (await w.as_root.ok("POST", "groups.create", {"name": "setup"}))["group"]["_id"]
            for room, id in ((rid, "m1"), (gid, "g1")):
                await w.rc.write(w.root, room, "hello", _id=id)
            usual = plausible(w, rid, gid)
            path = route.path.replace(":rid", rid).replace(":token", "tok-1")
            path = path.replace(":id", data.draw(st.sampled_from(["m1", w.sales.id, "Livechat_enabled", "x"])))
            kwargs: dict[str, Any] = {}
            if route.method == "GET" or route.query is not None:
                found = data.draw(parameters(route.query or Schema(), usual))
                kwargs["params"] = {
                    name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()
                }
            if route.method != "GET":
                kwargs["json"] = data.draw(parameters(route.body, usual))
            w.as_root.headers["X-Auth-Token"] = w.rc.token_for(w.root, bypass_two_factor=True)
            status, answer = await w.as_root.call(route.method, path, **kwargs)
            assert status in (200, 400, 401, 403, 404), (route.path, kwargs, answer)
            assert answer.get("success") is (status == 200) or "status" in answer

    asyncio.run(attempt())


@settings(max_examples=25)
@given(
    st.lists(st.one_of(st.text(max_size=10), ANYTHING.map(json.dumps)), max_size=4),
    ANYTHING,
    st.sampled_from(["sub", "method"]),
)
def test_no_frame_breaks_a_monolith_session(frames: list[str], params: Any, kind: str) -> None:
    async def attempt() -> None:
        async with workspace() as w, ddp(w.rc, w.rc.token_for(w.bot)) as client:
            for frame in frames:
                await client.send(frame)
            for name in ("stream-room-messages", "stream-notify-room", "sendMessage", "messages/get", "login"):
                key = "name" if kind == "sub" else "method"
                await client.send({"msg": kind, "id": name, key: name, "params": params})
                await client.send({"msg": kind, "id": name + "2", key: name, "params": [params, params]})
            await client.quiet()

    asyncio.run(attempt())
