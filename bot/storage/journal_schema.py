"""The journal's tables in SQLite, as numbered steps, and how its file is opened.

`entries` holds everything that ever entered. Indexes over waiting and dead entries are partial, so the million that
is done costs nothing. `lanes` has one row per lane that has something waiting: its head. That makes "the next ones" a
short walk along one index, however many entries wait in one lane or in all of them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.storage.files import StorageError

log = logging.getLogger(__name__)

APPLICATION_ID = 0x57413336
"""Tells our files from other SQLite files."""

MIGRATIONS = (
    """
    CREATE TABLE entries (
        seq        INTEGER PRIMARY KEY,           -- order of arrival
        key        TEXT    NOT NULL UNIQUE,
        lane       TEXT    NOT NULL,              -- empty once it is done
        kind       TEXT    NOT NULL,
        source     TEXT    NOT NULL,
        at_ms      INTEGER NOT NULL,
        first_at   REAL    NOT NULL,
        state      TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
        body       TEXT    CHECK ((body IS NULL) = (state = 'done')),
        begun      INTEGER NOT NULL DEFAULT 0,    -- work on it has left traces: it stays in front of its lane
        tries      INTEGER NOT NULL DEFAULT 0,
        confirming INTEGER NOT NULL DEFAULT 0,
        due        REAL    NOT NULL DEFAULT 0,    -- 0: at once, whatever the clock says
        steps      TEXT    NOT NULL DEFAULT '{}', -- part → [state, ref]
        why        TEXT    NOT NULL DEFAULT '',
        result     TEXT    NOT NULL DEFAULT '{}',
        closed_at  REAL    NOT NULL DEFAULT 0
    );
    CREATE INDEX entries_waiting ON entries (lane, begun DESC, at_ms, seq) WHERE state = 'waiting';
    CREATE INDEX entries_dead ON entries (closed_at, seq) WHERE state = 'dead';

    CREATE TABLE lanes (
        lane    TEXT    PRIMARY KEY,
        seq     INTEGER NOT NULL,                 -- of its head
        delayed INTEGER NOT NULL,                 -- 1: not before `since`
        since   REAL    NOT NULL                  -- in the queue of lanes since then
    ) WITHOUT ROWID;
    CREATE INDEX lanes_turn ON lanes (delayed, since, seq);

    CREATE TABLE tally (state TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO tally VALUES ('waiting', 0), ('done', 0), ('dead', 0);
    CREATE TRIGGER tally_new AFTER INSERT ON entries BEGIN
        UPDATE tally SET n = n + 1 WHERE state = new.state;
    END;
    CREATE TRIGGER tally_moved AFTER UPDATE OF state ON entries WHEN new.state != old.state BEGIN
        UPDATE tally SET n = n - 1 WHERE state = old.state;
        UPDATE tally SET n = n + 1 WHERE state = new.state;
    END;

    CREATE TABLE conversations (
        number          TEXT NOT NULL,
        contact         TEXT NOT NULL,
        token           TEXT NOT NULL,            -- sealed
        token_hash      BLOB NOT NULL,            -- keyed
        room            TEXT,
        phone           TEXT NOT NULL,
        user_id         TEXT NOT NULL,
        name            TEXT NOT NULL,
        last_inbound_at REAL NOT NULL,
        PRIMARY KEY (number, contact)
    ) WITHOUT ROWID;
    CREATE INDEX conversations_phone ON conversations (phone, number);
    CREATE INDEX conversations_user ON conversations (user_id, number);
    CREATE INDEX conversations_token ON conversations (token_hash);

    CREATE TABLE rooms (
        room    TEXT PRIMARY KEY,
        number  TEXT NOT NULL,
        contact TEXT NOT NULL,
        FOREIGN KEY (number, contact) REFERENCES conversations
    ) WITHOUT ROWID;

    CREATE TABLE pairs (
        wamid    TEXT PRIMARY KEY,
        message  TEXT NOT NULL,
        room     TEXT NOT NULL,
        number   TEXT NOT NULL,
        contact  TEXT NOT NULL,
        outbound INTEGER NOT NULL,
        entry    TEXT NOT NULL,
        state    TEXT NOT NULL,
        state_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX pairs_message ON pairs (message);

    CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    "CREATE INDEX entries_audit ON entries (seq) WHERE kind = 'audit'",
    """
    CREATE INDEX conversations_contact ON conversations (contact);
    CREATE INDEX rooms_contact ON rooms (contact, number);
    CREATE INDEX pairs_contact ON pairs (contact);
    """,
    """
    CREATE TABLE entries_4 (                      -- as before, but for the check of `state`: for `IN` with three of
        seq        INTEGER PRIMARY KEY,           -- them SQLite made a table for each row
        key        TEXT    NOT NULL UNIQUE,
        lane       TEXT    NOT NULL,
        kind       TEXT    NOT NULL,
        source     TEXT    NOT NULL,
        at_ms      INTEGER NOT NULL,
        first_at   REAL    NOT NULL,
        state      TEXT    NOT NULL DEFAULT 'waiting' CHECK (state = 'waiting' OR state = 'done' OR state = 'dead'),
        body       TEXT    CHECK ((body IS NULL) = (state = 'done')),
        begun      INTEGER NOT NULL DEFAULT 0,
        tries      INTEGER NOT NULL DEFAULT 0,
        confirming INTEGER NOT NULL DEFAULT 0,
        due        REAL    NOT NULL DEFAULT 0,
        steps      TEXT    NOT NULL DEFAULT '{}',
        why        TEXT    NOT NULL DEFAULT '',
        result     TEXT    NOT NULL DEFAULT '{}',
        closed_at  REAL    NOT NULL DEFAULT 0
    );
    INSERT INTO entries_4 SELECT * FROM entries;
    DROP TABLE entries;
    ALTER TABLE entries_4 RENAME TO entries;
    CREATE INDEX entries_waiting ON entries (lane, begun DESC, at_ms, seq) WHERE state = 'waiting';
    CREATE INDEX entries_dead ON entries (closed_at, seq) WHERE state = 'dead';
    CREATE INDEX entries_audit ON entries (seq) WHERE kind = 'audit';
    CREATE TRIGGER tally_moved AFTER UPDATE OF state ON entries WHEN new.state != old.state BEGIN
        UPDATE tally SET n = n - 1 WHERE state = old.state;
        UPDATE tally SET n = n + 1 WHERE state = new.state;
    END;                                          -- new ones are counted by `append`, once for all of its rows
    """,
)
"""Step n leads from version n to n + 1 (`user_version`). A released step is never changed."""


_PRAGMAS = (
    "busy_timeout = 10000",
    "journal_mode = WAL",
    "synchronous = FULL",  # in WAL mode: every commit is on the disk before it returns
    "wal_autocheckpoint = 4000",  # 16 MB: pages that many commits touch are copied once
    "foreign_keys = ON",
    "secure_delete = ON",  # what was delivered is not left in free pages
    "cache_size = -16384",  # 16 MB for each of the two; what is not in it the system has in memory
    "temp_store = MEMORY",
)


def open_journal(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """A connection to write with and one to read with, both usable in any one thread at a time.

    Makes the file (mode 0600) or brings it up to date. Raises StorageError for a file that is damaged, newer than this
    program, or not ours; such a file is left as it is.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        writing = _connect(path)
        try:
            _migrate(writing, path)
            reading = _connect(path)
            reading.execute("PRAGMA query_only = ON")
        except BaseException:
            writing.close()
            raise
    except OSError as error:
        raise StorageError(f"The journal {path} cannot be opened: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise StorageError(
            f"The journal {path} cannot be read ({error}). It was not changed. Put a backup in its place, or move it "
            f"away together with its -wal file to begin with an empty one."
        ) from None
    return writing, reading


def read_journal(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The same for whoever only looks, beside a running bot too. Raises StorageError when there is nothing to see."""
    if not path.exists():
        raise StorageError(f"Nothing is stored yet: {path} does not exist. Is [storage] data_dir right?")
    try:
        return _look(path), _look(path)
    except sqlite3.Error as error:
        raise StorageError(f"The journal {path} cannot be read ({error}).") from None


def _look(path: Path) -> sqlite3.Connection:
    with _closed_unless_good(
        sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None, check_same_thread=False
        )
    ) as db:
        [ours] = db.execute("PRAGMA application_id").fetchone()
        [version] = db.execute("PRAGMA user_version").fetchone()
        if ours != APPLICATION_ID or version > len(MIGRATIONS):
            raise StorageError(f"The journal {path} is of another program, or of a newer version of the bot.")
        return db


def _connect(path: Path) -> sqlite3.Connection:
    with _closed_unless_good(
        sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    ) as db:
        for pragma in _PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        return db


@contextmanager
def _closed_unless_good(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.row_factory = sqlite3.Row
    try:
        yield db
    except BaseException:
        db.close()
        raise


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    [version] = db.execute("PRAGMA user_version").fetchone()
    [ours] = db.execute("PRAGMA application_id").fetchone()
    [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if ours != APPLICATION_ID and (tables or version):
        raise StorageError(f"{path} is a database of another program. Set data_dir to a folder of the bot's own.")
    if version > len(MIGRATIONS):
        raise StorageError(
            f"The journal {path} was written by a newer version of the bot (format {version}, this one knows "
            f"{len(MIGRATIONS)}). Install that version again, or put back the backup from before the update."
        )
    if 0 < version < len(MIGRATIONS):
        _keep(db, path, version)
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        db.executescript(
            f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; "
            f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        )


def _keep(db: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy as the older version of the bot can read it, for whoever wants to go back; the steps lead forward only."""
    copy = path.with_name(f"{path.stem}.format-{version}{path.suffix}")
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    db.execute("VACUUM INTO ?", (str(copy),))
    log.warning("The journal %s is brought to a newer format; %s is as it was before.", path, copy)
