"""Files on both wires: kinds, types, sizes, names. Pure.

Source: Meta: whatsapp/business-phone-numbers/media (supported types and sizes).
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata
from pathlib import PurePosixPath

from bot.config import App
from bot.errors import FileRefused
from bot.model import MediaKind

KB, MB = 1024, 1024 * 1024
LARGEST = 100 * MB
"""Most bytes that WhatsApp carries in either direction."""
CAPTION = 1024
"""Most characters of a caption."""
CAPTIONED = frozenset({"image", "video", "document"})

_TABLE: dict[MediaKind, tuple[int, frozenset[str]]] = {
    "image": (5 * MB, frozenset({"image/jpeg", "image/png"})),
    "video": (16 * MB, frozenset({"video/mp4", "video/3gpp"})),
    "audio": (16 * MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
}
"""What arrives as picture, film or sound, and up to which size. Everything else goes as a document."""

_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCUMENTS = frozenset({
    "text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation",
})  # fmt: skip
"""What documents may be. 360Dialog's page on document messages says that others may be sent too but are not supported;
Meta's upload refuses every type outside of its list (code 100, "Param file must be a file with one of the following
types"), and a made-up type would reach a phone that cannot open it."""
_SAME = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png",
    "audio/mp3": "audio/mpeg", "audio/x-mp3": "audio/mpeg", "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4",
    "audio/x-aac": "audio/aac", "audio/opus": "audio/ogg", "audio/x-opus+ogg": "audio/ogg",
    "application/ogg": "audio/ogg", "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "video/3gp": "video/3gpp", "video/x-m4v": "video/mp4", "application/x-pdf": "application/pdf",
}  # fmt: skip
"""Other names of the same type. WhatsApp refuses `audio/opus` by that name."""

_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
    "video/mp4": ".mp4", "video/3gpp": ".3gp",
    "audio/aac": ".aac", "audio/amr": ".amr", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg",
    "application/pdf": ".pdf", "text/plain": ".txt",
    f"{_OFFICE}wordprocessingml.document": ".docx", f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
    f"{_OFFICE}presentationml.presentation": ".pptx",
}  # fmt: skip
_GUESS = mimetypes.MimeTypes()  # Python's own table, not the machine's
for _type, _extension in _EXTENSIONS.items():
    _GUESS.add_type(_type, _extension)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,127}")
UNKNOWN = "application/octet-stream"


# --- types ----------------------------------------------------------------------------------------------------------


def plain_type(mime_type: str) -> str:
    """`Audio/OGG; codecs=opus` → `audio/ogg`, and the usual name where there are several; empty when it is no type."""
    plain = mime_type.partition(";")[0].strip().lower()
    return _SAME.get(plain, plain) if _TYPE.fullmatch(plain) else ""


def real_type(declared: str, name: str, head: bytes) -> str:
    """The type by the first bytes, else as declared, else by the name's ending. WhatsApp refuses what does not match
    (131053), and browsers declare by the ending."""
    declared = plain_type(declared)
    found = _by_content(head, declared)
    if found:
        return found
    guessed = plain_type(_GUESS.guess_type(PurePosixPath(name).name)[0] or "")
    if declared == "application/zip" and guessed in DOCUMENTS:  # office files are archives
        return guessed
    if declared == "application/vnd.ms-excel" and guessed == "text/csv":  # so browsers on Windows call it
        return guessed
    return (guessed or UNKNOWN) if declared in ("", UNKNOWN) else declared


_PHOTO_BRANDS = {b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heic", b"avif": "image/avif"}
"""ISO 23008-12: photos in the container of films."""


def _by_content(head: bytes, declared: str) -> str:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp" and head[8:12] in _PHOTO_BRANDS:
        return _PHOTO_BRANDS[head[8:12]]
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"OggS") and not declared.startswith("video/"):
        return "audio/ogg"
    if head.startswith(b"\x1aE\xdf\xa3") and not declared.endswith(("/webm", "matroska")):
        return "video/webm"
    return ""


def is_opus(head: bytes) -> bool:
    """Ogg whose first packet is Opus (RFC 7845): what WhatsApp shows as a voice message; it takes no other Ogg."""
    return head.startswith(b"OggS") and b"OpusHead" in head[:128]


def kind_of(mime_type: str, size: int, head: bytes) -> MediaKind:
    """As what a file is sent. `voice` is an audio that the phone shows as a voice message."""
    mime_type = plain_type(mime_type)
    for kind, (largest, types) in _TABLE.items():
        if mime_type in types and size <= largest:
            if mime_type == "audio/ogg":
                return "voice" if is_opus(head) else "document"
            return kind
    return "document"


def is_sound(mime_type: str, name: str) -> bool:
    """By what is known before the file is fetched: sounds carry no caption."""
    return real_type(mime_type, name, b"").startswith("audio/")


_TEXTS = re.compile(r"text/.+|application/(json|xml|javascript|sql|(x-)?(yaml|sh|ndjson|toml))|.+\+(json|xml)")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def whole_type(mime_type: str, head: bytes) -> str:
    """The type under which WhatsApp takes the file as it is; empty when it takes no such file.

    Every kind of readable text (CSV, JSON, SVG, …) is `text/plain`, the only text that it knows; its name keeps the
    ending."""
    if mime_type in DOCUMENTS or any(mime_type in types for _, types in _TABLE.values()):
        return mime_type
    text = mime_type == UNKNOWN or (_TEXTS.fullmatch(mime_type) and mime_type != "text/rtf")
    readable = head.startswith((b"\xff\xfe", b"\xfe\xff")) or not _NO_TEXT.search(head)
    return "text/plain" if text and readable else ""


def upload_type(mime_type: str, kind: MediaKind) -> str:
    """How the upload names it: a voice message with its codec."""
    return "audio/ogg; codecs=opus" if kind == "voice" else plain_type(mime_type) or UNKNOWN


# --- our limits -----------------------------------------------------------------------------------------------------


def accepts(accepted: str, mime_type: str) -> bool:
    """`accepted`: types and wildcards (`image/*`, `*/*`) with commas; empty: everything."""
    wanted = [item.partition(";")[0].strip().lower() for item in accepted.split(",")]
    wanted = [_SAME.get(item, item) for item in wanted if item]
    mime_type = plain_type(mime_type) or UNKNOWN
    return not wanted or any(
        item in (mime_type, "*", "*/*") or (item.endswith("/*") and mime_type.startswith(item[:-1])) for item in wanted
    )


def check(app: App, name: str, mime_type: str, size: int = 0) -> None:
    """The settings and WhatsApp's own limit, in both directions. Raises FileRefused.

    `mime_type` empty and `size` 0: not known yet.
    """
    if not app.file_uploads_enabled:
        raise FileRefused("file.off", name=name)
    if mime_type and not accepts(app.accepted_media_types, mime_type):
        accepted = ", ".join(item.strip() for item in app.accepted_media_types.split(",") if item.strip())
        raise FileRefused("file.type", name=name, type=plain_type(mime_type) or UNKNOWN, accepted=accepted)
    if size > largest(app):
        raise too_large(app, name, size_text(size))


def largest(app: App) -> int:
    """Most bytes of a file, by the setting and by WhatsApp."""
    return LARGEST if app.max_file_upload_size < 0 else min(LARGEST, app.max_file_upload_size)


def too_large(app: App, name: str, size: str = "") -> FileRefused:
    """`size` empty: it was given up at the limit."""
    most = largest(app)
    ours = app.max_file_upload_size == most and most < LARGEST
    limit = size_text(most)
    return FileRefused(
        "file.too_large" if ours else "file.too_large_for_whatsapp", name=name, size=size or f"> {limit}", limit=limit
    )


def size_text(size: int) -> str:
    """Exact for round limits, else rounded up, so that a file over a limit never reads like the limit."""
    for unit, word in ((MB, "MB"), (KB, "KB")):
        if size >= unit:
            whole, rest = divmod(size, unit)
            return f"{whole} {word}" if not rest else f"{-(-size * 10 // unit) / 10:.1f} {word}"
    return f"{size} B"


# --- names ----------------------------------------------------------------------------------------------------------

_UNSAFE = re.compile(r'[/\\:*?"<>|]')
_LONGEST_NAME = 200
"""In bytes: file systems take 255, and servers put something in front."""


def file_name(name: str, kind: str, mime_type: str, mark: str) -> str:
    """A name that is safe in a header, a path and on a screen, with an ending; made from `kind` and `mark` if empty."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    plain = _UNSAFE.sub("_", " ".join(plain.split())).strip(". ")
    ending = _ending(mime_type)
    if not plain:
        return f"{kind}-{mark}{ending}"
    stem, dot, extension = plain.rpartition(".")
    if not (dot and stem and 0 < len(extension) <= 12):
        stem, extension = plain, ending.removeprefix(".")
    room = _LONGEST_NAME - len(extension.encode()) - 1
    stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return f"{stem}.{extension}" if extension else stem


def _ending(mime_type: str) -> str:
    plain = plain_type(mime_type)
    return _EXTENSIONS.get(plain) or (_GUESS.guess_extension(plain) if plain not in ("", UNKNOWN) else None) or ""


def mark_of(wamid: str) -> str:
    """Eight letters that name a message."""
    return hashlib.sha256(wamid.encode("utf-8", "surrogatepass")).hexdigest()[:8]
