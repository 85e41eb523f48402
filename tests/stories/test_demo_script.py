"""The story that `python -m bot demo --script` tells in the terminal."""

import pytest

from bot import demo
from bot.stage import staged


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


async def test_the_demo_keeps_to_its_own_servers_where_a_real_bot_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the image, or in a shell that read bot.env, the environment speaks of a real workspace and wins over all."""
    for name, value in {
        "ROCKETCHAT__URL": "https://chat.example.com",
        "ROCKETCHAT__USER_ID": "real",
        "ROCKETCHAT__AUTH_TOKEN": "real",
        "SERVER__HOST": "0.0.0.0",
        "SERVER__PUBLIC_URL": "https://real.example.com",
        "STORAGE__DATA_DIR": "/real",
    }.items():
        monkeypatch.setenv(f"WA360D_{name}", value)

    async with staged(start=False) as stage:
        assert stage.settings.rocketchat.url == stage.rc.url
        assert stage.settings.rocketchat.username == stage.bot_user.username
        assert not stage.settings.rocketchat.user_id
        assert stage.settings.server.host == "127.0.0.1"
        assert str(stage.settings.storage.data_dir) != "/real"
        await stage.program.start()  # a process of its own inherits the environment
        assert stage.from_bot(stage.setup_room)
