"""Cuts a long text into messages that fit, where a reader would cut it."""

from __future__ import annotations

from collections.abc import Iterator

import regex

GRAPHEME = regex.compile(r"\p{RI}{2}(?=\p{RI})|\X")
r"""`\X` looks back at each letter of a flag for the first of the row, so that sixty thousand of them would take a
minute; what is in front of another one is taken in pairs instead, which is what `\X` finds."""
_FENCE = "```"
_ROOM_FOR_FENCES = 2 * (len(_FENCE) + 1)


def length(text: str) -> int:
    """In UTF-16 units, as Rocket.Chat counts (JavaScript); never less than the characters that WhatsApp counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int = 4096, *, lead: int = 0) -> list[str]:
    """Pieces of at most `limit` (see `length`), none of them blank; together they lose only white space at the cuts.

    The first `lead` characters, such as the line that names the author, never stand alone: no cut is made within them
    or right behind them.

    Cuts at a paragraph, else a line, else a space, else between characters as people see them: never inside a grapheme,
    unless one alone is longer than the limit. A code fence that is cut is closed and opened again.
    """
    if length(text) <= limit:
        return [text] if text.strip() else []
    fences = _FENCE in text and limit > 4 * _ROOM_FOR_FENCES
    pieces = [piece for piece in _cut(text, limit - _ROOM_FOR_FENCES if fences else limit, lead) if piece.strip()]
    return list(_refenced(pieces)) if fences else pieces


def _cut(text: str, limit: int, lead: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        end, next_start = _reach(text, start, limit, lead)
        yield text[start:end]
        start = next_start


def _reach(text: str, start: int, limit: int, lead: int) -> tuple[int, int]:
    """Where the piece that begins at `start` ends, and where the next one begins."""
    room, end = limit, start
    spaces: list[tuple[int, int]] = []  # runs of white space, as (begin, end)
    for grapheme in GRAPHEME.finditer(text, start):
        blank = grapheme[0].isspace()
        if blank:
            if spaces and spaces[-1][1] == grapheme.start():
                spaces[-1] = (spaces[-1][0], grapheme.end())
            else:
                spaces.append((grapheme.start(), grapheme.end()))
        room -= length(grapheme[0])
        if room < 0 and not blank:
            late = [space for space in spaces if space[0] >= lead]
            return _best(text, start, end, late) if end > start else _inside(text, start, limit)
        if room >= 0:
            end = grapheme.end()
    return end, len(text)


def _best(text: str, start: int, end: int, spaces: list[tuple[int, int]]) -> tuple[int, int]:
    """The last paragraph or line in the second half, else the last white space, else the last whole character."""
    inner = [space for space in spaces if start < space[0] <= end]
    late = [space for space in inner if space[0] >= (start + end) // 2]
    for breaks in (2, 1):
        for begin, stop in reversed(late):
            gap = text[begin:stop]
            if gap.count("\n") >= breaks:
                return begin, begin + gap.rindex("\n") + 1  # indentation of the next line stays
    return inner[-1] if inner else (end, end)


def _inside(text: str, start: int, limit: int) -> tuple[int, int]:
    """One grapheme that is longer than the limit, such as a letter under a thousand accents."""
    end = start + 1
    while end < len(text) and length(text[start : end + 1]) <= limit:
        end += 1
    return end, end


def _refenced(pieces: list[str]) -> Iterator[str]:
    inside = False
    for piece in pieces:
        opened = f"{_FENCE}\n{piece}" if inside else piece
        inside ^= piece.count(_FENCE) % 2 == 1
        yield f"{opened}\n{_FENCE}" if inside else opened
