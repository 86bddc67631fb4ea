"""The reused-solutions stream: incidents whose parts come again, in two passes, then recombined.

After the abstract of arXiv 2606.02461: streams in which earlier sub-solutions can be used again, contrasted
with streams where they cannot (`unrelated_stream`). In one deployment of the domain of incidents:

- pass one: every `remedy` task (nine situations: what helps a kind of service with a sign), then, for
  each of three kinds of service, two of its `diagnose` tasks and its `needs` task, shuffled. What helps
  is known to both diagnoses; which diagnostic shows the sign only to the second, of which every part is
  known and the whole is new;
- pass two: the same tasks with other names;
- held out: the `diagnose` task that is left of each kind. It joins a known diagnostic with a known remedy in a
  way that never came, and is not learned from.

`agentcl.bench.metrics.plasticity` measures it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Final

from agentcl.envs.base import Split, Task
from agentcl.envs.domains.incidents.domain import FAMILIES, IncidentDomain, draw_incident
from agentcl.envs.streams.builders import fresh_seed, pools_of, two_passes
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import InvalidInput

LEARNABLE: Final = tuple(family for family in FAMILIES if family != "control")


def sub_solutions(task: Task) -> tuple[str, ...]:
    """Return what has to be known to solve an incident at once, by what it is asked for, never the answer.

    Such as "remedy: queue is slow", "diagnostic: queue", "before: queue is slow". Two tasks of one
    deployment share a sub-solution if they share its name; those of two deployments share none,
    whatever its name.

    Raises:
        InvalidInput: if the task is no incident, or of the control, in which nothing can be known.
    """
    if task.family == "control":
        raise InvalidInput(
            f"{task.id} has no sub-solution: its rules are drawn anew for every seed"
        )
    # The seed changes names and order, not what there is to know.
    incident = draw_incident(task, 0)
    situation = f"{incident.service} {incident.sign}"
    parts = [f"remedy: {situation}"]
    if incident.before is not None:
        parts.append(f"before: {situation}")
    if incident.diagnostic is not None:
        parts.append(f"diagnostic: {incident.service}")
    return tuple(f"{task.parameters.get('deployment', 0)}: {part}" for part in parts)


def reused_stream(
    *, deployment: int, split: Split = "train", seed: int = 0, domain: IncidentDomain | None = None
) -> TaskStream:
    """Return the stream of one deployment: phases "first" and "second" of 18 episodes, "held-out" of 3.

    Args:
        deployment: a number of the split's deployments.
        split: of the domain's tasks.
        seed: of which tasks are held out, the order, and the episodes' seeds.
        domain: whose tasks they are, such as one with another voice; default: without options.

    Raises:
        InvalidInput: if the split has no such deployment.
    """
    pools = pools_of(domain or IncidentDomain(), split, LEARNABLE, where={"deployment": deployment})
    rng = random.Random(f"reuse:{deployment}:{seed}")
    simple = rng.sample(pools["remedy"], len(pools["remedy"]))
    diagnoses = rng.sample(pools["diagnose"], len(pools["diagnose"]))
    one_of_service = {draw_incident(task, 0).service: task for task in diagnoses}
    left = [*one_of_service.values()]
    composed = [*pools["needs"], *(task for task in diagnoses if task not in left)]
    rng.shuffle(composed)
    taken: set[int] = set()
    one_pass = TaskStream(
        f"reused solutions {deployment}", _labelled([*simple, *composed], rng, taken), "reuse", seed
    )
    both = two_passes(one_pass)
    taken.update(item.seed for item in both)
    held_out = _labelled(left, rng, taken, phase="held-out")
    return TaskStream(both.name, (*both.items, *held_out), both.order, seed)


def unrelated_stream(*, split: Split = "train", seed: int = 0) -> TaskStream:
    """Return the contrast: one pass like that of `reused_stream`, each task of another deployment.

    Nothing that one task teaches is true in another, so a gain here is not reuse.

    Raises:
        InvalidInput: if there is no such split.
    """
    rng = random.Random(f"unrelated:{split}:{seed}")
    every = pools_of(IncidentDomain(), split, LEARNABLE)
    deployments = sorted({task.parameters["deployment"] for task in every["remedy"]}, key=str)
    kinds = ["remedy"] * 9 + rng.sample(["diagnose", "diagnose", "needs"] * 3, 9)
    tasks = [
        rng.choice([t for t in every[kind] if t.parameters["deployment"] == deployment])
        for kind, deployment in zip(kinds, rng.sample(deployments, len(kinds)), strict=True)
    ]
    return TaskStream(
        "unrelated solutions", _labelled(tasks, rng, set(), phase="first"), "unrelated", seed
    )


def unmet(items: Iterable[StreamItem]) -> Iterator[tuple[StreamItem, frozenset[str]]]:
    """Yield each item with those of its sub-solutions that no item to learn from needed before it."""
    met: set[str] = set()
    for item in items:
        yield item, frozenset(item.sub_solutions) - met
        if item.is_learned_from:
            met.update(item.sub_solutions)


def _labelled(
    tasks: Iterable[Task], rng: random.Random, taken: set[int], *, phase: str = "train"
) -> tuple[StreamItem, ...]:
    return tuple(
        StreamItem(task, fresh_seed(rng, taken), phase, sub_solutions(task)) for task in tasks
    )
