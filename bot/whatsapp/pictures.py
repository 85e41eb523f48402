"""Pictures that WhatsApp does not take (it takes JPEG and PNG with 8 bits a colour, RGB or RGBA, up to 5 MB), as ones
that it does.

Of a damaged file Pillow's decoders raise whatever they stumble over (IndexError, RuntimeError, struct.error, …), so
every error here says only that it cannot be read.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from bot.whatsapp.media import MB

LARGEST = 5 * MB
_MOST_PIXELS = {"JPEG": 60_000_000}
_MOST_OF_OTHERS = 36_000_000
"""Each takes four bytes, some decoders hold it five times (WebP), and the whole bot may have a gigabyte. A JPEG is made
smaller while it is read."""
_SIDES = (4096, 2560, 1600)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What Pillow opens well. SVG and HEIC are not among it."""
_IHDR_DEPTH = 24
"""Where a PNG says how many bits a colour has; Pillow reads sixteen as eight without a word."""


def fits(path: Path) -> bool:
    """Whether its colours are WhatsApp's, so that it may go as it is. True for what cannot be read."""
    try:
        with path.open("rb") as file, Image.open(file, formats=("JPEG", "PNG")) as picture:
            file.seek(_IHDR_DEPTH)
            deep = picture.format == "PNG" and file.read(1) != b"\x08"
            return picture.mode in ("RGB", "RGBA") and not deep
    except Exception:
        return True


def moves(path: Path) -> bool:
    """Whether it is an animation, of which a JPEG or PNG would keep only the first picture."""
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            return bool(getattr(picture, "is_animated", False))
    except Exception:
        return False


def converted(path: Path) -> tuple[bytes, str] | None:
    """The (first) picture as PNG when it is see-through or was one, else as JPEG, with its type; None when it cannot be
    read.

    Turned upright, without metadata such as the place where it was taken, and made smaller until it fits.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_FORMATS) as picture:
                if picture.width * picture.height > _MOST_PIXELS.get(str(picture.format), _MOST_OF_OTHERS):
                    return None
                clear = picture.has_transparency_data
                sharp = clear or picture.format == "PNG"
                picture.draft("RGB", (_SIDES[1], _SIDES[1]))
                ImageOps.exif_transpose(picture, in_place=True)
                small = _small(picture, clear=clear)
            return _fitting(small, clear=clear, sharp=sharp)
        except Exception:
            return None


def _small(picture: Image.Image, *, clear: bool) -> Image.Image:
    """In the colours that WhatsApp takes, and no larger than it is needed."""
    if picture.mode.startswith("I"):  # sixteen bits of grey, of which Pillow would cut the upper half off
        picture = picture.point(lambda grey: grey * (1 / 256)).convert("L")
    if picture.mode in ("P", "PA", "1"):  # what cannot be made smaller smoothly
        picture = picture.convert("RGBA" if clear else "RGB")
    picture.thumbnail((_SIDES[0], _SIDES[0]))
    return picture.convert("RGBA" if clear else "RGB")


def _fitting(picture: Image.Image, *, clear: bool, sharp: bool) -> tuple[bytes, str] | None:
    for side in _SIDES:
        picture.thumbnail((side, side))
        if sharp and len(data := _saved(picture, "PNG", optimize=True)) <= LARGEST:
            return data, "image/png"
        flat = picture
        if clear:
            flat = Image.new("RGB", picture.size, "white")
            flat.paste(picture, mask=picture.getchannel("A"))
        for quality in (88, 70):
            if len(data := _saved(flat, "JPEG", quality=quality)) <= LARGEST:
                return data, "image/jpeg"
    return None


def _saved(picture: Image.Image, format: str, **how: int | bool) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **how)
    return out.getvalue()
