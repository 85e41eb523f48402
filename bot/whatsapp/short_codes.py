"""Emoji short codes as Rocket.Chat writes them (`:smile:`, JoyPixels names) → the characters that WhatsApp shows."""

from __future__ import annotations

import re
from functools import lru_cache

import emoji

SHORT_CODE = re.compile(r"(?<![^\W_]):([0-9A-Za-z_+.-]{1,80}):(?![^\W_])")
"""Rocket.Chat draws none inside a word, so that 12:30:45 stays a time (packages/message-parser)."""

_TONE = re.compile(r"(.+?)_tone([1-5])(?:_tone([1-5]))?((?:_[a-z]+)*)")
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
    "family_mmbb": "👨‍👨‍👦‍👦", "family_mmgb": "👨‍👨‍👧‍👦", "family_mmgg": "👨‍👨‍👧‍👧", "family_mwbb": "👨‍👩‍👦‍👦",
    "family_mwgb": "👨‍👩‍👧‍👦", "family_mwgg": "👨‍👩‍👧‍👧", "family_wwbb": "👩‍👩‍👦‍👦", "family_wwgb": "👩‍👩‍👧‍👦",
    "family_wwgg": "👩‍👩‍👧‍👧", "kiss_mm": "👨‍❤️‍💋‍👨", "kiss_ww": "👩‍❤️‍💋‍👩", "family_mmb": "👨‍👨‍👦",
    "family_mmg": "👨‍👨‍👧", "family_mwg": "👨‍👩‍👧", "family_wwb": "👩‍👩‍👦", "family_wwg": "👩‍👩‍👧",
    "couple_mm": "👨‍❤️‍👨",
    "couple_ww": "👩‍❤️‍👩", "man_curly_haired": "👨‍🦱", "man_red_haired": "👨‍🦰", "man_white_haired": "👨‍🦳",
    "woman_curly_haired": "👩‍🦱", "woman_red_haired": "👩‍🦰", "woman_white_haired": "👩‍🦳", "blond-haired_man": "👱‍♂️",
    "blond-haired_woman": "👱‍♀️", "man_getting_face_massage": "💆‍♂️", "men_with_bunny_ears_partying": "👯‍♂️",
    "woman_getting_face_massage": "💆‍♀️", "women_with_bunny_ears_partying": "👯‍♀️", "airplane_small": "🛩️",
    "anger_right": "🗯️", "beach": "🏖️", "beetle": "🪲", "bellhop": "🛎️", "card_box": "🗃️", "city_dusk": "🌆",
    "city_sunset": "🌇", "clock": "🕰️", "cloud_lightning": "🌩️", "cloud_tornado": "🌪️", "construction_site": "🏗️",
    "couch": "🛋️", "cruise_ship": "🛳️", "curly_haired": "🦱", "dividers": "🗂️", "egg": "🥚",
    "face_with_symbols_over_mouth": "🤬", "fork_knife_plate": "🍽️", "frame_photo": "🖼️", "french_bread": "🥖",
    "goal": "🥅", "hockey": "🏒", "house_abandoned": "🏚️", "island": "🏝️", "kiwi": "🥝", "levitate": "🕴️",
    "man_with_chinese_cap": "👲", "microphone2": "🎙️", "motorboat": "🛥️", "mouse_three_button": "🖱️", "oil": "🛢️",
    "park": "🏞️", "pen_ballpoint": "🖊️", "pen_fountain": "🖋️", "people_with_bunny_ears_partying": "👯",
    "person_doing_cartwheel": "🤸", "projector": "📽️", "race_car": "🏎️", "red_haired": "🦰", "rhino": "🦏", "salad": "🥗",
    "satellite_orbital": "🛰️", "scooter": "🛴", "speech_left": "🗨️", "squeeze_bottle": "🧴", "white_haired": "🦳",
    "white_sun_cloud": "🌥️", "white_sun_rain_cloud": "🌦️", "white_sun_small_cloud": "🌤️", "wilted_rose": "🥀",
    "womans_flat_shoe": "🥿", "atom": "⚛️", "beach_umbrella": "⛱️", "cross": "✝️", "eject": "⏏️", "hammer_pick": "⚒️",
    "helmet_with_cross": "⛑️", "peace": "☮️", "play_pause": "⏯️", "skull_crossbones": "☠️",
    "thunder_cloud_rain": "⛈️", "timer": "⏲️", "track_next": "⏭️", "track_previous": "⏮️", "urn": "⚱️",
    "guardsman": "💂", "ok_woman": "🙆", "man_with_turban": "👳", "pouting_face": "😡",
}  # fmt: skip
"""Names of Rocket.Chat's picker that the `emoji` package does not have, or has for something else (compared with the
list of emoji-toolkit 7.0.1, which Rocket.Chat 8.3 uses)."""


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
    tones = dict.fromkeys(_tones_in(character)) if len(character) > 1 else {}
    base = "".join(one for one in character if not tones or not _tones_in(one))
    tone = "".join(f"_tone{one}" for one in tones)
    plain = base.replace("\ufe0f", "")
    data = next((emoji.EMOJI_DATA[form] for form in (base, plain, f"{plain}\ufe0f") if form in emoji.EMOJI_DATA), None)
    ours = [f":{name}:" for name, shown in _JOYPIXELS.items() if shown.replace("\ufe0f", "") == plain]
    theirs = [*data.get("alias", []), data["en"]] if data else []
    listed = dict.fromkeys([*theirs[:-1], *ours, *theirs[-1:]])
    names = [name for name in listed if _character(name[1:-1]).replace("\ufe0f", "") == plain]
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
        base = _character(toned[1] + toned[4])
        return _toned(base, int(toned[2]), int(toned[3] or toned[2])) or base
    found = emoji.emojize(f":{name}:", language="alias")
    return "" if found == f":{name}:" else found


def _toned(base: str, first: int, last: int) -> str:
    """The emoji with skin tones, 1 to 5: the first and the last person in it get one, or the first alone; nothing when
    there is no such emoji. A tone stands right after the person, in the place of a variation selector."""
    people = [at for at, one in enumerate(base) if one + chr(_LIGHTEST) in emoji.EMOJI_DATA]
    for whom in ([*people[:1], *people[1:][-1:]], people[:1]):
        parts: list[str] = []
        for at, one in enumerate(base):
            if at - 1 in whom and one == "\ufe0f":
                continue
            parts.append(one)
            if at in whom:
                parts.append(chr(_LIGHTEST + (last if at == whom[-1] and len(whom) > 1 else first) - 1))
        if whom and "".join(parts) in emoji.EMOJI_DATA:
            return "".join(parts)
    return ""


def _tones_in(character: str) -> list[int]:
    return [ord(one) - _LIGHTEST + 1 for one in character if 0 <= ord(one) - _LIGHTEST < 5]
