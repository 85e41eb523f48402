"""What each change of the journal does inside its transaction. Synchronous: runs in the writing thread.

A lane's row in `lanes` always shows its head: among what waits, an entry that was begun comes first, then (at_ms, seq).
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

from bot.model import Conversation, Pair, RoomId
from bot.ports import Entry, Step, Stored
from bot.storage.journal_rows import WAITS_ASIDE, Values, entry_of, expired, pair_values, steps_of, steps_text
from bot.storage.waiting import FAR

NEVER = float("inf")

_FRONT = "ORDER BY begun DESC, at_ms, seq"
HEAD_OF_LANE = f"SELECT seq, due, first_at FROM entries WHERE lane = ? AND state = 'waiting' {_FRONT} LIMIT 1"
UNDER_WAY = """
    SELECT 1 FROM entries WHERE lane = ? AND state = 'waiting' AND begun = 1 AND steps != '{}' AND (at_ms, seq) > (?, ?)
    LIMIT 1
"""
"""Whether some part of a later entry of the lane was handed over."""
SHOW_NEW_HEADS = f"""
    INSERT INTO lanes (lane, seq, delayed, since)
    SELECT lane, seq, due > 0, iif(due > 0, due, first_at) FROM entries AS new WHERE seq > ? AND seq = (
        SELECT seq FROM entries WHERE lane = new.lane AND state = 'waiting' {_FRONT} LIMIT 1
    )
    ON CONFLICT (lane) DO UPDATE SET seq = excluded.seq, delayed = excluded.delayed, since = excluded.since
"""
"""Of the entries after a seq, all new: what is no head of its lane now changes no lane."""
_MOST_AT_ONCE = 64
NEXT_IN_LANE = f"SELECT * FROM entries WHERE lane = ? AND state = 'waiting' {_FRONT} LIMIT 1"
_OPEN = "instr(?, '|' || substr(lane, 1, instr(lane || ':', ':') - 1) || '|') = 0"
READY_LANES = f"SELECT since, seq, lane FROM lanes WHERE delayed = 0 AND {_OPEN} ORDER BY since, seq LIMIT ?"
DUE_LANES = f"""
    SELECT since, seq, lane FROM lanes WHERE delayed = 1 AND since <= ? AND {_OPEN}
    ORDER BY since, seq LIMIT ?
"""
FAR_LANES = f"""
    SELECT since, seq, lane FROM lanes WHERE delayed = 1 AND since > ? AND {_OPEN}
    ORDER BY since, seq LIMIT ?
"""
NEXT_DUE = "SELECT since FROM lanes WHERE delayed = 1 AND since > ? ORDER BY since LIMIT 1"
CONVERSATION_BY = (
    "SELECT * FROM conversations WHERE number = ? AND contact = ?",
    "SELECT * FROM conversations INDEXED BY conversations_phone WHERE number = ? AND phone = ? AND phone != '' "
    "ORDER BY last_inbound_at DESC LIMIT 1",
    "SELECT * FROM conversations INDEXED BY conversations_user WHERE number = ? AND user_id = ? AND user_id != '' "
    "ORDER BY last_inbound_at DESC LIMIT 1",
)
"""By contact, by phone with its plus, by user id."""
CONVERSATION_OF_ROOM = "SELECT c.* FROM rooms r JOIN conversations c USING (number, contact) WHERE r.room = ?"
CONVERSATION_BY_HASH = "SELECT * FROM conversations WHERE token_hash = ?"
PAIR = "SELECT * FROM pairs WHERE wamid = ?"
PAIRS_OF_MESSAGE = "SELECT * FROM pairs WHERE message = ?"
ENTRY_BY_KEY = "SELECT * FROM entries WHERE key = ?"
AUDIT = """
    SELECT * FROM entries WHERE kind = 'audit' AND seq < ? AND (NOT ? OR state = 'done') ORDER BY seq DESC LIMIT ?
"""
DEAD = "SELECT * FROM entries WHERE state = 'dead' AND (closed_at, seq) > (?, ?) ORDER BY closed_at, seq LIMIT ?"
EXPIRED = "SELECT seq, why FROM entries WHERE state = 'dead' AND closed_at < ? ORDER BY closed_at, seq LIMIT ?"
MOST_EXPIRED = 500
DEAD_LATEST = "SELECT * FROM entries WHERE state = 'dead' ORDER BY closed_at DESC, seq DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A conversation with its token as it is stored."""

    conversation: Conversation
    token: str
    token_hash: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    new: int
    heads: bool
    """Lanes have a new head: there may be something to do. What waits behind another changes nothing yet."""


def append(db: sqlite3.Connection, orders: Sequence[tuple[Sequence[Values], float]]) -> list[Appended]:
    """Each order's rows (key, lane, kind, source, at_ms, body, rest) with the moment they came."""
    rows = [(*row[:-1], now + row[-1] if row[-1] > 0 else 0.0, now) for order, now in orders for row in order]
    if not rows:
        return [Appended(0, heads=False)] * len(orders)
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
    pieces = [rows[start : start + _MOST_AT_ONCE] for start in range(0, len(rows), _MOST_AT_ONCE)]
    inserted = sum(db.execute(_insert(len(some)), tuple(chain.from_iterable(some))).rowcount for some in pieces)
    db.execute("UPDATE tally SET n = n + ? WHERE state = 'waiting'", (inserted,))
    heads = inserted > 0 and db.execute(SHOW_NEW_HEADS, (last,)).rowcount > 0
    if inserted == len(rows):
        return [Appended(len(order), heads) for order, _ in orders]
    fresh = {key for (key,) in db.execute("SELECT key FROM entries WHERE seq > ?", (last,))}
    found = []
    for order, _ in orders:
        keys = {row[0] for row in order}
        found.append(Appended(len(keys & fresh), heads))
        fresh -= keys
    return found


@cache
def _insert(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * count)
    return (
        f"INSERT INTO entries (key, lane, kind, source, at_ms, body, due, first_at) VALUES {rows} "
        "ON CONFLICT (key) DO NOTHING"
    )


def show_head(db: sqlite3.Connection, lane: str) -> None:
    head = db.execute(HEAD_OF_LANE, (lane,)).fetchone()
    if head is None:
        db.execute("DELETE FROM lanes WHERE lane = ?", (lane,))
        return
    seq, due, first_at = head
    db.execute(
        "INSERT INTO lanes (lane, seq, delayed, since) VALUES (?, ?, ?, ?) ON CONFLICT (lane) DO UPDATE "
        "SET seq = excluded.seq, delayed = excluded.delayed, since = excluded.since "
        "WHERE seq != excluded.seq OR delayed != excluded.delayed OR since != excluded.since",
        (lane, seq, int(due > 0), due or first_at),
    )


def heads(
    db: sqlite3.Connection, limit: int, held: Collection[str], now: float, shut: Sequence[str] = ()
) -> tuple[list[Entry], float]:
    """The heads of lanes that are not held, due longest first, and when the next one becomes due."""
    enough, not_these = limit + len(held), "|".join(("", *shut, ""))
    queues = (
        db.execute(READY_LANES, (not_these, enough)),
        db.execute(DUE_LANES, (now, not_these, enough)),
        db.execute(FAR_LANES, (now + FAR, not_these, enough)),
    )
    chosen: list[int] = []
    for row in heapq.merge(*queues, key=lambda row: (row["since"], row["seq"])):
        if len(chosen) == limit:
            break
        if row["lane"] not in held:
            chosen.append(row["seq"])
    entries = [entry_of(db.execute("SELECT * FROM entries WHERE seq = ?", (seq,)).fetchone()) for seq in chosen]
    later = db.execute(NEXT_DUE, (now,)).fetchone()
    return entries, later["since"] if later else NEVER


def put_back(db: sqlite3.Connection, now: float, back: float) -> None:
    """The clock was put back by so many seconds: what waits for a moment waits no longer for it."""
    db.execute("UPDATE entries SET due = due - ? WHERE state = 'waiting' AND due > ?", (back, now))
    db.execute("UPDATE lanes SET since = since - ? WHERE delayed = 1 AND since > ?", (back, now))


def progress(db: sqlite3.Connection, entry: Entry, part: int, step: Step) -> None:
    steps = advanced(_steps(db, entry), part, step)
    db.execute("UPDATE entries SET steps = ?, begun = 1 WHERE seq = ?", (steps_text(steps), entry.seq))
    show_head(db, entry.lane)


def done(
    db: sqlite3.Connection,
    entry: Entry,
    result: str,
    now: float,
    *,
    pairs: Sequence[Pair],
    sealed: Sealed | None,
    then: Sequence[Values],
) -> bool:
    changed = db.execute(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, begun = 0, tries = 0, confirming = 0, due = 0, "
        "steps = '{}', why = '', result = ?, closed_at = ? WHERE seq = ? AND state = 'waiting'",
        (result, now, entry.seq),
    ).rowcount
    if not changed:
        raise _not_waiting(entry)
    for pair in pairs:
        record_pair(db, pair)
    if sealed is not None:
        remember(db, sealed)
    show_head(db, entry.lane)
    append(db, [(then, now)])
    return True


def again(db: sqlite3.Connection, entry: Entry, due: float, why: str, *, confirm: bool) -> None:
    steps = _steps(db, entry)
    if not confirm:
        steps = without_refused(steps, entry)
    unsure = any(step.state == "handed" for step in steps.values())
    if confirm and steps and not unsure:
        due, confirm = 0.0, False  # a status has settled it in the meantime
    db.execute(
        "UPDATE entries SET begun = 1, tries = tries + 1, confirming = ?, due = ?, why = ?, steps = ? WHERE seq = ?",
        (int(confirm or (entry.confirming and unsure)), due, why, steps_text(steps), entry.seq),
    )
    show_head(db, entry.lane)


def advanced(steps: Mapping[int, Step], part: int, step: Step) -> dict[int, Step]:
    """With this part as it is now; one that a status has told to be out stays so."""
    known = steps.get(part)
    return {**steps, part: known if known is not None and known.state == "out" else step}


def without_refused(steps: Mapping[int, Step], entry: Entry) -> dict[int, Step]:
    """What was handed over before this look, without an answer, stays unsure all the same."""
    return {part: step for part, step in steps.items() if step.state == "out" or part in entry.steps}


def park(db: sqlite3.Connection, entry: Entry, why: str, notices: Sequence[Values], now: float, *, sure: bool) -> bool:
    """False: a status has settled in the meantime what was unsure, so it waits again instead."""
    steps = _steps(db, entry)
    if any(step.state == "handed" and steps[part].state == "out" for part, step in entry.steps.items()):
        again(db, entry, 0.0, why, confirm=True)
        return False
    kept = without_refused(steps, entry) if sure else steps
    db.execute(
        "UPDATE entries SET state = 'dead', begun = 0, due = 0, why = ?, closed_at = ?, steps = ? WHERE seq = ?",
        (why, now, steps_text(kept), entry.seq),
    )
    show_head(db, entry.lane)
    append(db, [(notices, now)])
    return True


def confirm(db: sqlite3.Connection, key: str, part: int, wamid: str) -> bool:
    row = db.execute("SELECT * FROM entries WHERE key = ? AND state != 'done'", (key,)).fetchone()
    if row is None:
        return False
    entry, state = entry_of(row), row["state"]
    step = entry.steps.get(part)
    if step is None or (step.state == "out" and state == "dead"):
        return False
    if step.state == "out":
        return True
    steps = {**entry.steps, part: Step("out", wamid)}
    db.execute("UPDATE entries SET steps = ?, begun = 1 WHERE seq = ?", (steps_text(steps), entry.seq))
    if not any(other.state == "handed" for other in steps.values()) and (entry.confirming or state == "dead"):
        db.execute(
            "UPDATE entries SET state = 'waiting', confirming = 0, due = 0, "
            "tries = CASE state WHEN 'dead' THEN 0 ELSE tries END WHERE seq = ?",
            (entry.seq,),
        )
    show_head(db, entry.lane)
    return True


def retry(db: sqlite3.Connection, key: str) -> bool:
    """It was tried before, so it goes back to its place before what was tried after it and waits; but never between the
    parts of one that is partly out."""
    row = db.execute("SELECT seq, lane, at_ms, steps FROM entries WHERE key = ? AND state = 'dead'", (key,)).fetchone()
    if row is None:
        return False
    seq, lane, at_ms, steps = row
    out = {part: step for part, step in steps_of(steps).items() if step.state == "out"}
    begun = bool(out) or db.execute(UNDER_WAY, (lane, at_ms, seq)).fetchone() is None
    db.execute(
        "UPDATE entries SET state = 'waiting', begun = ?, tries = 0, confirming = 0, due = 0, why = '', "
        "steps = ? WHERE seq = ?",
        (int(begun), steps_text(out), seq),
    )
    show_head(db, lane)
    return True


def dead_query(limit: int, latest: bool, after: Stored | None) -> Values:
    """The query and its values."""
    if latest:
        return DEAD_LATEST, limit
    return (DEAD, after.closed_at, after.entry.seq, limit) if after else (DEAD, -1.0, 0, limit)


def expire(db: sqlite3.Connection, before: float, since: float, now: float) -> int:
    db.execute("UPDATE entries SET closed_at = ? WHERE state = 'dead' AND closed_at < ?", (now, since))
    rows = db.execute(EXPIRED, (before, MOST_EXPIRED)).fetchall()
    db.executemany(
        "UPDATE entries SET state = 'done', lane = '', body = NULL, tries = 0, confirming = 0, steps = '{}', why = '', "
        "result = ? WHERE seq = ?",
        [(expired(row["why"]), row["seq"]) for row in rows],
    )
    return len(rows)


def record_pair(db: sqlite3.Connection, pair: Pair) -> None:
    """A state that is known is not lost to a pair that comes without one, nor where the message stands."""
    db.execute(
        "INSERT INTO pairs (wamid, message, room, number, contact, outbound, entry, state, state_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (wamid) DO UPDATE SET "
        "message = CASE excluded.message WHEN '' THEN message ELSE excluded.message END, "
        "room = CASE excluded.message WHEN '' THEN room ELSE excluded.room END, "
        "number = excluded.number, contact = excluded.contact, outbound = excluded.outbound, entry = excluded.entry, "
        "state = CASE excluded.state WHEN '' THEN state ELSE excluded.state END, "
        "state_at = CASE excluded.state WHEN '' THEN state_at ELSE excluded.state_at END",
        pair_values(pair),
    )


def remember(db: sqlite3.Connection, sealed: Sealed) -> None:
    one = sealed.conversation
    db.execute(
        "INSERT INTO conversations "
        "(number, contact, token, token_hash, room, phone, user_id, name, last_inbound_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number, contact) DO UPDATE SET "
        "token = CASE token_hash WHEN excluded.token_hash THEN token ELSE excluded.token END, "
        "token_hash = excluded.token_hash, room = excluded.room, phone = excluded.phone, "
        "user_id = excluded.user_id, name = excluded.name, "
        "last_inbound_at = max(last_inbound_at, excluded.last_inbound_at)",
        (
            one.number, one.contact, sealed.token, sealed.token_hash, one.room, one.phone, one.user_id, one.name,
            one.last_inbound_at,
        ),
    )  # fmt: skip
    if one.room is not None:
        _remember_room(db, one.room, one)


def _remember_room(db: sqlite3.Connection, room: RoomId, conversation: Conversation) -> None:
    db.execute(
        "INSERT INTO rooms (room, number, contact) VALUES (?, ?, ?) ON CONFLICT (room) DO UPDATE SET "
        "number = excluded.number, contact = excluded.contact "
        "WHERE number != excluded.number OR contact != excluded.contact",
        (room, conversation.number, conversation.contact),
    )


MARKS = "SELECT name, value FROM marks WHERE name > ? AND name < ? ORDER BY name LIMIT ?"


def set_mark(db: sqlite3.Connection, name: str, value: str, *, forward: bool) -> None:
    if not value:
        db.execute("DELETE FROM marks WHERE name = ?", (name,))
        return
    db.execute(
        "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value "
        "WHERE NOT ? OR CAST(value AS REAL) < CAST(excluded.value AS REAL)",
        (name, value, forward),
    )


def counts(db: sqlite3.Connection) -> Mapping[str, int]:
    [aside] = db.execute(f"SELECT {WAITS_ASIDE}").fetchone()
    return {**dict(db.execute("SELECT state, n FROM tally").fetchall()), "aside": aside}


def _steps(db: sqlite3.Connection, entry: Entry) -> dict[int, Step]:
    row = db.execute("SELECT steps FROM entries WHERE seq = ? AND state = 'waiting'", (entry.seq,)).fetchone()
    if row is None:
        raise _not_waiting(entry)
    return steps_of(row[0])


def _not_waiting(entry: Entry) -> LookupError:
    return LookupError(f"{entry.key} does not wait: it was closed before, or never taken from this journal")
