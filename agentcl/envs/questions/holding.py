"""Conversations over months in which things are stated, changed and taken back, and questions about them.

What a person says comes in threads: an attribute that changes, a set that grows and shrinks, a date that moves, a
number that is misspoken, a plan that falls through, an order to the assistant, a pasted text with an order in it.
Small talk stands between. Beside them stand things that mislead: what others have, what would be if, what the
assistant guesses. All people, companies and numbers are invented, so nothing can be known beforehand.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Final

from agentcl.envs.names import Names
from agentcl.envs.questions.histories import History
from agentcl.envs.questions.holding_phrases import NEVER, SLOTS
from agentcl.envs.questions.holding_tale import LONGEST, SHORTEST, Tale, tell
from agentcl.envs.questions.holding_threads import CHANGING, STEADY, THREADS, changing, steady
from agentcl.errors import InvalidInput

LICENCE: Final = "Apache-2.0"
_SLOTS: Final = 4  # attributes that a history may be about, of which one never changes
_NEVER: Final = 2


def holding_histories(
    count: int = 10, *, seed: int = 0, held_out: bool = False
) -> tuple[History, ...]:
    """Return the histories of invented people; the same arguments give the same ones.

    Each has 3 to 5 sessions and 20 to 60 turns. Person n is the same whatever the count. Most dates are said
    relative to the day of the turn.

    Args:
        count: how many people.
        seed: of everything.
        held_out: phrasings and names that none has that is made without it.

    Raises:
        InvalidInput: if count is below 1.
    """
    if count < 1:
        raise InvalidInput(f"count must be at least 1, and is {count}")
    return tuple(_history(number, seed, held_out=held_out) for number in range(1, count + 1))


def _history(number: int, seed: int, *, held_out: bool) -> History:
    rng = random.Random(f"holding {seed} {number} {held_out}")
    days = [date(2024, 1, 8) + timedelta(days=rng.randint(0, 600))]
    for _ in range(rng.randint(2, 4)):
        days.append(days[-1] + timedelta(days=rng.randint(35, 70)))
    tale = Tale(rng, Names(rng, held_out=held_out), days, held_out, [[] for _ in days])
    turns = rng.randint(SHORTEST, LONGEST)
    first, *more = _threads(rng)
    first[0](tale)
    for thread, longest in more:
        if 2 * (tale.said + longest) <= turns:
            thread(tale)
    for question in rng.sample(NEVER, _NEVER):
        tale.ask("never", question, "unknown", [], accept=("not stated",))
    return tell(tale, f"{'held-out' if held_out else 'made'}-{seed}-{number}", turns)


def _threads(rng: random.Random) -> list[tuple[Callable[[Tale], None], int]]:
    """Draw an order of threads, an attribute that changes first; each with the most that it says."""
    slots = rng.sample(SLOTS, _SLOTS)
    threads: list[tuple[Callable[[Tale], None], int]] = [
        *((partial(changing, slot=slot), CHANGING) for slot in slots[:-1]),
        (partial(steady, slot=slots[-1]), STEADY),
        *THREADS.items(),
    ]
    others = threads[1:]
    rng.shuffle(others)
    return [threads[0], *others]
