"""Emoji short codes as Rocket.Chat writes them (`:smile:`, JoyPixels names) → the characters that WhatsApp shows."""

from __future__ import annotations

import re
from functools import lru_cache

import emoji

SHORT_CODE = re.compile(r"(?<![^\W_]):([0-9A-Za-z_+.-]{1,80}):(?![^\W_])")
"""Rocket.Chat draws none inside a word, so that 12:30:45 stays a time (packages/message-parser)."""

_TONE = re.compile(r"(.+)_tone([1-5])")
_FLAG = re.compile(r"flag_([a-z])([a-z])")
_REGIONAL_A, _LIGHTEST = 0x1F1E6, 0x1F3FB

_JOYPIXELS = {
    "slight_smile": "🙂", "slight_frown": "🙁", "upside_down": "🙃", "smiling_face_with_3_hearts": "🥰",
    "simple_smile": "🙂", "nerd": "🤓", "frowning2": "☹️", "hugging": "🤗", "rolling_eyes": "🙄", "liar": "🤥",
    "drool": "🤤", "zipper_mouth": "🤐", "sick": "🤢", "sneeze": "🤧", "thermometer_face": "🤒", "head_bandage": "🤕",
    "money_mouth": "🤑", "cowboy": "🤠", "clown": "🤡", "poo": "💩", "thumbup": "👍", "thumbdown": "👎",
    "fingers_crossed": "🤞", "hand_splayed": "🖐️", "call_me": "🤙", "vulcan": "🖖", "shaking_hands": "🤝",
    "face_palm": "🤦", "flame": "🔥", "champagne_glass": "🥂", "clinking_glass": "🥂", "milk": "🥛",
    "first_place": "🥇", "second_place": "🥈", "third_place": "🥉", "medal": "🏅", "direct_hit": "🎯", "map": "🗺️",
    "homes": "🏘️", "desktop": "🖥️", "tools": "🛠️", "key2": "🗝️", "calendar_spiral": "🗓️", "notepad_spiral": "🗒️",
    "newspaper2": "🗞️", "umbrella2": "☂️", "snowman2": "☃️", "cloud_rain": "🌧️", "cloud_snow": "🌨️",
    "octagonal_sign": "🛑", "question_mark": "❓", "flag_white": "🏳️", "flag_black": "🏴",
}  # fmt: skip
"""Everyday names that the `emoji` package does not have."""


def to_unicode(text: str) -> str:
    """A code that nobody knows stays as it is: it may be an emoji of that workspace alone, or no emoji at all."""
    return SHORT_CODE.sub(lambda code: _character(code[1]) or code[0], text)


@lru_cache(maxsize=1024)
def _character(name: str) -> str:
    """The emoji of that name, or nothing."""
    if name in _JOYPIXELS:
        return _JOYPIXELS[name]
    flag, toned = _FLAG.fullmatch(name), _TONE.fullmatch(name)
    if flag:
        return "".join(chr(_REGIONAL_A + ord(letter) - ord("a")) for letter in flag.groups())
    if toned:
        base = _character(toned[1]).rstrip("\ufe0f")
        return base + chr(_LIGHTEST + int(toned[2]) - 1) if len(base) == 1 else ""
    found = emoji.emojize(f":{name}:", language="alias")
    return "" if found == f":{name}:" else found
