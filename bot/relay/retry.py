"""What to do about an error: a table that a product owner can read. Pure.

    Refused, Invalid          park
    Busy                      again after what the server said, or 1, 2, 4 … 60 s; parked after a day
      NoAgentOnline, OmnichannelOff    at most 20 s between looks; parked after a week
      FileWaits                        parked after a week, for which WhatsApp keeps a file
      PairLimited                      1, 4, 16 … 600 s
      Doubtful                         at least 5 s, in which a status may settle it
    Unsure                    confirm after 30 s; unsure once more: park, a person decides
    anything else (a bug)     confirm after 10, 20, 40, 60, 60 s; then park, so that the neighbours go on

A bug says nothing about what was handed over before it struck: hence `Confirm`, which keeps that unsure, and not
`Again`, which would send it a second time.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import BotError, Busy, Doubtful, FileWaits, NoAgentOnline, OmnichannelOff, PairLimited, Unsure

DAY = 24 * 3600.0
CONFIRM_AFTER = 30.0
LONGEST_PAUSE = 60.0
LONGEST_PAUSE_FOR_ROCKETCHAT_OPENING = 20.0
LONGEST_PAUSE_OF_A_PAIR = 600.0
LONGEST_BELIEVED = 3600.0
"""A server that asks for more than this is asked again after this."""
TRIES_AT_LEAST = 10
"""An entry is not old before it was tried this often: it may have waited behind others, or for the bot to start."""
DOUBT = 5.0
"""Seconds. WhatsApp tells of a message that it took within one or two."""
BUG_PAUSES = (10.0, 20.0, 40.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing was accepted: the same once more, `after` seconds."""

    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """It may have been accepted: look again `after` seconds, and send nothing twice."""

    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Park:
    why: str


Decision = Again | Confirm | Park


def decide(error: Exception, *, tries: int, age: float, confirming: bool) -> Decision:
    """`tries`: how often it was put back before. `age`: seconds since it entered. `confirming`: it was unsure before.

    `why` is the error's own text, or the name of its class when it is a bug: that text could hold anything.
    """
    match error:
        case Unsure():
            return Park(str(error)) if confirming else Confirm(CONFIRM_AFTER, str(error))
        case Busy():
            if age > patience(error) and tries >= TRIES_AT_LEAST:
                return Park(str(error))
            if isinstance(error, Doubtful):
                return Confirm(max(DOUBT, _pause(error, tries)), str(error))
            return Again(_pause(error, tries), str(error))
        case BotError():
            return Park(str(error))
        case _:
            why = f"bug: {type(error).__name__}"
            return Confirm(BUG_PAUSES[tries], why) if tries < len(BUG_PAUSES) else Park(why)


def patience(error: Busy) -> float:
    """For how many seconds an entry is tried again. Nobody may be at work over a long weekend."""
    return 7 * DAY if isinstance(error, NoAgentOnline | OmnichannelOff | FileWaits) else DAY


def _pause(error: Busy, tries: int) -> float:
    """A server that says how long is believed at first; when that does not help, the pause grows all the same."""
    grown = _grown(error, tries)
    if error.after is None or not error.after >= 0:
        return grown
    after = min(error.after, LONGEST_BELIEVED)
    return after if tries < TRIES_AT_LEAST else max(after, grown)


def _grown(error: Busy, tries: int) -> float:
    steps = min(tries, 32)
    if isinstance(error, PairLimited):
        return min(4.0**steps, LONGEST_PAUSE_OF_A_PAIR)
    if isinstance(error, NoAgentOnline | OmnichannelOff):
        return min(2.0**steps, LONGEST_PAUSE_FOR_ROCKETCHAT_OPENING)
    return min(2.0**steps, LONGEST_PAUSE)
