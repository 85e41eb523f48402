"""Files: what may be uploaded, and links that live five minutes.

Kinds, types and sizes: Meta, "Media". An upload's part must name its real type. Uploaded ids live 30 days, ids from
webhooks 7 days. A file is fetched in two steps: GET /{id} gives an address at Meta's host, which a client reaches
through 360Dialog's host with the same path and query (360Dialog: upload, retrieve or delete media).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.sandbox.dialog360.refusals import graph
from bot.sandbox.dialog360.state import Json, SandboxNumber

MB = 1024 * 1024
DAY = 86400.0
URL_LIFE = 300
HOST = "https://lookaside.fbsbx.com"
PATH = "/whatsapp_business/attachments/"

_OFFICE = "application/vnd.openxmlformats-officedocument."
KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "audio": (16 * MB, ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg")),
    "document": (
        100 * MB,
        (
            "application/vnd.ms-powerpoint",
            "application/msword",
            _OFFICE + "wordprocessingml.document",
            _OFFICE + "presentationml.presentation",
            _OFFICE + "spreadsheetml.sheet",
            "application/pdf",
            "text/plain",
            "application/vnd.ms-excel",
        ),
    ),
    "image": (5 * MB, ("image/jpeg", "image/png")),
    "sticker": (500 * 1024, ("image/webp",)),
    "video": (16 * MB, ("video/mp4", "video/3gpp")),
}

_MAGIC = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n": "image/png",
    b"%PDF-": "application/pdf",
    b"OggS": "audio/ogg",
    b"GIF8": "image/gif",
}


def plain(mime: str) -> str:
    return mime.partition(";")[0].strip().lower()


def kind_of(mime: str) -> str | None:
    return next((kind for kind, (_, types) in KINDS.items() if plain(mime) in types), None)


@dataclass(slots=True)
class MediaFile:
    id: str
    number: SandboxNumber
    data: bytes
    mime: str
    filename: str
    inbound: bool
    at: float

    @property
    def sha(self) -> bytes:
        return hashlib.sha256(self.data).digest()


class MediaStore:
    def __init__(self) -> None:
        self.size_as_text = False
        """Whether GET /{id} writes `file_size` as a string, as Meta's schema says; real answers hold an int."""
        self._files: dict[str, MediaFile] = {}
        self._ids = itertools.count(1_370_000_000_000_001, 7919)
        self._secret = secrets.token_bytes(32)

    def upload(self, number: SandboxNumber, data: bytes, mime: str, filename: str, now: float) -> MediaFile:
        """A business uploads. Raises for a type or size that WhatsApp does not take."""
        kind = kind_of(mime)
        if kind is None:
            types = ", ".join(name for _, names in KINDS.values() for name in names)
            raise graph(100, f"Param file must be a file with one of the following types: {types}.")
        if not data:
            raise graph(100, "Param file must not be empty.")
        if len(data) > KINDS[kind][0]:
            raise graph(100, f"Param file is too large: {kind} files may have {KINDS[kind][0]} bytes.")
        real = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
        if real is not None and real != plain(mime):
            raise graph(131053, f"Uploaded a file with type {real}, but Content-Type says {plain(mime)}.")
        return self._add(number, data, mime, filename, now, inbound=False)

    def received(self, number: SandboxNumber, data: bytes, mime: str, filename: str, now: float) -> MediaFile:
        """A customer sent a file, of whatever type."""
        return self._add(number, data, mime, filename, now, inbound=True)

    def _add(
        self, number: SandboxNumber, data: bytes, mime: str, filename: str, now: float, *, inbound: bool
    ) -> MediaFile:
        file = MediaFile(str(next(self._ids)), number, data, mime, filename, inbound, now)
        self._files[file.id] = file
        return file

    def find(self, number: SandboxNumber, id: str, now: float) -> MediaFile | None:
        """The file, when it belongs to this number and has not expired."""
        file = self._files.get(id)
        if file is None or file.number is not number:
            return None
        return file if now < file.at + (7 if file.inbound else 30) * DAY else None

    def require(self, number: SandboxNumber, id: str, now: float) -> MediaFile:
        file = self.find(number, id, now)
        if file is None:
            raise graph(
                100,
                f"Unsupported get request. Object with ID '{id[:40]}' does not exist, cannot be loaded due to missing "
                "permissions, or does not support this operation.",
                subcode=33,
            )
        return file

    def delete(self, number: SandboxNumber, id: str, now: float) -> None:
        del self._files[self.require(number, id, now).id]

    def describe(self, file: MediaFile, now: float) -> Json:
        """The answer of GET /{id}; the digest is hex here and base64 in webhooks."""
        size: int | str = str(len(file.data)) if self.size_as_text else len(file.data)
        return {
            "messaging_product": "whatsapp",
            "url": self.url(file, now),
            "mime_type": file.mime,
            "sha256": file.sha.hex(),
            "file_size": size,
            "id": file.id,
        }

    def announce(self, file: MediaFile, now: float) -> Json:
        """The media object of an inbound webhook, without caption and the like."""
        return {
            "mime_type": file.mime,
            "sha256": base64.b64encode(file.sha).decode(),
            "id": file.id,
            "url": self.url(file, now, source="webhook"),
        }

    def url(self, file: MediaFile, now: float, source: str = "") -> str:
        expiry = str(int(now) + URL_LIFE)
        query = {"mid": file.id, **({"source": source} if source else {}), "ext": expiry}
        return f"{HOST}{PATH}?{urlencode(query | {'hash': self._hash(file.id, expiry)})}"

    def open(self, number: SandboxNumber, mid: str, ext: str, hash: str, now: float) -> MediaFile | None:
        """The file behind a download address; None when the address is wrong, foreign or expired."""
        if not hmac.compare_digest(hash.encode(), self._hash(mid, ext).encode()) or int(ext) < now:
            return None
        return self.find(number, mid, now)

    def _hash(self, mid: str, ext: str) -> str:
        return hmac.new(self._secret, f"{mid}:{ext}".encode(), "sha256").hexdigest()[:48]
