"""A loop of one's own that gets better: six kinds of locks, four ways to open one, one try an episode.

What stands between `recall` and `step` is your program; here it is a coin that listens to what it is told.
"""

import random
import tempfile

from agentcl import Memory
from agentcl.lessons import Lesson, read_sentence

KINDS = ("brass", "iron", "oak", "glass", "tin", "salt")
WAYS = ("turn it", "push it", "lift it", "tap it")
rng = random.Random(5)
opens = {kind: rng.choice(WAYS) for kind in KINDS}  # the hidden rule of this world


def attempt(memory: Memory, number: int) -> float:
    """Try to open one lock, and remember what came of it; return 1 if it opened."""
    kind = rng.choice(KINDS)
    seen = f"The {kind} lock is shut."
    with memory.episode(seen, application="locks", family="open", seed=number) as episode:
        told = list(filter(None, map(read_sentence, episode.recall(seen).lessons)))
        helpful = [one.what for one in told if one.claim == "do"]
        useless = {one.what for one in told if one.claim == "useless"}
        way = rng.choice(helpful or [way for way in WAYS if way not in useless])
        is_open = way == opens[kind]
        episode.step(seen, way, "it opens" if is_open else "nothing happens")
        played = episode.finish(float(is_open))
    lesson = Lesson(f"the {kind} lock is shut", "do" if is_open else "useless", way)
    memory.lessons.reflect([lesson], episode=played)
    return float(is_open)


with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    for block in range(6):
        opened = sum(attempt(memory, 20 * block + number) for number in range(20))
        print(f"episodes {20 * block + 1:3} to {20 * block + 20:3}: {opened:2.0f} of 20 opened")
    found = [one for one in memory.lessons.state().lessons.values() if one.guidance.claim == "do"]
    print(f"ways that open, found: {len(found)} of {len(KINDS)}")
