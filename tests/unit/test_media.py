"""The rules for files: types, limits, names, and pictures."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.config import App
from bot.errors import FileRefused
from bot.whatsapp import compose, media, pictures

OPUS = b"OggS" + b"\x00" * 24 + b"OpusHead"
MB = 1024 * 1024


# --- types and kinds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mime", "size", "head", "kind"),
    [
        ("image/jpeg", 5 * MB, b"", "image"),
        ("image/jpeg", 5 * MB + 1, b"", "document"),
        ("image/jpg", 1, b"", "image"),
        ("image/webp", 1, b"", "document"),
        ("video/mp4", 16 * MB, b"", "video"),
        ("video/mp4", 16 * MB + 1, b"", "document"),
        ("video/webm", 1, b"", "document"),
        ("audio/mpeg", 1, b"", "audio"),
        ("audio/x-m4a", 1, b"", "audio"),
        ("audio/wav", 1, b"", "document"),
        ("audio/flac", 1, b"", "document"),
        ("audio/ogg; codecs=opus", 1, OPUS, "voice"),
        ("audio/opus", 1, OPUS, "voice"),
        ("audio/ogg", 1, b"OggS" + b"\x00" * 24 + b"\x01vorbis", "document"),
        ("application/pdf", 1, b"", "document"),
        ("", 1, b"", "document"),
    ],
)
def test_the_kind_follows_from_type_size_and_content(mime: str, size: int, head: bytes, kind: str) -> None:
    assert media.kind_of(mime, size, head) == kind


@pytest.mark.parametrize(
    ("mime", "head", "whole"),
    [
        ("image/png", b"", "image/png"), ("application/pdf", b"", "application/pdf"), ("audio/ogg", b"", "audio/ogg"),
        ("text/csv", b"a,b", "text/plain"), ("text/csv", "a;ß".encode("utf-16"), "text/plain"),
        ("text/csv", b"a\0b", ""), ("text/rtf", b"{", ""), ("application/ld+json", b"{}", "text/plain"),
        ("application/octet-stream", b"words", "text/plain"), ("application/octet-stream", b"\1\2", ""),
        ("application/zip", b"PK", ""), ("image/webp", b"RIFF", ""), ("video/webm", b"", ""), ("audio/wav", b"", ""),
    ],
)  # fmt: skip
def test_a_file_goes_whole_only_under_a_type_of_whatsapp_s_list(mime: str, head: bytes, whole: str) -> None:
    assert media.whole_type(mime, head) == whole


@given(st.text(max_size=40), st.text(max_size=20), st.binary(max_size=40), st.integers(0, 200 * MB))
@settings(max_examples=200)
def test_whatever_is_declared_a_file_goes_as_what_whatsapp_lists_or_not_at_all(
    declared: str, name: str, head: bytes, size: int
) -> None:
    real = media.real_type(declared, name, head)
    whole = media.whole_type(real, head)
    assert whole == "" or whole in media.DOCUMENTS or whole.split("/")[0] in ("image", "video", "audio")
    assert whole in ("", real, "text/plain")
    assert media.kind_of(real, size, head) == "document" or whole == real


def test_a_voice_message_is_uploaded_under_the_name_of_its_codec() -> None:
    assert media.upload_type("audio/ogg", "voice") == "audio/ogg; codecs=opus"
    assert media.upload_type("audio/mp3", "audio") == "audio/mpeg"


@pytest.mark.parametrize(
    ("declared", "name", "head", "real"),
    [
        ("image/png", "a.png", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("application/octet-stream", "a.pdf", b"%PDF-1.7", "application/pdf"),
        ("", "a.mp4", b"", "video/mp4"),
        ("", "a", b"", "application/octet-stream"),
        ("text/x-y; charset=utf-8", "a", b"", "text/x-y"),
        ("no type at all", "notes.txt", b"", "text/plain"),
        ("video/ogg", "a.ogv", b"OggS", "video/ogg"),
        ("image/jpeg", "a.jpg", b"\0\0\0\x18ftypheic", "image/heic"),
        (
            "application/zip",
            "a.docx",
            b"PK\3\4",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("application/x-zip-compressed", "a.zip", b"PK\3\4", "application/zip"),
        ("application/vnd.ms-excel", "a.csv", b"a;b", "text/csv"),
        ("application/vnd.ms-excel", "a.xls", b"\xd0\xcf", "application/vnd.ms-excel"),
    ],
)
def test_the_content_outweighs_the_declaration_and_that_the_name(
    declared: str, name: str, head: bytes, real: str
) -> None:
    assert media.real_type(declared, name, head) == real


@pytest.mark.parametrize(
    ("accepted", "mime", "ok"),
    [
        ("", "x/y", True),
        (" , ", "x/y", True),
        ("image/*", "image/png", True),
        ("IMAGE/*", "image/png", True),
        ("image/*", "imagex/png", False),
        ("image/*", "audio/ogg; codecs=opus", False),
        ("audio/*", "audio/ogg; codecs=opus", True),
        ("audio/ogg", "audio/ogg; codecs=opus", True),
        ("image/jpg", "image/jpeg", True),
        ("*/*", "x/y", True),
        ("*", "x/y", True),
        ("application/pdf", "", False),
    ],
)
def test_accepted_types_may_hold_wildcards(accepted: str, mime: str, ok: bool) -> None:
    assert media.accepts(accepted, mime) is ok


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "size", "sentence"),
    [
        (-1, 100 * MB, ""),
        (-1, 100 * MB + 1, "file.too_large_for_whatsapp"),
        (200 * MB, 100 * MB + 1, "file.too_large_for_whatsapp"),
        (MB, MB, ""),
        (MB, MB + 1, "file.too_large"),
        (0, 1, "file.too_large"),
    ],
)
def test_the_setting_and_whatsapp_s_own_limit_are_told_apart(limit: int, size: int, sentence: str) -> None:
    app = App(max_file_upload_size=limit, accepted_media_types="")
    try:
        media.check(app, "a", "x/y", size)
        told = ""
    except FileRefused as error:
        told = error.sentence
        assert error.values["size"] != error.values["limit"]
    assert told == sentence


@given(st.integers(0, 200 * MB))
def test_a_size_never_reads_smaller_than_it_is(size: int) -> None:
    number, unit = media.size_text(size).split()
    assert float(number) * {"MB": MB, "KB": 1024, "B": 1}[unit] >= size - 1e-6


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mime", "safe"),
    [
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\temp\\Angebot 2024.pdf", "application/pdf", "Angebot 2024.pdf"),
        ("Currículum café.pdf", "application/pdf", "Currículum café.pdf"),
        ("a\u202egnp.exe", "application/pdf", "agnp.exe"),
        ('x"\r\n<y>.pdf', "application/pdf", "x__y_.pdf"),
        ("", "image/jpeg", "document-0123abcd.jpg"),
        ("...", "image/jpeg", "document-0123abcd.jpg"),
        ("", "application/x-unheard-of", "document-0123abcd"),
        ("report", "application/pdf", "report.pdf"),
        ("100 % #1.pdf", "application/pdf", "100 % #1.pdf"),
    ],
)
def test_names_are_kept_as_far_as_they_are_safe(name: str, mime: str, safe: str) -> None:
    assert media.file_name(name, "document", mime, "0123abcd") == safe


@given(st.text(max_size=600), st.sampled_from(["image/png", "", "x/y", "application/pdf"]))
@settings(max_examples=300)
def test_every_name_fits_into_headers_and_paths(name: str, mime: str) -> None:
    safe = media.file_name(name, "file", mime, "0123abcd")
    assert 0 < len(safe.encode()) <= 220
    assert not set(safe) & set('/\\"\r\n\0')
    assert safe.strip(".") == safe.rstrip(".").lstrip(".")
    assert safe not in (".", "..")
    assert media.file_name(safe, "file", mime, "0123abcd") == safe


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_only_what_carries_a_caption_gets_one() -> None:
    assert compose.media("49", "image", "1", "o", caption="c", name="n")["image"] == {"id": "1", "caption": "c"}
    assert compose.media("49", "audio", "1", "o", caption="c", name="n")["audio"] == {"id": "1"}
    voice = compose.media("49", "voice", "1", "o", caption="c", reply_to="w")
    assert (voice["type"], voice["audio"]) == ("audio", {"id": "1", "voice": True})
    assert voice["context"] == {"message_id": "w"}
    document = compose.media("49", "document", "1", "o", caption="c", name="n.pdf")["document"]
    assert document == {"id": "1", "caption": "c", "filename": "n.pdf"}


# --- pictures -------------------------------------------------------------------------------------------------------


def saved(tmp_path: Path, image: Image.Image, format: str, **how: object) -> Path:
    path = tmp_path / "picture"
    image.save(path, format, **how)
    return path


def test_a_picture_is_turned_upright_and_loses_what_it_says_of_place_and_time(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "a maker"
    made = pictures.converted(saved(tmp_path, Image.new("RGB", (40, 20)), "WEBP", exif=exif))
    assert made is not None
    with Image.open(io.BytesIO(made[0])) as picture:
        assert picture.size == (20, 40)
        assert not picture.getexif()


def test_a_see_through_picture_stays_so_unless_it_is_too_large(tmp_path: Path) -> None:
    small = pictures.converted(saved(tmp_path, Image.new("RGBA", (40, 20)), "WEBP", lossless=True))
    assert small is not None and small[1] == "image/png"
    noise = Image.frombytes("RGBA", (1700, 1700), random.Random(1).randbytes(1700 * 1700 * 4))
    large = pictures.converted(saved(tmp_path, noise, "TIFF"))
    assert large is not None and large[1] == "image/jpeg"
    assert len(large[0]) <= 5 * MB


def test_deep_and_printers_colours_become_plain_ones(tmp_path: Path) -> None:
    for mode, format in (("CMYK", "JPEG"), ("I;16", "PNG"), ("1", "BMP"), ("P", "GIF")):
        made = pictures.converted(saved(tmp_path, Image.new(mode, (8, 8)), format))
        assert made is not None
        with Image.open(io.BytesIO(made[0])) as picture:
            assert picture.mode == "RGB"


def test_deep_grey_keeps_its_shades(tmp_path: Path) -> None:
    made = pictures.converted(saved(tmp_path, Image.new("I;16", (8, 8), 0x8000), "PNG"))
    assert made is not None and made[1] == "image/png"
    with Image.open(io.BytesIO(made[0])) as picture:
        assert picture.getpixel((0, 0)) == (128, 128, 128)


def test_only_eight_bit_red_green_and_blue_fit_as_they_are(tmp_path: Path) -> None:
    for mode, format, fits in [
        ("RGB", "JPEG", True), ("RGB", "PNG", True), ("RGBA", "PNG", True), ("L", "JPEG", False),
        ("CMYK", "JPEG", False), ("P", "PNG", False), ("1", "PNG", False), ("LA", "PNG", False), ("I;16", "PNG", False),
    ]:  # fmt: skip
        assert pictures.fits(saved(tmp_path, Image.new(mode, (8, 8)), format)) is fits, (mode, format)
    deep = tmp_path / "deep.png"
    rows = zlib.compress(b"\0" + b"\x80\0" * 3)
    deep.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    ))  # fmt: skip
    assert pictures.fits(deep) is False


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\nrubbish", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "])
def test_what_is_no_picture_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert pictures.converted(path) is None
    assert pictures.moves(path) is False
    assert pictures.fits(path) is True


def test_a_picture_of_unreasonable_size_is_not_unpacked(tmp_path: Path) -> None:
    bomb = saved(tmp_path, Image.new("1", (20_000, 20_000)), "PNG")
    assert bomb.stat().st_size < 200_000
    assert pictures.converted(bomb) is None
