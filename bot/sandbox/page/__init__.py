"""The demo as one page: a customer's phone beside the workspace, live. Everything on it happens in the simulators.

view       what the page shows, as plain JSON (+ phone, workspace, picker)      cast   who plays along
acts       what people do on it                                               server   the page, its stream of states
static     html (all words), css, js (draws text as text, never as markup of the page)
"""

from bot.sandbox.page.server import DemoPage

__all__ = ["DemoPage"]
