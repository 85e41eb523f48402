"""All templates of a number, through either API, and the key goes nowhere else."""

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession

from bot.errors import NotFound
from bot.sandbox.dialog360 import Dialog360Sandbox
from bot.whatsapp.client import Dialog360
from bot.whatsapp.template_pages import GRAPH, OLDER, all_templates
from bot.whatsapp.templates import read

Asked = list[tuple[str, Mapping[str, str]]]


class Server:
    """Answers each question with the next of these; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: Asked = []

    async def read(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append((path, dict(query)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def item(name: str) -> dict[str, str]:
    return {"name": name, "language": "en"}


async def test_every_page_is_read_by_its_cursor_at_our_own_address() -> None:
    paging = {"cursors": {"after": "c1"}, "next": "https://evil.example/message_templates?after=stolen"}
    server = Server({"data": [item("a")], "paging": paging}, {"data": [item("b")], "paging": {"cursors": {}}})

    found = await all_templates(server.read)

    assert [one["name"] for one in found] == ["a", "b"]
    assert [path for path, _ in server.asked] == [GRAPH, GRAPH]
    assert server.asked[1][1]["after"] == "c1"


async def test_a_server_that_always_names_a_next_page_is_left() -> None:
    paging = {"cursors": {"after": "same"}, "next": "https://waba-v2.360dialog.io/message_templates?after=same"}
    server = Server(*({"data": [item("a")], "paging": paging} for _ in range(5)))

    assert len(await all_templates(server.read)) == 1
    assert len(server.asked) == 2


async def test_where_the_newer_api_is_unknown_the_older_one_is_asked() -> None:
    server = Server(
        NotFound("no route"),
        {"waba_templates": [item("a"), item("b")], "total": 3},
        {"waba_templates": [item("c")], "total": 3},
    )

    assert [one["name"] for one in await all_templates(server.read)] == ["a", "b", "c"]
    assert [(path, query.get("offset")) for path, query in server.asked[1:]] == [(OLDER, "0"), (OLDER, "2")]


async def test_an_answer_in_the_other_shape_is_read_too() -> None:
    server = Server({"waba_templates": [item("a"), "nonsense", None]})

    assert [one["name"] for one in await all_templates(server.read)] == ["a"]


async def test_both_apis_of_360dialog_give_the_same_templates() -> None:
    async with Dialog360Sandbox() as wa, ClientSession() as http:
        number = wa.add_number("+4915112345678", name="Demo Shop")
        for index in range(130):
            body = {"type": "BODY", "text": f"Hello {index}"}
            wa.templates(number).add({"name": f"more_{index}", "language": "en", "category": "UTILITY",
                                      "components": [body]})  # fmt: skip
        client = Dialog360(http, wa.url)
        new = await client.templates(number.api_key)
        wa.levers.add("/message_templates", status=404, body={"error": "not here"})
        old = await client.templates(number.api_key)

        assert len(new) == len(old) == 137
        assert {(t.id, t.approved, t.variables) for t in map(read, new) if t} == {
            (t.id, t.approved, t.variables) for t in map(read, old) if t
        }
