"""What a page keeps of what was typed when one thing in it is wrong."""

from tests.chatops.browser import Browser
from tests.chatops.desk import KEY, OTHER_KEY, Scene
from tests.chatops.steps import FILLED, opened


async def test_a_key_that_is_refused_is_not_kept_and_everything_else_is(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page, **{**FILLED, "api_key": OTHER_KEY})

    assert wrong.status == 422
    assert "360Dialog does not accept this key" in wrong.text
    assert (await scene.session())["secrets"] == {}
    assert wrong.fields["welcome_message"] == FILLED["welcome_message"]
    assert "is now connected" in (await browser.submit(address, wrong, api_key=KEY)).text


async def test_a_good_key_is_kept_though_the_phone_is_another_ones(scene: Scene, browser: Browser) -> None:
    address, page = await opened(scene, browser)

    wrong = await browser.submit(address, page, **{**FILLED, "phone_number": "+49 30 901820"})

    assert wrong.status == 422
    assert (await scene.session())["secrets"] == {"api_key": KEY}
    assert KEY not in wrong.html
    assert wrong.fields["phone_number"] == "+49 30 901820", "to be corrected, not typed again"
    done = await browser.submit(address, wrong, phone_number=FILLED["phone_number"])
    assert "is now connected" in done.text
