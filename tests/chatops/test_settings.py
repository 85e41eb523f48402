"""`settings`: eleven names, one by one or as a form; what is set in chat wins and says so, and no secret is shown."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.config import App
from bot.errors import Invalid
from bot.relay.live_settings import LiveSettings
from bot.storage.local_locks import LocalLocks
from commands.settings import _address, _media_types, _number
from tests.chatops.browser import Browser, served, working
from tests.chatops.desk import Scene, button, labels, link

SETTINGS = "!whatsapp-360d-cloud settings"
HIDDEN = "https://user:pass-word@hooks.example/in?token=sesame"


async def reload(scene: Scene, configured: App) -> LiveSettings:
    """As a start of the bot does it."""
    live = LiveSettings(scene.registry, configured, LocalLocks().alone)
    await live.load()
    return live


# --- one by one -----------------------------------------------------------------------------------------------------


async def test_one_is_set_at_once_wins_and_says_so(scene: Scene) -> None:
    told = await scene.one(f'{SETTINGS} list_button_label "Show me"')

    assert told.text.startswith("Custom label for all List Option buttons is now: Show me")
    assert "wins over the configuration" in told.text
    assert scene.settings.current.list_button_label == "Show me"
    listed = await scene.press(told, "Show settings")
    assert "Show me\n  Set in chat, which wins. The configuration says: Show Options" in listed[0].text
    again = await reload(scene, App(list_button_label="Choose"))
    assert again.current.list_button_label == "Show me"


async def test_default_goes_back_to_the_configuration(scene: Scene) -> None:
    await scene.write(f"{SETTINGS} allow_list_options off")
    assert scene.settings.current.allow_list_options is False

    told = await scene.one(f"{SETTINGS} allow_list_options default")

    assert told.text == "Allow List options for Quick Replies is again what the configuration says: On"
    assert scene.settings.chosen == frozenset()


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("agents_display_info", "username", "username"),
        ("agents_display_info", "Name", "name"),
        ("file_uploads_enabled", "no", False),
        ("file_uploads_enabled", "false", False),
        ("max_file_upload_size", "-1", -1),
        ("max_file_upload_size", "16.777.216", 16777216),
        ("max_file_upload_size", "16,777,216", 16777216),
        ("accepted_media_types", "Image/PNG , application/vnd.ms-excel,,", "image/png, application/vnd.ms-excel"),
        ("accepted_media_types", "empty", ""),
        ("allow_quote_messages", "Off", False),
        ("template_refresh_interval_minutes", "5", 5),
        ("message_status_endpoint_url", "https://hooks.example:8443/in?a=b", "https://hooks.example:8443/in?a=b"),
        ("message_status_filter", "Template", "template"),
        ("allow_list_options", "yes", True),
        ("list_button_label", "Elegir opción", "Elegir opción"),
        ("preferred_language", "de", "de"),
        ("preferred_language", "Deutsch", "de"),
        ("preferred_language", "pt-br", "pt_BR"),
    ],
)
async def test_every_setting_takes_what_people_write(scene: Scene, name: str, typed: str, value: object) -> None:
    await scene.one(f"{SETTINGS} {name} {typed}")

    assert getattr(scene.settings.current, name) == value
    assert scene.settings.chosen == {name}


@pytest.mark.parametrize(
    ("name", "typed", "why"),
    [
        ("agents_display_info", "nickname", "Possible: none, name, username."),
        ("file_uploads_enabled", "perhaps", "Possible: on, off."),
        ("max_file_upload_size", "-2", "At least -1"),
        ("max_file_upload_size", "1.5", "whole number"),
        ("max_file_upload_size", "10 MB", "whole number"),
        ("max_file_upload_size", "9" * 40, "whole number"),
        ("accepted_media_types", "pictures", "“pictures” is not a media type"),
        ("accepted_media_types", "image/*, *.pdf", "“*.pdf” is not a media type"),
        ("template_refresh_interval_minutes", "0", "At least 1"),
        ("message_status_endpoint_url", "hooks.example/in", "begins with https://"),
        ("message_status_endpoint_url", "ftp://hooks.example", "begins with https://"),
        ("message_status_endpoint_url", "https://[::1", "begins with https://"),
        ("message_status_endpoint_url", "http://169.254.169.254/latest", "only be set in the configuration file"),
        ("message_status_endpoint_url", HIDDEN, "user name or password"),
        ("message_status_filter", "some", "Possible: all, regular, template."),
        ("list_button_label", '"A label that is much too long"', "at most 20"),
        ("preferred_language", "Klingon", "Possible: ar, de, en, es, fr, hi, it, pt_BR."),
        ("list_buton_label", "x", "Did you mean “list_button_label”?"),
        ("colour", "x", "There is no setting “colour”. `/whatsapp-360d-cloud settings list` shows all of them."),
    ],
)
async def test_what_cannot_be_is_explained_and_changes_nothing(scene: Scene, name: str, typed: str, why: str) -> None:
    told = await scene.one(f"{SETTINGS} {name} {typed}")

    assert why in told.text
    assert scene.settings.current == App()
    assert scene.settings.chosen == frozenset()


async def test_the_name_alone_shows_one_setting(scene: Scene) -> None:
    told = await scene.one(f"{SETTINGS} preferred-language")

    assert "**Preferred Language** (`preferred_language`): English" in told.text
    assert told.text.count("From the configuration.") == 1


async def test_the_list_shows_all_eleven_without_secrets(scene: Scene) -> None:
    scene.configure(App(message_status_endpoint_url=HIDDEN, preferred_language="pt-BR"))

    told = await scene.one(f"{SETTINGS} list")

    assert all(f"`{name}`" in told.text for name in App.model_fields)
    assert told.text.count("From the configuration.") == 11
    assert "https://…@hooks.example/in?…" in told.text
    assert not any(word in told.text for word in ("pass-word", "sesame", "user:"))
    assert "Português (Brasil)" in told.text


# --- as a form ------------------------------------------------------------------------------------------------------


async def test_the_page_holds_all_eleven_and_only_what_differs_is_set(scene: Scene, browser: Browser) -> None:
    address = link(await scene.one(SETTINGS))
    page = await browser.open(address)
    assert [name for name in page.fields if name != "seal"] == list(App.model_fields)
    assert page.options["file_uploads_enabled"] == [("true", "On"), ("false", "Off")]
    assert ("de", "Deutsch") in page.options["preferred_language"]

    done = await browser.submit(address, page, agents_display_info="name", max_file_upload_size="-1")

    assert "Saved. It takes effect with the next message." in done.text
    assert scene.settings.current == App(agents_display_info="name", max_file_upload_size=-1)
    assert scene.settings.chosen == {"agents_display_info", "max_file_upload_size"}


async def test_in_chat_it_can_be_walked_through_with_keep_and_ended_with_rest(scene: Scene) -> None:
    first = await scene.one(SETTINGS)
    assert "Question 1 of 11: Agents Display Info" in first.text
    await scene.press(first, "Username")
    second = await scene.one("keep")
    assert "Maximum File Upload Size" in second.text
    assert "At least -1 is needed." in (await scene.one("-5")).text
    summary = (await scene.press(await scene.one("1000"), "Keep the rest"))[0]

    assert "1. Agents Display Info: Username" in summary.text
    assert "4. Accepted Media Types: image/*, application/pdf, video/*, audio/*" in summary.text
    assert scene.settings.current == App()
    await scene.press(summary, "Save")

    assert scene.settings.current == App(agents_display_info="username", max_file_upload_size=1000)


async def test_every_question_kept_changes_nothing(scene: Scene) -> None:
    await scene.write(f"{SETTINGS} list_button_label Mine")
    post = await scene.one(SETTINGS)
    for _ in App.model_fields:
        post = await scene.one("keep")

    told = (await scene.press(post, "Save"))[0]

    assert told.text == "Nothing was changed."
    assert scene.settings.chosen == {"list_button_label"}


async def test_a_secret_of_the_configured_address_is_never_shown_and_survives_keeping(scene: Scene) -> None:
    scene.configure(App(message_status_endpoint_url=HIDDEN))
    async with served(scene) as browser, working(browser):
        address = link(await scene.one(SETTINGS))
        page = await browser.open(address)
        assert page.fields["message_status_endpoint_url"] == "https://…@hooks.example/in?…"

        await browser.submit(address, page, agents_display_info="name")

    assert not any(word in page.html for word in ("pass-word", "sesame"))
    assert scene.settings.current.message_status_endpoint_url == HIDDEN
    assert scene.settings.chosen == {"agents_display_info"}


async def test_an_optional_one_can_be_emptied_in_chat(scene: Scene) -> None:
    await scene.write(SETTINGS)
    for said in ("keep", "keep", "keep", "clear"):
        post = await scene.one(said)
    await scene.press(post, "Keep the rest")
    await scene.write("confirm")

    assert scene.settings.current.accepted_media_types == ""


async def test_only_the_configured_roles_may_change_settings(scene: Scene) -> None:
    told = await scene.one(f"{SETTINGS} list_button_label Mine", user="eve")

    assert "Only people with one of these roles" in told.text
    assert scene.settings.chosen == frozenset()


async def test_a_new_language_counts_at_once(scene: Scene) -> None:
    scene.live_language()

    told = await scene.one(f"{SETTINGS} preferred_language de")

    assert "Deutsch" in told.text
    assert "is now" not in told.text
    assert "Show settings" not in labels(told)
    english = await scene.one(f"{SETTINGS} preferred_language English")
    assert button(english, "Show settings")


# --- what is stored -------------------------------------------------------------------------------------------------


async def test_what_another_version_stored_is_left_out_and_the_rest_counts(scene: Scene) -> None:
    await scene.registry.set_fact(
        "app settings", '{"colour": "red", "max_file_upload_size": -7, "list_button_label": "Mine"}'
    )

    live = await reload(scene, App())

    assert live.current == App(list_button_label="Mine")
    assert live.chosen == {"list_button_label"}


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost/x", "http://127.0.0.1", "http://127.1", "http://2130706433/", "http://0x7f000001/",
        "http://[::1]/", "http://[fe80::1%25eth0]/", "http://10.0.0.8", "http://192.168.1.1", "http://172.16.0.1",
        "http://169.254.169.254/", "http://intranet/", "http://db.internal/", "http://printer.local./",
        "http://[::ffff:127.0.0.1]/", "http://0.0.0.0", "http://100.64.0.1", "http://LOCALHOST.",
    ],
)  # fmt: skip
def test_addresses_inside_a_network_are_not_taken_from_chat(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        _address(address)

    assert refused.value.sentence == "settings.private_address"


@hypothesis_settings(max_examples=200)
@given(st.text(max_size=60))
def test_checks_refuse_or_give_what_the_configuration_takes(text: str) -> None:
    for name, check in (
        ("max_file_upload_size", _number(-1)),
        ("template_refresh_interval_minutes", _number(1)),
        ("accepted_media_types", _media_types),
        ("message_status_endpoint_url", _address),
    ):
        try:
            value = check(text)
        except Invalid as refused:
            assert refused.sentence.startswith("settings.")
        else:
            App.model_validate({name: value})
