"""Pictures that WhatsApp does not take (it takes 8-bit JPEG and PNG up to 5 MB), as ones that it does."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from bot.whatsapp.media import MB

LARGEST = 5 * MB
_MOST_PIXELS = 60_000_000
_SIDES = (4096, 2560, 1600)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What Pillow opens well. SVG and HEIC are not among it."""


def moves(path: Path) -> bool:
    """Whether it is an animation, of which a JPEG or PNG would keep only the first picture."""
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


def converted(path: Path) -> tuple[bytes, str] | None:
    """The (first) picture as PNG when it is see-through, else as JPEG, with its type; None when it cannot be read.

    Turned upright, without metadata such as the place where it was taken, and made smaller until it fits.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    return None
                upright = ImageOps.exif_transpose(opened)
                clear = upright.has_transparency_data
                picture = upright.convert("RGBA" if clear else "RGB")
            return _fitting(picture, clear=clear)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            return None


def _fitting(picture: Image.Image, *, clear: bool) -> tuple[bytes, str] | None:
    for side in _SIDES:
        picture.thumbnail((side, side))
        if clear and len(data := _saved(picture, "PNG", optimize=True)) <= LARGEST:
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
