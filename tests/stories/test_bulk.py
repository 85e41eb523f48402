"""Nobody waits for what others do: mass mailings beside agents, a server that hangs beside one that answers."""

import asyncio

from bot.stage import Stage, staged
from tests.stories.test_template_api import post, request, started
from tests.stories.test_templates import sends

PEOPLE = 120


def replies(stage: Stage) -> list[float]:
    return [call.at for call in stage.wa.calls if call.path == "/messages" and call.body.get("type") == "text"]


async def test_agents_replies_go_between_the_messages_of_a_mailing_and_nothing_is_refused() -> None:
    async with staged(start=False) as stage:
        await started(stage)
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        people = [f"+49171{n:07}" for n in range(PEOPLE)]
        assert (await post(stage, request(stage, *people)))[0] == 200

        mailed_before = []
        for n in range(5):
            await stage.wa.until(lambda: len(sends(stage)) > 10 * n, timeout=20)  # noqa: B023
            begun = len(sends(stage))
            await stage.rc.write(stage.agent, room, f"Reply {n}")
            await stage.wa.until(lambda: len(replies(stage)) > n, timeout=20)  # noqa: B023
            mailed_before.append(len(sends(stage)) - begun)
        await stage.wa.until(lambda: len(sends(stage)) == PEOPLE, timeout=30)

        assert max(mailed_before) < 40, "no reply waits for more than one second's share of the mailing"
        statuses = [call.status for call in stage.wa.calls if call.path == "/messages"]
        assert set(statuses) == {200}


async def test_replies_reach_customers_while_rocketchat_hangs_over_a_hundred_others() -> None:
    async with staged() as stage:
        await stage.connect()
        await stage.customer.write(stage.number, "hi")
        room = await stage.agent_reads("hi")
        stage.rc.levers.add("^/api/v1/livechat/", times=-1, delay=4.0)
        others = [stage.wa.customer(f"+49172{n:07}", name=f"Other {n}") for n in range(100)]
        for one in others:
            await one.write(stage.number, "anybody there?")
        await asyncio.wait_for(stage.wa.settled(), 20)

        await stage.rc.write(stage.agent, room, "I am here")
        await stage.customer_reads("I am here")
        assert not any(stage.rooms_of(one) for one in others), "it did not wait for the ones before it"
        stage.rc.levers.clear()
