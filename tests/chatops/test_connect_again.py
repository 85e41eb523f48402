"""A number that is connected already, connected once more from the page."""

from tests.chatops.browser import Browser
from tests.chatops.desk import KEY, PHONE, Scene
from tests.chatops.steps import FILLED, NUMBER, opened


async def test_connecting_again_from_the_page_asks_before_it_takes_what_was_agreed_for_the_number(
    scene: Scene, browser: Browser
) -> None:
    """Whoever only brings a new key would lose the department and the messages without a word."""
    address, page = await opened(scene, browser)
    await browser.submit(address, page, **FILLED)
    again, page = await opened(scene, browser)
    asked = await browser.submit(again, page, api_key=KEY, phone_number=PHONE)

    assert "is connected already. Its key, department and messages are replaced" in asked.text
    number = await scene.registry.number(NUMBER)
    assert number is not None
    assert (number.department, number.welcome_message) == ("d2", "Hello!\nAll")

    same, page = await opened(scene, browser)
    assert "is now connected" in (await browser.submit(same, page, **FILLED)).text, "nothing is lost"
