"""A property is judged by what it says, on however busy a machine."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.integers())
@settings(max_examples=1)
def test_an_example_may_take_its_time(_: int) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 0.3:  # longer than Hypothesis allows by itself
        pass
