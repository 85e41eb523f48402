"""A number that was disconnected is connected again, and something goes wrong on the way."""

from dataclasses import replace

import pytest

from bot.errors import InvalidRequest
from bot.model import Number
from tests.chatops.desk import KEY, PHONE, Scene, button
from tests.chatops.steps import NUMBER

CONNECT = "!whatsapp-360d-cloud connect"


class Died(Exception):
    """The bot is killed."""


async def dies(_: str) -> None:
    raise Died


async def disconnected(scene: Scene) -> Number:
    former = Number(
        NUMBER, PHONE, "", "the-path", "the-secret", disconnected_at=scene.clock.now() - 30 * 86400, department="d1"
    )
    await scene.registry.put_number(former)
    return former


async def last_step(scene: Scene) -> str:
    await scene.write(CONNECT)
    await scene.save_key()
    for answer in (PHONE, "skip", "skip", "skip", "skip"):
        posts = await scene.write(answer)
    return button(posts[0], "Connect").text


async def test_its_address_is_kept_when_the_bot_dies_and_then_360dialog_refuses(scene: Scene) -> None:
    former = await disconnected(scene)
    entry = scene.entry(await last_step(scene))
    usual, scene.whatsapp.before_hook = scene.whatsapp.before_hook, dies
    with pytest.raises(Died):
        await scene.handle(entry)
    scene.whatsapp.before_hook = usual
    scene.restart()
    scene.whatsapp.failing["set_webhook"] = InvalidRequest("no")

    assert "That did not work" in (await scene.answers(entry))[0].text

    kept = await scene.registry.former(NUMBER)
    assert kept is not None
    assert replace(kept, disconnected_at=0.0) == replace(former, disconnected_at=0.0)


async def test_from_the_moment_it_is_registered_what_comes_in_is_stored_however_long_it_was_gone(scene: Scene) -> None:
    former = await disconnected(scene)
    step = await last_step(scene)
    gone_for = list[float]()

    async def first_message_comes_at_once(_: str) -> None:
        met = await scene.registry.number_of_hook(former.hook_path)
        assert met is not None
        gone_for.append(scene.clock.now() - met.disconnected_at if met.disconnected_at else 0.0)

    scene.whatsapp.before_hook = first_message_comes_at_once
    assert "is now connected" in (await scene.answers(scene.entry(step)))[0].text

    assert gone_for == [0.0]
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert (number.hook_path, number.api_key, number.disconnected_at) == (former.hook_path, KEY, 0.0)
    assert number.connected_at == scene.clock.now()


async def test_one_that_was_half_back_when_the_bot_died_is_gone_again_when_360dialog_refuses(scene: Scene) -> None:
    former = await disconnected(scene)
    await scene.registry.put_number(replace(former, api_key=KEY, connected_at=scene.clock.now()))
    scene.whatsapp.failing["set_webhook"] = InvalidRequest("no")

    assert "That did not work" in (await scene.answers(scene.entry(await last_step(scene))))[0].text

    assert await scene.registry.former(NUMBER) == former
