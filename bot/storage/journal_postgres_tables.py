"""What each change of the journal does inside its transaction in PostgreSQL. The meaning is that of `journal_tables`.

Two bots never disagree about a lane, because they take turns at its row in `lanes`:

* What appears (`APPEND`, `_APPEAR`) takes the place of the lane's head if it belongs there; PostgreSQL compares with
  the newest row, also when it had to wait for another transaction.
* What goes or changes locks the row first (`_hold`) and then, in a statement of its own that sees what was committed
  until then, looks anew for the head (`_show_head`).
* A change of an entry that was taken is made only while its lane is still held by that bot, for that entry.
* The count comes last in a transaction: its rows are shared, and whoever waits for one must hold up nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.model import Pair
from bot.ports import Entry, Step, Stored
from bot.storage import postgres_memory as memory
from bot.storage.journal_rows import (
    WAITS_ASIDE,
    Values,
    entry_of,
    expired,
    new_values,
    plain,
    steps_of,
    steps_text,
    without_nul,
)
from bot.storage.journal_tables import MOST_EXPIRED, NEVER, Sealed, advanced, without_refused
from bot.storage.postgres_schema import TALLY_SHARDS
from bot.storage.waiting import FAR

if TYPE_CHECKING:
    from bot.storage.postgres import Db, Row

_IN_FRONT = "(NOT excluded.begun, excluded.at_ms, excluded.seq) < (NOT lanes.begun, lanes.at_ms, lanes.seq)"
_TAKES_PLACE = """
    seq = excluded.seq, begun = excluded.begun, at_ms = excluded.at_ms, delayed = excluded.delayed,
    since = excluded.since
"""
_COUNT = f"UPDATE tally SET {{}} WHERE shard = pg_backend_pid() % {TALLY_SHARDS}"

APPEND = f"""
    WITH given AS MATERIALIZED (
        SELECT nextval('arrivals') AS seq, g.*
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::double precision[],
            $8::double precision[], $9::text[])
        WITH ORDINALITY AS g (key, lane, kind, source, at_ms, body, due, first_at, known_as, n)
    ), fresh AS (
        INSERT INTO entries (seq, key, lane, kind, source, at_ms, body, due, first_at)
        SELECT seq, key, lane, kind, source, at_ms, body, due, first_at FROM given
        WHERE known_as = '' OR NOT EXISTS (SELECT FROM entries WHERE key = known_as) ORDER BY key, n
        ON CONFLICT (key) DO NOTHING RETURNING seq, lane, at_ms, due, first_at
    ), shown AS (
        INSERT INTO lanes (lane, seq, begun, at_ms, delayed, since)
        SELECT DISTINCT ON (lane) lane, seq, false, at_ms, due > 0, CASE WHEN due > 0 THEN due ELSE first_at END
        FROM fresh ORDER BY lane, at_ms, seq
        ON CONFLICT (lane) DO UPDATE SET {_TAKES_PLACE} WHERE {_IN_FRONT} RETURNING 0 AS nothing
    ), counted AS (
        {_COUNT.format("waiting = waiting + (SELECT count(*) FROM fresh) + (SELECT count(nothing) * 0 FROM shown)")}
    )
    SELECT n FROM fresh JOIN given USING (seq)
"""
"""Which of the given were new. In the order of keys, then of lanes, so that two bots do not wait for each other. Left
to itself PostgreSQL counts before it shows (nodeModifyTable.c), so the count asks for what was shown."""

NEXT_IN_LANE = """
    SELECT * FROM entries WHERE lane = $1 AND state = 'waiting' ORDER BY begun DESC, at_ms, seq LIMIT 1
"""
_UNDER_WAY = """
    SELECT 1 FROM entries WHERE lane = $1 AND state = 'waiting' AND begun AND steps <> '{}' AND (at_ms, seq) > ($2, $3)
    LIMIT 1
"""
_SHOW_HEAD = f"""
    WITH head AS (
        SELECT lane, seq, begun, at_ms, due > 0 AS delayed, CASE WHEN due > 0 THEN due ELSE first_at END AS since
        FROM entries WHERE lane = $1 AND state = 'waiting' ORDER BY begun DESC, at_ms, seq LIMIT 1
    ), gone AS (
        DELETE FROM lanes WHERE lane = $1 AND NOT EXISTS (SELECT FROM head)
    )
    INSERT INTO lanes (lane, seq, begun, at_ms, delayed, since) SELECT * FROM head
    ON CONFLICT (lane) DO UPDATE SET {_TAKES_PLACE},
        holder = CASE WHEN $2 THEN NULL ELSE lanes.holder END, held = CASE WHEN $2 THEN NULL ELSE lanes.held END
"""
_APPEAR = f"""
    INSERT INTO lanes (lane, seq, begun, at_ms, delayed, since)
    SELECT lane, seq, begun, at_ms, due > 0, CASE WHEN due > 0 THEN due ELSE first_at END FROM entries WHERE seq = $1
    ON CONFLICT (lane) DO UPDATE SET {_TAKES_PLACE} WHERE {_IN_FRONT}
"""
_HOLD = """
    SELECT e.steps FROM lanes l JOIN entries e ON e.seq = l.held
    WHERE l.lane = $1 AND l.held = $2 AND l.holder = $3 AND e.state = 'waiting' FOR UPDATE
"""
_OPEN = "lane <> ALL ($4) AND split_part(lane, ':', 1) <> ALL ($5)"
TAKE = f"""
    WITH ready AS MATERIALIZED (
        SELECT lane, since, seq FROM lanes WHERE holder IS NULL AND NOT delayed AND {_OPEN}
        ORDER BY since, seq LIMIT $1 FOR UPDATE SKIP LOCKED
    ), late AS MATERIALIZED (
        SELECT lane, since, seq FROM lanes WHERE holder IS NULL AND delayed AND since <= $2 AND {_OPEN}
        ORDER BY since, seq LIMIT $1 FOR UPDATE SKIP LOCKED
    ), far AS MATERIALIZED (
        SELECT lane, since, seq FROM lanes WHERE holder IS NULL AND delayed AND since > $2 + {FAR} AND {_OPEN}
        ORDER BY since, seq LIMIT $1 FOR UPDATE SKIP LOCKED
    ), chosen AS (
        SELECT * FROM (SELECT * FROM ready UNION ALL SELECT * FROM late UNION ALL SELECT * FROM far) AS them
        ORDER BY since, seq LIMIT $1
    )
    UPDATE lanes SET holder = $3, held = lanes.seq FROM chosen WHERE lanes.lane = chosen.lane
    RETURNING lanes.held, lanes.since
"""
NEXT_DUE = "SELECT since FROM lanes WHERE holder IS NULL AND delayed AND since > $1 ORDER BY since, seq LIMIT 1"
_ANY_DUE = f"""
    SELECT EXISTS (SELECT FROM lanes WHERE holder IS NULL AND NOT delayed)
        OR EXISTS (SELECT FROM lanes WHERE holder IS NULL AND delayed AND since <= $1)
        OR EXISTS (SELECT FROM lanes WHERE holder IS NULL AND delayed AND since > $1 + {FAR})
"""
CONVERSATION = """
    (SELECT 0 AS rank, * FROM conversations WHERE number = $1 AND contact = $2)
    UNION ALL (SELECT 1, * FROM conversations WHERE number = $1 AND phone = '+' || $2 AND phone <> '')
    UNION ALL (SELECT 2, * FROM conversations WHERE number = $1 AND user_id = $2 AND user_id <> '')
    ORDER BY rank, last_inbound_at DESC LIMIT 1
"""
EXPIRED = "SELECT seq, why FROM entries WHERE state = 'dead' AND closed_at < $1 ORDER BY closed_at, seq LIMIT $2"
_REDATE = """
    UPDATE entries SET closed_at = $2
    WHERE seq IN (SELECT seq FROM entries WHERE state = 'dead' AND closed_at < $1 FOR UPDATE SKIP LOCKED)
"""
CONVERSATION_OF_ROOM = "SELECT c.* FROM rooms r JOIN conversations c USING (number, contact) WHERE r.room = $1"
CONVERSATION_BY_HASH = "SELECT * FROM conversations WHERE token_hash = $1"
PAIR = "SELECT * FROM pairs WHERE wamid = $1"
PAIRS_OF_MESSAGE = "SELECT * FROM pairs WHERE message = $1"
ENTRY_BY_KEY = "SELECT * FROM entries WHERE key = $1"
AUDIT = """
    SELECT * FROM entries WHERE kind = 'audit' AND seq < $1 AND (NOT $2 OR state = 'done') ORDER BY seq DESC LIMIT $3
"""
DEAD = "SELECT * FROM entries WHERE state = 'dead' AND (closed_at, seq) > ($1, $2) ORDER BY closed_at, seq LIMIT $3"
DEAD_LATEST = "SELECT * FROM entries WHERE state = 'dead' ORDER BY closed_at DESC, seq DESC LIMIT $1"
COUNTS = f"""
    SELECT sum(waiting)::bigint AS waiting, {WAITS_ASIDE} AS aside,
        sum(done)::bigint AS done, sum(dead)::bigint AS dead FROM tally
"""


def row_of(entry: Entry, now: float, known_as: str = "") -> Values:
    """key, lane, kind, source, at_ms, body, due, first_at, known_as: what its key is kept as if it was erased.

    The body is JSON, which spells out what PostgreSQL does not take."""
    *values, rest = new_values(entry)
    texts = (without_nul(value) if isinstance(value, str) else value for value in values)
    return (*texts, now + rest if rest > 0 else 0.0, now, known_as)


async def append(db: Db, rows: Sequence[Values]) -> list[int]:
    """Places of those that were new, counted from 0."""
    if not rows:
        return []
    fresh: list[Row] = await db.fetch(APPEND, *(list(column) for column in zip(*rows, strict=True)))
    return [int(row["n"]) - 1 for row in fresh]


async def put_back(db: Db, now: float, back: float) -> None:
    """Of several bots on one machine each notices it, so a pause may end too early: then it is asked for again."""
    lanes = await db.fetch("SELECT lane FROM lanes WHERE delayed AND since > $1 ORDER BY lane FOR UPDATE", now)
    names = [row["lane"] for row in lanes]
    await db.execute("UPDATE lanes SET since = since - $2 WHERE lane = ANY ($1)", names, back)
    await db.execute(
        "UPDATE entries SET due = due - $2 WHERE lane = ANY ($1) AND state = 'waiting' AND due > $3", names, back, now
    )


async def take(
    db: Db, limit: int, now: float, bot: int, *, held: Collection[str], shut: Sequence[str]
) -> tuple[list[Entry], float]:
    """The heads of lanes that nobody holds, due longest first, and when the next one becomes due.

    The lanes that this bot holds and knows of are passed by: one of them may have been given away in the meantime.
    """
    # A hold that a crash of the server forgets is noticed by whoever has it; waiting for the disk would gain nothing.
    await db.execute("SET LOCAL synchronous_commit = off")
    taken = await db.fetch(TAKE, limit, now, bot, list(held), list(shut))
    later = await db.fetchval(NEXT_DUE, now)
    order = {row["held"]: (row["since"], row["held"]) for row in taken}
    rows = await db.fetch("SELECT * FROM entries WHERE seq = ANY ($1)", list(order)) if order else []
    return [entry_of(row) for row in sorted(rows, key=lambda row: order[row["seq"]])], NEVER if later is None else later


async def give_back(db: Db, bot: int, *, all_but: Collection[str] | None = None, entry: Entry | None = None) -> None:
    """One lane, or all that the bot holds but these."""
    await db.execute("SET LOCAL synchronous_commit = off")
    free = "UPDATE lanes SET holder = NULL, held = NULL WHERE holder = $1"
    if entry is not None:
        await db.execute(f"{free} AND lane = $2 AND held = $3", bot, plain(entry.lane), entry.seq)
    else:
        await db.execute(f"{free} AND lane <> ALL ($2)", bot, list(all_but or ()))


async def bury(db: Db, bots: Sequence[int]) -> int:
    """Frees what dead bots held; how many lanes."""
    freed = await db.fetch(
        "UPDATE lanes SET holder = NULL, held = NULL WHERE lane IN "
        "(SELECT lane FROM lanes WHERE holder = ANY ($1) ORDER BY lane FOR UPDATE SKIP LOCKED) RETURNING 1",
        bots,
    )
    return len(freed)


async def holders(db: Db) -> list[int]:
    return [int(row[0]) for row in await db.fetch("SELECT DISTINCT holder FROM lanes WHERE holder IS NOT NULL")]


async def any_due(db: Db, now: float) -> bool:
    return bool(await db.fetchval(_ANY_DUE, now))


async def progress(db: Db, bot: int, entry: Entry, part: int, step: Step) -> bool:
    """This and the next three: False when the bot does not hold the entry (any more)."""
    steps = await _hold(db, bot, entry)
    if steps is None:
        return False
    text = steps_text(advanced(steps, part, step))
    await db.execute("UPDATE entries SET steps = $2, begun = true WHERE seq = $1", entry.seq, without_nul(text))
    await _show_head(db, entry.lane, free=False)
    return True


async def done(
    db: Db,
    bot: int,
    entry: Entry,
    result: str,
    now: float,
    *,
    pairs: Sequence[Pair],
    sealed: Sealed | None,
    then: Sequence[Values],
) -> bool:
    if await _hold(db, bot, entry) is None:
        return False
    await db.execute(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, begun = false, tries = 0, confirming = false, "
        "due = 0, steps = '{}', why = '', result = $2, closed_at = $3 WHERE seq = $1",
        entry.seq, result, now,
    )  # fmt: skip
    for pair in sorted(pairs, key=lambda one: one.wamid):
        await memory.record_pair(db, pair)
    if sealed is not None:
        await memory.remember(db, sealed)
    await _show_head(db, entry.lane, free=True)
    await append(db, then)
    await db.execute(_COUNT.format("waiting = waiting - 1, done = done + 1"))
    return True


async def again(db: Db, bot: int, entry: Entry, due: float, why: str, *, confirm: bool) -> bool:
    steps = await _hold(db, bot, entry)
    if steps is None:
        return False
    if not confirm:
        steps = without_refused(steps, entry)
    unsure = any(step.state == "handed" for step in steps.values())
    if confirm and steps and not unsure:
        due, confirm = 0.0, False  # a status has settled it in the meantime
    await db.execute(
        "UPDATE entries SET begun = true, tries = tries + 1, confirming = $2, due = $3, why = $4, steps = $5 "
        "WHERE seq = $1",
        entry.seq, confirm or (entry.confirming and unsure), due, why, without_nul(steps_text(steps)),
    )  # fmt: skip
    await _show_head(db, entry.lane, free=True)
    return True


async def park(db: Db, bot: int, entry: Entry, why: str, notices: Sequence[Values], *, now: float, sure: bool) -> bool:
    steps = await _hold(db, bot, entry)
    if steps is None:
        return False
    if any(step.state == "handed" and steps[part].state == "out" for part, step in entry.steps.items()):
        return await again(db, bot, entry, 0.0, why, confirm=True)  # a status has settled it in the meantime
    kept = steps_text(without_refused(steps, entry) if sure else steps)
    await db.execute(
        "UPDATE entries SET state = 'dead', begun = false, due = 0, why = $2, closed_at = $3, steps = $4 "
        "WHERE seq = $1",
        entry.seq, why, now, without_nul(kept),
    )  # fmt: skip
    await _show_head(db, entry.lane, free=True)
    await append(db, notices)
    await db.execute(_COUNT.format("waiting = waiting - 1, dead = dead + 1"))
    return True


async def confirm(db: Db, key: str, part: int, wamid: str) -> bool:
    row = await _locked(db, key)
    if row is None or row["state"] == "done":
        return False
    entry, dead = entry_of(row), row["state"] == "dead"
    step = entry.steps.get(part)
    if step is None or (step.state == "out" and dead):
        return False
    if step.state == "out":
        return True
    steps = {**entry.steps, part: Step("out", wamid)}
    await db.execute(
        "UPDATE entries SET steps = $2, begun = true WHERE seq = $1", entry.seq, without_nul(steps_text(steps))
    )
    settled = not any(other.state == "handed" for other in steps.values()) and (entry.confirming or dead)
    if settled:
        await db.execute(
            "UPDATE entries SET state = 'waiting', confirming = false, due = 0, "
            "tries = CASE state WHEN 'dead' THEN 0 ELSE tries END WHERE seq = $1",
            entry.seq,
        )
    if not dead:
        await _show_head(db, entry.lane, free=False)
    elif settled:
        await _back_from_the_dead(db, entry.seq)
    return True


async def retry(db: Db, key: str) -> bool:
    row = await _locked(db, key)
    if row is None or row["state"] != "dead":
        return False
    out = {part: step for part, step in steps_of(row["steps"]).items() if step.state == "out"}
    begun = bool(out) or await db.fetchval(_UNDER_WAY, row["lane"], row["at_ms"], row["seq"]) is None
    await db.execute(
        "UPDATE entries SET state = 'waiting', begun = $2, tries = 0, confirming = false, due = 0, "
        "why = '', steps = $3 WHERE seq = $1",
        row["seq"], begun, steps_text(out),
    )  # fmt: skip
    await _back_from_the_dead(db, row["seq"])
    return True


def dead_query(limit: int, latest: bool, after: Stored | None) -> Values:
    """The query and its values."""
    if latest:
        return DEAD_LATEST, limit
    return (DEAD, after.closed_at, after.entry.seq, limit) if after else (DEAD, -1.0, 0, limit)


async def expire(db: Db, before: float, since: float, now: float) -> int:
    await db.execute(_REDATE, since, now)
    rows = await db.fetch(f"{EXPIRED} FOR UPDATE SKIP LOCKED", before, MOST_EXPIRED)
    await db.executemany(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, tries = 0, confirming = false, steps = '{}', "
        "why = '', result = $2 WHERE seq = $1",
        [(row["seq"], expired(row["why"])) for row in rows],
    )
    await db.execute(_COUNT.format(f"dead = dead - {len(rows)}, done = done + {len(rows)}"))
    return len(rows)


async def hold_back(db: Db, kinds: Sequence[str], why: str, now: float) -> int:
    """Makes dead letters of everything of these kinds that waits, and frees all lanes, while no bot runs; how many."""
    await db.execute("UPDATE lanes SET holder = NULL, held = NULL WHERE holder IS NOT NULL")
    rows = await db.fetch(
        "UPDATE entries SET state = 'dead', begun = false, due = 0, why = $2, closed_at = $3 "
        "WHERE state = 'waiting' AND kind = ANY ($1) RETURNING lane",
        kinds, why, now,
    )  # fmt: skip
    for lane in {str(row["lane"]) for row in rows}:
        await _show_head(db, lane, free=True)
    await db.execute(_COUNT.format(f"waiting = waiting - {len(rows)}, dead = dead + {len(rows)}"))
    return len(rows)


async def moved(db: Db, state: str, lane: str) -> None:
    """An entry that waited in the lane, or was dead, is done without anybody having worked on it."""
    if state == "waiting":
        await _show_head(db, lane, free=False)
    await db.execute(_COUNT.format(f"{state} = {state} - 1, done = done + 1"))


# --- inside ---------------------------------------------------------------------------------------------------------


async def _hold(db: Db, bot: int, entry: Entry) -> Mapping[int, Step] | None:
    """The entry's steps as they now are, with its lane and itself locked; None when the bot does not hold it."""
    text = await db.fetchval(_HOLD, plain(entry.lane), entry.seq, bot)
    return None if text is None else steps_of(text)


async def _locked(db: Db, key: str) -> Row | None:
    """An entry that nobody need hold, with its lane locked before it, in the order in which everybody does."""
    await db.execute(
        "SELECT FROM lanes WHERE lane = (SELECT lane FROM entries WHERE key = $1 AND state <> 'done') FOR UPDATE", key
    )
    return await db.fetchrow("SELECT * FROM entries WHERE key = $1 AND state <> 'done' FOR UPDATE", key)


async def _show_head(db: Db, lane: str, *, free: bool) -> None:
    await db.execute(_SHOW_HEAD, plain(lane), free)


async def _back_from_the_dead(db: Db, seq: int) -> None:
    await db.execute(_APPEAR, seq)
    await db.execute(_COUNT.format("waiting = waiting + 1, dead = dead - 1"))
