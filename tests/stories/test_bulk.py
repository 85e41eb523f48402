"""A mass mailing and agents at work on the same number, with WhatsApp as strict as it is."""

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
