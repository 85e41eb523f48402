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


def codes(character: str) -> list[str]:
    """Short codes with colons under which Rocket.Chat may know this emoji, the likeliest first; none for other text.

    Each workspace accepts only the names that it has itself, so there may be more than one to try. A skin tone that has
    no code of its own is left out.
    """
    if len(character) == 2 and all(0 <= ord(half) - _REGIONAL_A < 26 for half in character):
        return [":flag_" + "".join(chr(ord("a") + ord(half) - _REGIONAL_A) for half in character) + ":"]
    base, tone = character, ""
    if len(character) > 1 and 0 <= ord(character[-1]) - _LIGHTEST < 5:
        base, tone = character[:-1], f"_tone{ord(character[-1]) - _LIGHTEST + 1}"
    plain = base.replace("\ufe0f", "")
    data = next((emoji.EMOJI_DATA[form] for form in (base, plain, f"{plain}\ufe0f") if form in emoji.EMOJI_DATA), None)
    ours = [f":{name}:" for name, shown in _JOYPIXELS.items() if shown.replace("\ufe0f", "") == plain]
    names = list(dict.fromkeys([*(data.get("alias", []) if data else []), *ours, *([data["en"]] if data else [])]))
    return [f"{name[:-1]}{tone}:" for name in names if tone] + names


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
