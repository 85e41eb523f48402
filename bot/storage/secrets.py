"""The installation's one secret: seals what must not lie in a file in clear, and derives what must not be guessed.

The key file is made at the first start, readable by the bot's user alone. It holds one key per line (32 random bytes,
base64). The first line seals (Fernet: AES-128-CBC and HMAC-SHA256) and every line opens, so a new key is put in front
of the old ones. The last line is the root of what is derived: visitor tokens depend on it, so it stays.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.storage.files import StorageError, make_private_folder, sync_folder


class Vault:
    """Reads the key file, or makes it when there is none. Raises StorageError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            _make(path)
        lines = _read(path)
        try:
            keys = [Fernet(line) for line in lines]
        except ValueError:
            raise _no_key(path) from None
        self._fernet = MultiFernet(keys)
        self._root = hmac.digest(lines[-1].encode(), b"whatsapp-360d-bot derive", "sha256")

    def seal(self, text: str) -> str:
        """Encrypted and authenticated; each time another text."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, sealed: str) -> str:
        """What `seal` was given. Raises StorageError when it was sealed with another key, or altered."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode("utf-8", "surrogatepass")
        except (InvalidToken, UnicodeError):
            raise StorageError(
                f"A stored secret does not open with {self.path}. Put the key file back that was in use when it was "
                "stored."
            ) from None

    def derive(self, purpose: str, *parts: str) -> bytes:
        """32 bytes that only this installation can compute; the same for the same purpose and parts."""
        digest = hmac.new(self._root, digestmod=hashlib.sha256)
        for part in (purpose, *parts):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))  # ("ab", "c") and ("a", "bc") differ
            digest.update(data)
        return digest.digest()

    def proof(self, nonce: str) -> str:
        """Shows that whoever answers with it holds the same key."""
        return self.derive("proof of identity", nonce).hex()


def _make(path: Path) -> None:
    make_private_folder(path.parent)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)  # whole from its first moment; of two bots that start together one makes it
        except FileExistsError:
            return
        finally:
            fresh.unlink()
    except OSError as error:
        raise StorageError(f"The key file {path} cannot be made: {error.strerror}.") from None
    sync_folder(path.parent)  # without it the name may be gone after a power cut, and with it everything sealed


def _read(path: Path) -> list[str]:
    try:
        found = path.stat()
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise StorageError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise _no_key(path) from None
    # As PostgreSQL's clients do: mounted secrets often belong to root and are opened to a group.
    allowed = 0o640 if found.st_uid == 0 and os.geteuid() != 0 else 0o600
    if stat.S_IMODE(found.st_mode) & 0o077 & ~allowed:
        raise StorageError(f"Others can read the key file {path}. Close it to them: chmod 600 {path}")
    lines = text.split()
    if not lines:
        raise StorageError(
            f"The key file {path} is empty. Put your copy back; if nothing was stored yet, delete the file and start "
            "again."
        )
    return lines


def _no_key(path: Path) -> StorageError:
    return StorageError(
        f"{path} does not hold a key (32 bytes in base64). Put your copy back, or move it away to start anew: then "
        "every number has to be connected again."
    )
