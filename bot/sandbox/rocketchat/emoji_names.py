"""The names under which Rocket.Chat knows emoji, as far as every workspace has them: those of emoji-toolkit 7.0.1.

Source: Rocket.Chat 8.3 app/emoji-emojione fills `emoji.list` with the package's short names and their alternates;
app/reactions/server/setReaction.ts refuses what is neither there nor among the workspace's own emoji. The names stand
in `emoji_names.txt` without skin tones; `+` marks those that have them, `!` those that have nothing else. Simpler here:
a marked name takes any tone and any two of them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_TONE = re.compile(r"_tone[1-5]|_(?:medium_light|medium_dark|light|medium|dark)_skin_tone")


def is_known(name: str) -> bool:
    """Of a name without colons."""
    plain, tones = _TONE.subn("", name)
    marks = _names().get(plain)
    return marks is not None and ("+" in marks if tones else "!" not in marks)


@cache
def _names() -> dict[str, str]:
    words = Path(__file__).with_name("emoji_names.txt").read_text(encoding="utf-8").split()
    names = (re.fullmatch(r"(.+?)(\+?!?)", word) for word in words)
    return {name[1]: name[2] for name in names if name is not None}
