"""A process that is killed with -9 in the middle of its commits: what it acknowledged is there, once, in order."""

import asyncio
import os
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tests.contract.journals import ManualClock, SqliteStore
from tests.crash.journal_child import EACH, SENDERS

SEED = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(10_000))
KILLS = 6
ROOT = Path(__file__).parents[2]


async def run(folder: Path, seed: int, lines_to_live: int | None) -> list[str]:
    """What the program said until it was killed, after so many lines, or until its end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.journal_child", str(folder), str(seed),
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert child.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(60):
        async for line in child.stdout:
            said.append(line.decode().rstrip("\n"))
            if len(said) == lines_to_live:
                child.kill()
        code = await child.wait()
    assert code == 0 or lines_to_live is not None, f"the program ended with {code}"
    return said


def of(kind: str, said: list[str]) -> list[str]:
    return [line.removeprefix(f"{kind} ") for line in said if line.startswith(f"{kind} ")]


async def test_what_was_acknowledged_survives_every_kill_once_and_in_order(tmp_path: Path) -> None:
    seed = SEED
    print(f"repeat with CRASH_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)
    runs = [await run(tmp_path, seed + number, chance.randrange(1, 500)) for number in range(KILLS)]

    acknowledged = {key for said in runs for key in of("new", said)}
    finished = {key for said in runs for key in of("done", said)}
    async with SqliteStore(tmp_path).open(ManualClock()) as journal:
        found = {key: await journal.find(key) for key in acknowledged}
    lost = {key for key, stored in found.items() if stored is None}
    undone = {key for key in finished if (stored := found.get(key)) is not None and stored.state != "done"}
    forgotten = {
        key
        for said in runs
        for key in of("handed", said)
        if (stored := found.get(key)) is not None and stored.state == "waiting" and not stored.entry.steps
    }
    assert (lost, undone, forgotten) == (set(), set(), set())

    runs.append(await run(tmp_path, seed, None))
    said = [line for one in runs for line in one]
    assert said[-1] == "all"

    # A result that reached the disk just before its acknowledgement could be said is done in silence: never twice.
    done = of("done", said)
    assert {key: times for key, times in Counter(done).items() if times > 1} == {}
    for number, one in enumerate(runs):
        before = {key for earlier in runs[:number] for key in of("done", earlier)}
        assert before & set(of("take", one)) == set()

    order = defaultdict(list)
    for key in dict.fromkeys(of("take", said)):
        sender, place = key.split("-")
        order[sender].append(int(place))
    assert order == {str(sender): list(range(EACH)) for sender in range(SENDERS)}
