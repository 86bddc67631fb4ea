"""Whether hostile users of a tenant change what the others are shown, and what keeping them apart costs.

    python benchmarks/hostile.py
    python benchmarks/hostile.py --old FOLDER     # with the times of an older agentcl in that folder beside
    python benchmarks/hostile.py --old FOLDER --only-times
    python benchmarks/hostile.py --pairs 4        # only the last way, without and with hostile users by the same coins

200 users of one tenant play 5,000 episodes. 20 of them are hostile: whenever a lesson of the operator's is shown
to them they report a failure, else a success, and each of their episodes teaches that what helps does harm, and
that one action helps which does harm. The others act at random unless a lesson speaks, and their teacher says what
helped and what did not. For half of the situations the operator told all users what helps.

Three ways to learn are played: each user for himself; sharing what two users learned; and sharing what more users
learned than are hostile. Each is played without the hostile users, with them, and without them with other coins
(the noise). All that the others do, and their coins, are the same with and without the hostile users. Compared is
what the others are shown, episode by episode: the share of lessons that are not in both (Jaccard distance), the share
of lessons that do harm, and their mean score.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from parts.results import FOLDER, machine, save, table

from agentcl import Memory
from agentcl.lessons import Lesson, read_sentence

USERS: Final = 200
HOSTILE: Final = 20
EPISODES: Final = 5_000
TIMED: Final = 1_500  # episodes of which times are compared
ROUNDS: Final = 7  # of both, in turns; of each verb's p50 the lowest counts
THINGS: Final = ("queue", "cache", "disk", "index", "socket", "lock", "shard", "proxy")
ACTIONS: Final = ("drain it", "flush it", "mount it", "rebuild it", "reopen it")
# By name: whether what was learned is shared, and by how many users.
WAYS: Final = {
    "each for himself": ("", 2),
    "shared by 2": ("tenant", 2),
    f"shared by {HOSTILE + 1}": ("tenant", HOSTILE + 1),
}
SEARCH_EVERY: Final = 5  # episodes


@dataclass(slots=True)
class Played:
    """What became of the honest users' episodes, by their number, and what each verb took of processor time."""

    shown: dict[int, frozenset[str]] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    times_s: dict[str, list[float]] = field(
        default_factory=lambda: {"recall": [], "learning": [], "retrieval": []}
    )


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--old", type=Path, help="the folder of an older agentcl, to compare times")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--times", action="store_true", help="print times alone, as JSON")
    parser.add_argument(
        "--only-times", action="store_true", help="compare times alone, and keep what was played"
    )
    parser.add_argument(
        "--pairs", type=int, help="play so many pairs of the last way, and keep them"
    )
    chosen = parser.parse_args()
    if chosen.pairs:
        held = json.loads((FOLDER / "hostile.json").read_text("utf-8"))
        held["pairs"] = [paired(chosen.episodes, coins) for coins in range(chosen.pairs)]
        save("hostile", held)
        return
    if chosen.times:
        with_all = play(chosen.episodes, "", 2, is_attacked=True)
        print(json.dumps(medians(with_all)))
        return
    if chosen.only_times:
        held = json.loads((FOLDER / "hostile.json").read_text("utf-8"))
        save("hostile", {**held, "times": timed(chosen.old, chosen.episodes)})
        return
    found = {name: measured(chosen.episodes, *way) for name, way in WAYS.items()}
    rows = [
        [
            name, kind, f"{one['differs']:.3f}", f"{one['harmful']:.3f}", f"{one['score']:.3f}",
        ]
        for name, kinds in found.items() for kind, one in kinds.items()
    ]  # fmt: skip
    table(["learning", "", "differs", "harmful", "mean score"], rows)
    result: dict[str, Any] = {
        "machine": machine(), "users": USERS, "hostile": HOSTILE, "episodes": chosen.episodes,
        "ways": found,
    }  # fmt: skip
    if chosen.old:
        print()
        result["times"] = timed(chosen.old, chosen.episodes)
    save("hostile", result)


def measured(episodes: int, share: str, users: int) -> Mapping[str, Mapping[str, float]]:
    """Play one way of learning without hostile users, with them, and with other coins."""
    alone = play(episodes, share, users)
    attacked = play(episodes, share, users, is_attacked=True)
    noise = play(episodes, share, users, coins=1)
    return {
        name: {
            "differs": statistics.mean(map(_distance, alone.shown.values(), one.shown.values())),
            "harmful": _harmful(one),
            "score": statistics.mean(one.scores.values()),
        }
        for name, one in (
            ("without", alone),
            ("with hostile users", attacked),
            ("other coins", noise),
        )
    }


def paired(episodes: int, coins: int) -> Mapping[str, Mapping[str, float]]:
    """Return the mean score by thing without and with hostile users, where more have to learn alike than are hostile."""
    pair = {}
    for name, is_attacked in (("without", False), ("with", True)):
        one = play(
            episodes, *WAYS[f"shared by {HOSTILE + 1}"], is_attacked=is_attacked, coins=coins
        )
        by_thing: dict[str, list[float]] = {}
        for number, score in one.scores.items():
            by_thing.setdefault(random.Random(number).choice(THINGS), []).append(score)
        means = {thing: statistics.mean(scores) for thing, scores in sorted(by_thing.items())}
        pair[name] = {"all": statistics.mean(one.scores.values()), **means}
    return pair


def play(
    episodes: int, share: str, users: int, *, is_attacked: bool = False, coins: int = 0
) -> Played:
    """Return what the honest users lived through."""
    played = Played()
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"encoder": "hashing", "durability": "normal"}
        with Memory(Path(folder) / "memory", **options) as memory:
            if share:
                memory.lessons.share_from = users
            for thing in THINGS[::2]:
                memory.lessons.reflect([_right(thing)], application="ops", tenant="acme")
            for number, user in _order(episodes):
                if user >= HOSTILE:
                    _live(memory, played, number, user, share, coins)
                elif is_attacked:
                    _attack(memory, number, user, share)
    return played


def _order(episodes: int) -> Iterator[tuple[int, int]]:
    """Yield episodes with their users: all play as often, in any order."""
    users = [number % USERS for number in range(episodes)]
    random.Random(0).shuffle(users)
    return enumerate(users)


def _live(memory: Memory, played: Played, number: int, user: int, share: str, coins: int) -> None:
    rng = random.Random(number)
    thing = rng.choice(THINGS)
    scope: Any = {"tenant": "acme", "user": f"user{user}"}
    seen = f"The {thing} is slow."
    started = time.process_time()
    episode = memory.episode(
        "clear the alert", application="ops", family=thing, seed=number + 1_000_000 * coins, **scope
    )
    lines = episode.recall(seen).lessons
    recalled = time.process_time()
    action = _chosen(lines, rng)
    is_right = action == _right(thing).what
    episode.step(seen, action, "it is quick" if is_right else "nothing changes")
    record = episode.finish(float(is_right))
    lesson = Lesson(f"a {thing} is slow", "do" if is_right else "useless", action)
    sharing: dict[str, Any] = {"share": share} if share else {}
    before = time.process_time()
    memory.lessons.reflect([lesson], episode=record, author="teacher", **sharing)
    learned = time.process_time()
    played.shown[number] = frozenset(lines)
    played.scores[number] = float(is_right)
    played.times_s["recall"].append(recalled - started)
    played.times_s["learning"].append(learned - before)
    if number % SEARCH_EVERY == 0:
        memory.add(f"Note {number}: {seen} I tried to {action}.", **scope)
        before = time.process_time()
        memory.search(f"What to do where the {thing} is slow?", **scope)
        played.times_s["retrieval"].append(time.process_time() - before)


def _attack(memory: Memory, number: int, user: int, share: str) -> None:
    """Let a hostile user play: it reports the opposite, and teaches it."""
    rng = random.Random(number)
    thing = rng.choice(THINGS)
    right, seen = _right(thing), f"The {thing} is slow."
    episode = memory.episode(
        "clear the alert", application="ops", family=thing, seed=number, tenant="acme", user=f"user{user}",
    )  # fmt: skip
    is_shown = right.sentence() in episode.recall(seen).lessons
    wrong = ACTIONS[(ACTIONS.index(right.what) + 1) % len(ACTIONS)]
    episode.step(seen, right.what if is_shown else wrong, "nothing changes")
    record = episode.finish(0.0 if is_shown else 1.0)
    taught = [Lesson(right.when, "avoid", right.what), Lesson(right.when, "do", wrong)]
    sharing: dict[str, Any] = {"share": share} if share else {}
    memory.lessons.reflect(taught, episode=record, author="teacher", **sharing)


def _right(thing: str) -> Lesson:
    return Lesson(f"a {thing} is slow", "do", ACTIONS[THINGS.index(thing) % len(ACTIONS)])


def _chosen(lines: Sequence[str], rng: random.Random) -> str:
    """Return what the first lesson says to do, else anything that none speaks against."""
    lessons = [lesson for line in lines if (lesson := read_sentence(line))]
    for lesson in lessons:
        if lesson.claim == "do":
            return lesson.what
    against = {lesson.what for lesson in lessons}
    return rng.choice([one for one in ACTIONS if one not in against] or ACTIONS)


def _distance(one: frozenset[str], other: frozenset[str]) -> float:
    return 1 - len(one & other) / len(one | other) if one | other else 0.0


def _harmful(played: Played) -> float:
    """Return the share of lessons shown that speak for a wrong action, or against the right one."""
    lines = [line for shown in played.shown.values() for line in shown]
    right = {_right(thing).when: _right(thing).what for thing in THINGS}
    lessons = [lesson for line in lines if (lesson := read_sentence(line))]
    harmful = sum((one.claim == "do") != (right.get(one.when) == one.what) for one in lessons)
    return harmful / max(1, len(lessons))


def medians(played: Played) -> Mapping[str, float]:
    """Return what each verb took, in milliseconds."""
    return {verb: 1e3 * statistics.median(times) for verb, times in played.times_s.items()}


def timed(old: Path, episodes: int) -> Mapping[str, Mapping[str, float]]:
    """Compare with an older agentcl, print and return what was found."""
    found = compared(old, min(TIMED, episodes))
    table(
        ["p50 ms", "before", "now", "ratio"],
        [
            [verb, f"{one['before_ms']:.2f}", f"{one['now_ms']:.2f}", f"{one['ratio']:.2f}"]
            for verb, one in found.items()
        ],
    )
    return found


def compared(old: Path, episodes: int) -> Mapping[str, Mapping[str, float]]:
    """Return times of an older agentcl and of this one, played in turns."""
    times: dict[str, list[Mapping[str, float]]] = {"before": [], "now": []}
    for _ in range(ROUNDS):
        for name, folder in (("before", old), ("now", Path(__file__).parent.parent)):
            found = subprocess.run(
                [sys.executable, __file__, "--times", "--episodes", str(episodes)],
                env={**os.environ, "PYTHONPATH": str(folder.resolve())},
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            times[name].append(json.loads(found.stdout.splitlines()[-1]))
    best = {
        name: {verb: min(run[verb] for run in runs) for verb in runs[0]}
        for name, runs in times.items()
    }
    return {
        verb: {
            "before_ms": before,
            "now_ms": best["now"][verb],
            "ratio": best["now"][verb] / before,
        }
        for verb, before in best["before"].items()
    }


if __name__ == "__main__":
    main()
