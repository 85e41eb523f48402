"""The tables in PostgreSQL, as numbered steps, in a schema of their own: the database may hold other things too.

As in SQLite `entries` holds everything that ever entered, and `lanes` has one row per lane that has something waiting:
its head, and besides who holds the lane. That row is what everything in a lane waits for in turn; whoever has it locked
may say anew which entry is the head. `holder` is the number of a living bot (see `postgres_presence`), `held` the entry
it works on, which stays the same while the head may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.storage.files import StorageError

if TYPE_CHECKING:
    from bot.storage.postgres import Db

SCHEMA = "whatsapp_360d"
LOCKS = 0x57413336
"""First half of all advisory locks of ours. The second: 0 for migrations, otherwise the number of a bot or a name."""
TALLY_SHARDS = 64

MIGRATIONS = (
    f"""
    CREATE SEQUENCE arrivals;
    CREATE SEQUENCE bots AS integer;

    CREATE TABLE entries (
        seq        bigint PRIMARY KEY,                -- order of arrival
        key        text COLLATE "C" NOT NULL UNIQUE,
        lane       text COLLATE "C" NOT NULL,         -- empty once it is done
        kind       text NOT NULL,
        source     text NOT NULL,
        at_ms      bigint NOT NULL,
        first_at   double precision NOT NULL,
        state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
        body       text CHECK ((body IS NULL) = (state = 'done')),  -- JSON as text: jsonb refuses \\u0000
        begun      boolean NOT NULL DEFAULT false,    -- work on it has left traces: it stays in front of its lane
        tries      integer NOT NULL DEFAULT 0,
        confirming boolean NOT NULL DEFAULT false,
        due        double precision NOT NULL DEFAULT 0,  -- 0: at once, whatever the clock says
        steps      text NOT NULL DEFAULT '{{}}',      -- part → [state, ref]
        why        text NOT NULL DEFAULT '',
        result     text NOT NULL DEFAULT '{{}}',
        closed_at  double precision NOT NULL DEFAULT 0
    );
    CREATE INDEX entries_waiting ON entries (lane, begun DESC, at_ms, seq) WHERE state = 'waiting';
    CREATE INDEX entries_dead ON entries (closed_at, seq) WHERE state = 'dead';

    CREATE TABLE lanes (
        lane    text COLLATE "C" PRIMARY KEY,
        seq     bigint NOT NULL,                      -- of its head; begun and at_ms are the head's too
        begun   boolean NOT NULL,
        at_ms   bigint NOT NULL,
        delayed boolean NOT NULL,                     -- not before `since`
        since   double precision NOT NULL,            -- in the queue of lanes since then
        holder  integer,
        held    bigint
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
    CREATE INDEX lanes_ready ON lanes (since, seq) WHERE holder IS NULL AND NOT delayed;
    CREATE INDEX lanes_later ON lanes (since, seq) WHERE holder IS NULL AND delayed;
    CREATE INDEX lanes_held ON lanes (holder) WHERE holder IS NOT NULL;

    -- In shards, so that commits do not wait for each other's counting.
    CREATE TABLE tally (
        shard   integer PRIMARY KEY,
        waiting bigint NOT NULL DEFAULT 0,
        done    bigint NOT NULL DEFAULT 0,
        dead    bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 20);
    INSERT INTO tally (shard) SELECT generate_series(0, {TALLY_SHARDS - 1});

    CREATE TABLE conversations (
        number          text COLLATE "C" NOT NULL,
        contact         text COLLATE "C" NOT NULL,
        token           text NOT NULL,                -- sealed
        token_hash      bytea NOT NULL,               -- keyed
        room            text,
        phone           text NOT NULL,
        user_id         text NOT NULL,
        name            text NOT NULL,
        last_inbound_at double precision NOT NULL,
        PRIMARY KEY (number, contact)
    );
    CREATE INDEX conversations_phone ON conversations (phone, number) WHERE phone <> '';
    CREATE INDEX conversations_user ON conversations (user_id, number) WHERE user_id <> '';
    CREATE INDEX conversations_token ON conversations (token_hash);

    CREATE TABLE rooms (
        room    text COLLATE "C" PRIMARY KEY,
        number  text NOT NULL,
        contact text NOT NULL
    );

    CREATE TABLE pairs (
        wamid    text COLLATE "C" PRIMARY KEY,
        message  text NOT NULL,
        room     text NOT NULL,
        number   text NOT NULL,
        contact  text NOT NULL,
        outbound boolean NOT NULL,
        entry    text NOT NULL,
        state    text NOT NULL,
        state_at double precision NOT NULL
    );
    CREATE INDEX pairs_message ON pairs (message);

    CREATE TABLE marks (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);

    CREATE SEQUENCE document_changes;
    CREATE TABLE documents (                          -- the registry
        kind     text COLLATE "C" NOT NULL,           -- number, session, fact
        id       text COLLATE "C" NOT NULL,
        place    bigint GENERATED ALWAYS AS IDENTITY, -- order of their first coming
        changed  bigint NOT NULL DEFAULT nextval('document_changes'),
        document text NOT NULL,
        PRIMARY KEY (kind, id)
    );
    """,
    "CREATE INDEX entries_audit ON entries (seq) WHERE kind = 'audit'",
    """
    CREATE INDEX conversations_contact ON conversations (contact);
    CREATE INDEX rooms_contact ON rooms (contact, number);
    CREATE INDEX pairs_contact ON pairs (contact);
    """,
    """
    ALTER TABLE documents ADD COLUMN room text COLLATE "C";  -- of a session; NULL: an earlier version stored it
    CREATE INDEX documents_room ON documents (room) WHERE kind = 'session';
    """,
)
"""Step n leads from version n to n + 1 (`about`). A released step is never changed."""


async def migrate(db: Db, where: str) -> None:
    """Makes the tables or brings them up to date; of several bots that start together one does it, the others wait.

    Raises StorageError when the tables are newer than this program; then nothing was changed.
    """
    async with db.transaction():
        await db.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        await db.execute("SELECT pg_advisory_xact_lock($1, 0)", LOCKS)
        if await db.fetchval("SELECT to_regnamespace($1) IS NULL", SCHEMA):
            await db.execute(f"CREATE SCHEMA {SCHEMA}")
        await db.execute("CREATE TABLE IF NOT EXISTS about (name text PRIMARY KEY, value text NOT NULL)")
        version = int(await db.fetchval("SELECT value FROM about WHERE name = 'version'") or 0)
        if version > len(MIGRATIONS):
            raise StorageError(
                f"The database {where} was written by a newer version of the bot (format {version}, this one knows "
                f"{len(MIGRATIONS)}). Install that version again, or put back the backup from before the update."
            )
        for step in MIGRATIONS[version:]:
            await db.execute(step)
        if version < len(MIGRATIONS):
            await db.execute(
                "INSERT INTO about VALUES ('version', $1) ON CONFLICT (name) DO UPDATE SET value = $1",
                str(len(MIGRATIONS)),
            )
