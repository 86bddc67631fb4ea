"""How soon is a change noticed, and how often is one told that there was not?

    python benchmarks/shifts.py [--seeds 20]

Scores: the scripted responder plays `remedy` of incidents with guidance, 100 episodes of a deployment. In `rules` its
rules change at a hidden moment, in `steady` never. What memory told then is read from the memories of the run.

Situations, without labels of tasks: 80 first situations of one kind, and 40 of another. In `worlds` they are incidents
and then puzzles of another domain. In `language` they are what people and logs say in one of six domains, and then
in another one. In `steady` they are incidents alone, and in `mixed` the language of three domains in turn.

A fixed window stands beside both: an alarm where the mean of the last ten is below that of the thirty before by so
much. It looks at the same scores, or at the same share of familiar words, and begins anew after an alarm.

A delay counts episodes from the first one after the change, which is 1. An alarm without a change, or before it, is
false. Rises of scores are told too, since the responder learns; they are not counted here.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from parts.results import machine, save, table
from parts.runs import finished

from agentcl.envs import open_domain
from agentcl.guidance.meaning.same import content
from agentcl.guidance.progress.novelty import Novelty
from agentcl.guidance.progress.shifts import ScoreShift
from agentcl.memory import Memory

SITUATIONS: Final = Path(__file__).parents[1].parent / "shared/data/situations/lessons-dev.json"
BEFORE, AFTER = 80, 40
RECENT, EARLIER = 10, 30
DROPS: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
Stream = tuple[
    Sequence[int], int | None, int
]  # alarms, the first after the change, how many there are


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    parts = {"scores": scores(seeds), "situations": situations(seeds)}
    for name, rows in parts.items():
        print(f"\n{name}")
        table(
            ["stream", "method", "found", "delay (median)", "90 % within", "false in 1,000"],
            [[row["stream"], row["method"], row["found"], str(row["delay"]), str(row["late"]), str(row["false"])]
             for row in rows],
        )  # fmt: skip
    save("shifts", {"machine": machine(), "seeds": seeds, **parts})


def scores(seeds: int) -> list[dict[str, Any]]:
    """Return what was noticed of scores, by stream and method."""
    found = []
    for stream in ("changing", "random"):
        folder = finished(
            f"shifts-{stream}",
            {
                "tasks": {"domain": "incidents", "families": ["remedy"], "stream": stream, "episodes": 100},
                "agent": {"name": "responder"},
                "memory": {"baselines": ["guidance"], "encoder": "hashing"},
                "seeds": list(range(seeds)),
            },
        )  # fmt: skip
        ours: list[Stream] = []
        windows: dict[float, list[Stream]] = {drop: [] for drop in DROPS}
        for seed in range(seeds):
            rows = list(folder.rows("guidance", seed))
            moment = next((row.number for row in rows if row.phase == "rules 2"), None)
            numbers = {row.episode: row.number for row in rows}
            with Memory(folder.memory_path("guidance", seed), read_only=True) as memory:
                told = memory.lessons.changes()
            falls = [
                numbers[one.episode]
                for one in told
                if isinstance(one, ScoreShift) and one.direction == "down"
            ]
            ours.append((falls, moment, len(rows)))
            for drop in DROPS:
                fell = windowed([row.score or 0.0 for row in rows], drop)
                windows[drop].append((fell, moment, len(rows)))
        name = "rules" if stream == "changing" else "steady"
        found.append(line(name, "ours", ours))
        found += [line(name, f"window, {drop}", windows[drop]) for drop in DROPS]
    return found


def situations(seeds: int) -> list[dict[str, Any]]:
    """Return what was noticed of situations, by stream and method."""
    found = []
    for name, streams in drawn(seeds).items():
        found.append(
            line(name, "ours", [(noticed(texts), at, len(texts)) for texts, at in streams])
        )
        shares = [(familiar(texts), at) for texts, at in streams]
        for drop in DROPS:
            alarms = [(windowed(some, drop), at, len(some)) for some, at in shares]
            found.append(line(name, f"window, {drop}", alarms))
    return found


def drawn(seeds: int) -> Mapping[str, list[tuple[list[str], int | None]]]:
    """Return streams of first situations, each with where the other kind begins."""
    incidents, puzzles = firsts("incidents", "remedy"), firsts("babyai", None)
    streams: dict[str, list[tuple[list[str], int | None]]] = {"worlds": [], "steady": []}
    for seed in range(seeds):
        rng = random.Random(seed)
        streams["worlds"].append(
            (rng.sample(incidents, BEFORE) + rng.sample(puzzles, AFTER), BEFORE)
        )
        streams["steady"].append((rng.sample(incidents, 3 * BEFORE), None))
    if not SITUATIONS.exists():
        print("the situations in natural language are not here, and left out")
        return streams
    by_domain: dict[str, list[str]] = {}
    for lesson in json.loads(SITUATIONS.read_text("utf-8")):
        by_domain.setdefault(lesson["domain"], []).extend((*lesson["applies"], *lesson["not"]))
    streams |= {"language": [], "mixed": []}
    for seed in range(seeds):
        rng = random.Random(seed)
        old, new, *others = rng.sample(sorted(by_domain), 4)
        first = rng.sample(by_domain[old], BEFORE)
        streams["language"].append((first + rng.sample(by_domain[new], AFTER), BEFORE))
        mixed = [text for domain in (old, new, others[0]) for text in by_domain[domain]]
        streams["mixed"].append((rng.sample(mixed, len(mixed)), None))
    return streams


def firsts(domain: str, family: str | None) -> list[str]:
    """Return first situations of a domain, as memory keeps them."""
    opened = open_domain(domain)
    environment = opened.make()
    texts = []
    for task in islice(opened.tasks("train", family=family), 400):
        seen = environment.reset(task, seed=0)
        texts.append(f"{seen.goal}\n{seen.text}")
    environment.close()
    return texts


def noticed(texts: Sequence[str]) -> list[int]:
    """Return in which places of a stream unfamiliar situations were noticed."""
    novelty = Novelty()
    for number, text in enumerate(texts):
        novelty.add(str(number), text)
    return [int(alarm.episode) for alarm in novelty.alarms]


def familiar(texts: Sequence[str]) -> list[float]:
    """Return of each situation the share of its words that those before had."""
    known: set[str] = set()
    shares = []
    for text in texts:
        words = set(content(text))
        shares.append(len(words & known) / max(1, len(words)))
        known |= words
    return shares


def windowed(values: Sequence[float], drop: float) -> list[int]:
    """Return where the mean of the last ten falls below that of the thirty before; it begins anew after each."""
    alarms, start = [], 0
    for place in range(len(values)):
        if place + 1 - start < RECENT + EARLIER:
            continue
        recent = values[place + 1 - RECENT : place + 1]
        earlier = values[place + 1 - RECENT - EARLIER : place + 1 - RECENT]
        if statistics.fmean(recent) < statistics.fmean(earlier) - drop:
            alarms.append(place)
            start = place + 1
    return alarms


def line(stream: str, method: str, found: Sequence[Stream]) -> dict[str, Any]:
    """Return how soon and how often, over streams."""
    changed = [(alarms, at) for alarms, at, _ in found if at is not None]
    first = [next((one for one in alarms if one >= at), None) for alarms, at in changed]
    delays = sorted(
        one - at + 1 for one, (_, at) in zip(first, changed, strict=True) if one is not None
    )
    false = sum(sum(at is None or alarm < at for alarm in alarms) for alarms, at, _ in found)
    without = sum(count if at is None else at for _, at, count in found)
    return {
        "stream": stream,
        "method": method,
        "found": f"{len(delays)} of {len(changed)}" if changed else "",
        "delay": statistics.median(delays) if delays else "",
        "late": delays[int(0.9 * (len(delays) - 1))] if delays else "",
        "false": round(1_000 * false / without, 1),
        "episodes without a change": without,
    }


if __name__ == "__main__":
    main()
