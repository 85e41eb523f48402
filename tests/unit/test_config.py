"""Configuration: what is missing or misspelt is said in words that lead to the mend."""

from pathlib import Path

import pytest

from bot.config import ConfigError, known_names, load

GOOD = """
[rocketchat]
url = "https://chat.example/"
user_id = "bot"
auth_token = "token"

[server]
public_url = "https://bot.example"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_smallest_file_is_enough(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD), {})

    assert settings.rocketchat.url == "https://chat.example"
    assert settings.rocketchat.setup_channel == "omnichannel-whatsapp-cloud-api-setup"
    assert settings.storage.key_file == Path("data/secret.key")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA360D_SERVER__PORT", "9000")
    monkeypatch.setenv("WA360D_ROCKETCHAT__COMMAND_ROLES", "admin, boss")

    settings = load(written(tmp_path, GOOD))

    assert settings.server.port == 9000
    assert settings.rocketchat.command_roles == ["admin", "boss"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("public_url", "publc_url"), "[server] publc_url is not a known setting. Did you mean public_url?"),
        (("[server]", "[sever]"), "[sever] is not a known section. Did you mean server?"),
        (('user_id = "bot"', ""), "set user_id and auth_token, or username and password"),
        (
            ('"token"', '"token"\nusername = "bot"\npassword = "word"'),
            "[rocketchat]: auth_token and password are both set: keep the one that the bot is to log in with",
        ),
        (("https://bot.example", "bot.example"), "[server] public_url: must be an address that begins with https://"),
        (("[rocketchat]", "[rocketchat"), "is not valid TOML"),
        (("https://bot.example", "http://bot.example"), "360Dialog delivers to no other"),
        (("https://bot.example", "https://bot.example:8443"), "360Dialog delivers to no other"),
        (("https://bot.example", "https://my_bot.example"), "360Dialog delivers to no other"),
        (('"token"', '"tok\\nen"'), "[rocketchat] auth_token: must not contain line breaks"),
        (("[server]", '[app]\naccepted_media_types = "image/*, pdf"\n[server]'), "such as image/* or application/pdf"),
    ],
)
def test_a_mistake_is_named_with_its_mend(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, GOOD.replace(*change)), {})

    assert says in str(caught.value)


def test_the_mark_that_some_editors_put_in_front_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert load(written(tmp_path, "\ufeff" + GOOD), {}).rocketchat.url == "https://chat.example"


def test_a_missing_file_says_where_the_example_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Copy config\.example\.toml"):
        load(tmp_path / "nothing.toml", {})


def test_an_unknown_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean WA360D_SERVER__PORT"):
        load(written(tmp_path, GOOD), {"WA360D_SERVER__POT": "1"})


def test_a_refused_value_is_not_repeated(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"

    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, GOOD.replace('"token"', f'["{secret}"]')), {})

    assert secret not in str(caught.value)


def test_the_example_file_and_the_settings_agree() -> None:
    """Every setting stands in the example, active or behind `# `, and nothing else does."""
    shown: dict[str, list[str]] = {}
    section = ""
    for line in (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("# ")
        if text.startswith("[") and text.endswith("]"):
            section = text.strip("[]")
            shown[section] = []
        elif " = " in text and text.split(" = ")[0].replace("_", "").isalnum() and text[0].islower():
            shown[section].append(text.split(" = ")[0])

    assert shown == known_names()


def test_the_example_file_loads(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")

    assert load(written(tmp_path, example), {}).server.app_id == "whatsapp-360d-cloud"
