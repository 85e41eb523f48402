"""The installation's one secret: seals what must not lie in a file in clear, and derives what must not be guessed.

The key file is made at the first start, readable by the bot's user alone. It holds one key per line (32 random bytes,
base64). The first line seals (Fernet: AES-128-CBC and HMAC-SHA256) and every line opens, so a new key is put in front
of the old ones (`python -m bot keys`). The last line is the root of what is derived: visitor tokens depend on it, so it
stays. A file that was changed is read again before the next secret is sealed, and when one does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.storage.files import StorageError, make_private_folder, sync_folder

log = logging.getLogger(__name__)


class Vault:
    """Reads the key file, or makes it when there is none. Raises StorageError when it cannot be used."""

    keys: tuple[str, ...]
    """The lines of the file."""
    _stamp: object
    """Tells whether the file is still the one that was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            _make(path)
        self._use(*_read(path))
        self._root = hmac.digest(self.keys[-1].encode(), b"whatsapp-360d-bot derive", "sha256")

    def seal(self, text: str) -> str:
        """Encrypted and authenticated; each time another text."""
        self.reload()
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, sealed: str) -> str:
        """What `seal` was given. Raises StorageError when it was sealed with another key, or altered."""
        for last in (False, True):
            try:
                return self._fernet.decrypt(sealed.encode()).decode("utf-8", "surrogatepass")
            except (InvalidToken, UnicodeError):
                if last or not self.reload():
                    break
        raise StorageError(
            f"A stored secret does not open with {self.path}. Put the key file back that was in use when it was stored."
        )

    @property
    def front(self) -> str:
        """Name of the key that seals now; whoever remembers what was sealed forgets it when this changes."""
        self.reload()
        return key_name(self.keys[0])

    def place(self, sealed: str) -> int:
        """Which of `keys` opens it. Raises StorageError when none does."""
        for place, key in enumerate(self.keys):
            try:
                Fernet(key).decrypt(sealed.encode())
            except (InvalidToken, UnicodeError):
                continue
            return place
        raise StorageError(f"A stored secret does not open with any key of {self.path}. Put the key file back.")

    def reload(self) -> bool:
        """Reads the file again if it is another one than before; True when it was. One that cannot be used, or has
        another root, is passed over: this program goes on with the keys that it has."""
        try:
            found = _stamp(self.path.stat())
        except OSError:
            return False
        if found == self._stamp:
            return False
        try:
            lines, stamp = _read(self.path)
            if lines[-1] != self.keys[-1]:
                raise StorageError("its last line has to stay")
            self._use(lines, stamp)
        except StorageError as error:
            log.warning("the key file was changed and is not used as it stands: %s", error)
            self._stamp = found
            return False
        return True

    def replace(self, keys: Sequence[str]) -> None:
        """Writes the file anew in one step, for the same owner. Raises StorageError; then the old one stands."""
        assert keys[-1] == self.keys[-1], "the root stays"
        fresh = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        try:
            _write(fresh, "".join(f"{key}\n" for key in keys))
            found = self.path.stat()
            if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(fresh, found.st_uid, found.st_gid)
            fresh.chmod(stat.S_IMODE(found.st_mode))
            fresh.replace(self.path.resolve())
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StorageError(
                f"The key file {self.path} cannot be written: {error.strerror}. Nothing was changed."
            ) from None
        sync_folder(self.path.parent)
        self.reload()

    def _use(self, keys: list[str], stamp: object) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise _no_key(self.path) from None
        self.keys = tuple(keys)
        self._stamp = stamp

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
        _write(fresh, f"{new_key()}\n")
        try:
            path.hardlink_to(fresh)  # whole from its first moment; of two bots that start together one makes it
        except FileExistsError:
            return
        finally:
            fresh.unlink()
    except OSError as error:
        raise StorageError(f"The key file {path} cannot be made: {error.strerror}.") from None
    sync_folder(path.parent)  # without it the name may be gone after a power cut, and with it everything sealed


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def new_key() -> str:
    return Fernet.generate_key().decode()


def key_name(key: str) -> str:
    """What a key is called in lists and among bots: tells nothing of it."""
    return hashlib.sha256(f"name of key {key}".encode()).hexdigest()[:12]


def _stamp(found: os.stat_result) -> object:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> tuple[list[str], object]:
    """The keys, and what tells this file from a later one."""
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
    return lines, _stamp(found)


def _no_key(path: Path) -> StorageError:
    return StorageError(
        f"{path} does not hold a key (32 bytes in base64). Put your copy back, or move it away to start anew: then "
        "every number has to be connected again."
    )
