"""What became of a message: recorded, never backwards, shown on it (`ticks`), and a failure told to the agent.

Statuses come in any order, twice, before the answer of the send is stored, and for messages of other systems on the
same number (Meta: whatsapp/webhooks/reference/messages/status).
"""

from __future__ import annotations

from dataclasses import replace

from bot.errors import Trouble
from bot.model import Pair, Status
from bot.ports import Entry, Journal, Outcome
from bot.relay import notices
from bot.relay.afterwards import REACTION
from bot.relay.handover import read_opaque
from bot.relay.status_endpoint import StatusEndpoint
from bot.relay.ticks import Ticks
from bot.whatsapp import parse
from bot.whatsapp.error_codes import from_wire

_RANK = {"": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4, "played": 5}
QUIET = ("finished:", "offline:")
"""Keys of messages of which no agent needs to hear that they failed: nobody is in the conversation."""
_EARLY_LOOKS = 4
"""How often a status without a known message is looked at again, because the answer of its send may be on its way."""


def later(now: str, new: str) -> str:
    """The state that counts. `failed` replaces only `sent`; nothing goes backwards; unknown words change nothing."""
    return new if _RANK.get(new, -1) > _RANK.get(now, 0) else now


class Statuses:
    """Handler of `wa.status` entries."""

    def __init__(self, journal: Journal, endpoint: StatusEndpoint, ticks: Ticks) -> None:
        self._journal = journal
        self._endpoint = endpoint
        self._ticks = ticks

    async def __call__(self, entry: Entry) -> Outcome:
        if entry.body.get("field") == "calls":
            return Outcome({"ignored": "status of a call"})
        status = parse.status(entry.body)
        pair = await self._journal.pair(status.wamid)
        if pair is None:
            return await self._early_or_foreign(entry, status)
        if pair.entry.startswith("ot:"):
            return Outcome({"ignored": "written on the phone of the business"})
        if pair.entry.startswith(REACTION):
            return await self._of_reaction(pair, status)
        state = later(pair.state, status.state)
        if state == pair.state:
            if status.state == "deleted":  # it moves nothing, and is news all the same
                await self._endpoint.changed(pair, status)
            return Outcome({"state": status.state, "kept": pair.state})
        await self._endpoint.changed(pair, status)
        result: dict[str, str] = {"state": state}
        if state == "failed":
            error = from_wire(status.errors)
            result |= {"reason": notices.gave_up(error), "said": error.said}
            quiet = pair.entry.startswith(QUIET) or (pair.entry.startswith("welcome:") and not pair.room)
            if not quiet:
                await self._journal.append(notices.failed_later(entry, pair, error))
        return Outcome(result, pairs=(_with(pair, state, status.at),), then=self._ticks.of_status(pair, state))

    async def _of_reaction(self, pair: Pair, status: Status) -> Outcome:
        """The reaction of an agent. The status endpoint hears of messages alone."""
        state = later(pair.state, status.state)
        if state == pair.state:
            return Outcome({"state": status.state, "kept": pair.state})
        made_by = await self._journal.find(pair.entry) if state == "failed" else None
        if made_by is not None and made_by.result.get("reaction"):  # else it was taken back, or is forgotten
            error = from_wire(status.errors)
            told = notices.reaction_not_sent(made_by.result["to"], pair.room, error, notices.gave_up(error))
            await self._journal.append(told)
        return Outcome({"state": state}, pairs=(_with(pair, state, status.at),))

    async def _early_or_foreign(self, entry: Entry, status: Status) -> Outcome:
        ours = read_opaque(status.opaque)
        if ours is not None and await self._journal.confirm(*ours, status.wamid):
            raise Trouble("its message is being confirmed", after=0.5)
        if ours is not None and await self._journal.pair(status.wamid) is not None:
            raise Trouble("its message was confirmed in this moment", after=0)  # since the look for the pair
        if entry.tries < _EARLY_LOOKS:
            raise Trouble("its message is not known yet")
        return Outcome({"ignored": "a message that this bot did not send"})


def _with(pair: Pair, state: str, at: float) -> Pair:
    return replace(pair, state=state, state_at=at)
