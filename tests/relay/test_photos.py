"""However many pictures come at once, few are worked on together."""

import asyncio
import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.relay.photos import AT_ONCE, Photos
from bot.whatsapp import pictures

MANY = 9


def frames(last: FrameType | None) -> Iterator[FrameType]:
    while last is not None:
        yield last
        last = last.f_back


def busy() -> int:
    """Threads that convert a picture in this moment."""
    code = pictures.converted.__code__
    stacks = [sys._current_frames().get(thread.ident or 0) for thread in threading.enumerate()]
    return sum(any(frame.f_code is code for frame in frames(stack)) for stack in stacks)


async def test_few_pictures_are_worked_on_together(tmp_path: Path) -> None:
    photos, most = Photos(), 0
    for number in range(MANY):
        Image.effect_noise((1200, 1200), 90).convert("CMYK").save(tmp_path / str(number), "JPEG")
    work = asyncio.gather(*(photos.of(tmp_path / str(number)) for number in range(MANY)))
    while not work.done():
        most = max(most, busy())
        await asyncio.sleep(0)

    assert most == AT_ONCE
    made = await work
    assert [photo.path.name for photo in made if photo is not None] == [f"{number}.photo" for number in range(MANY)]


async def test_a_picture_is_made_beside_the_file(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8)).save(tmp_path / "0", "JPEG")
    made = await Photos().of(tmp_path / "0")
    assert made is not None
    assert (made.path, made.mime_type, made.still) == (tmp_path / "0.photo", "image/jpeg", False)
    with Image.open(made.path) as shown:
        assert shown.mode == "RGB"


def test_a_photo_that_is_made_smaller_while_it_is_read_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8160, 6120)).save(tmp_path / "photo", "JPEG", exif=exif)
    made = pictures.converted(tmp_path / "photo")
    assert made is not None
    with Image.open(io.BytesIO(made[0])) as picture:
        assert picture.size == (3060, 4080)


def saved(format: str) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), (1, 200, 3)).save(out, format, exif=exif if format == "JPEG" else b"")
    return out.getvalue()


def spoilt(content: bytes, places: list[tuple[int, bytes]]) -> bytes:
    changed = bytearray(content)
    for place, piece in places:
        at = place % len(content)
        changed[at : at + len(piece)] = piece
    return bytes(changed)


@given(
    content=st.sampled_from([saved(format) for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")]),
    places=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5),
)
@example(saved("AVIF"), [(35, b";")])
@example(saved("GIF"), [(96, b",")])
@example(saved("JPEG"), [(at, b"\0") for at in range(30, 50)])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_wrong_with_a_file_no_error_escapes(
    tmp_path: Path, content: bytes, places: list[tuple[int, bytes]]
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(spoilt(content, places))
    assert pictures.fits(path) in (True, False)
    assert pictures.moves(path) in (True, False)
    made = pictures.converted(path)
    assert made is None or made[1] in ("image/jpeg", "image/png")


MEASURED = """
import resource, sys
from pathlib import Path
from bot.whatsapp import pictures
assert pictures.converted(Path(sys.argv[1])) is not None
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""How much memory a process takes at most that makes one picture, in KiB (Linux: getrusage(2))."""


@pytest.mark.parametrize(("size", "mode", "format"), [((6000, 6000), "RGBA", "WEBP"), ((8160, 6120), "RGB", "JPEG")])
def test_the_largest_pictures_leave_the_bot_its_place_in_a_container_of_a_gigabyte(
    tmp_path: Path, size: tuple[int, int], mode: str, format: str
) -> None:
    Image.new(mode, size).save(tmp_path / "large", format, lossless=True)
    asked = (sys.executable, "-c", MEASURED, str(tmp_path / "large"))
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2])
    assert int(done.stdout) < 800 * 1024
