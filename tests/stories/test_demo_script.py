"""The story that `python -m bot demo --script` tells in the terminal."""

import pytest

from bot import demo


async def test_the_story_runs_from_the_first_question_to_a_template_after_a_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await demo.script() == 0

    told = capsys.readouterr().out
    scenes = (
        "Do you currently have a 360Dialog account?",
        "[form] Ada Admin\n    API Key: ••••••••",
        "Your WhatsApp number +4915112345678 is now connected!",
        "[workspace] Maria, as Ben Agent sees it\n    Hello! Do you open on *Sunday*?",
        "[phone] Demo Shop, as Maria sees it\n    Yes, *from ten to four* 😄",
        "    **WhatsApp could not deliver this message.**",
        "    Hi Maria, see you on Sunday at 10:30.",
        "[workspace] Maria, as Ben Agent sees it\n    Confirm",
    )
    places = [told.find(scene) for scene in scenes]
    assert -1 not in places
    assert places == sorted(places)
    assert "Done\n    Done" not in told
