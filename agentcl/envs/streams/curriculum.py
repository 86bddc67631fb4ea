"""Curricula: the same episodes of a stream by difficulty, by likeness, or at random.

An ordered stream carries its order's name. Difficulty needs an oracle and likeness what is first seen, so
both tell of a stream something that an agent without them does not know: compare orders with orders.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from agentcl.envs.base import Environment, Oracle
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import InvalidInput

Similarity = Callable[[StreamItem, StreamItem], float]
_TOKEN: Final = re.compile(r"\w+")


def difficulty(steps: int | None) -> float:
    """Return e^S, S the steps of a solution (LeanAgent, arXiv 2410.06209); infinite without a solution.

    Raises:
        InvalidInput: for a negative number of steps.
    """
    if steps is None:
        return math.inf
    if steps < 0:
        raise InvalidInput(f"a solution of {steps} steps; give None where there is none")
    try:
        return math.exp(steps)
    except OverflowError:
        return math.inf


def oracle_steps(oracle: Oracle) -> Callable[[StreamItem], int | None]:
    """Return what counts an item's steps by an oracle; None where it has no actions.

    No actions means unknown and not easy: an oracle that looks in the wrong place finds nothing.
    """

    def steps(item: StreamItem) -> int | None:
        return len(oracle.actions(item.task, seed=item.seed)) or None

    return steps


def difficulty_cuts(steps: Sequence[int | None]) -> tuple[int, int] | None:
    """Return the most steps of an easy task and of a medium one: terciles, by nearest rank.

    Over the tasks that have a solution. LeanAgent's code takes its percentiles over all, infinite ones
    included, so that many unsolved tasks push the cuts up until no task is hard; and it interpolates
    between values of e^S, where the nearest rank is the same for S and e^S. None without a solved task.
    """
    solved = sorted(count for count in steps if count is not None)
    if not solved:
        return None
    easy, medium = (solved[-(-len(solved) * third // 3) - 1] for third in (1, 2))
    return easy, medium


def by_difficulty(stream: TaskStream, steps: Callable[[StreamItem], int | None]) -> TaskStream:
    """Return the stream from easy to hard, in phases "easy", "medium", "hard" and "unsolved".

    Equally difficult items stay in their order. With few different numbers of steps a phase may be
    empty, since equal items are never parted.

    Args:
        stream: all of one phase, and learned from.
        steps: of an item's solution, None without one (`oracle_steps`).

    Raises:
        InvalidInput: if the stream has several phases, or items to test on.
    """
    _check_free(stream)
    counted = [(steps(item), item) for item in stream]
    cuts = difficulty_cuts([count for count, _ in counted])
    # By S and not e^S, which is the same order and never overflows.
    counted.sort(key=lambda pair: math.inf if pair[0] is None else pair[0])
    items = tuple(replace(item, phase=_phase(count, cuts)) for count, item in counted)
    return replace(stream, items=items, order="difficulty")


def by_similarity(stream: TaskStream, similarity: Similarity, *, name: str) -> TaskStream:
    """Return the stream as a greedy walk: after each item the one most like it that is left.

    It begins with the first item; of equals the earlier comes first. A walk of n items compares
    n (n-1) / 2 pairs, and its last steps are long ones: only what nobody was like is left by then.

    Args:
        stream: all of one phase, and learned from.
        similarity: of two items; greater is more alike (`token_similarity`).
        name: of the similarity, for the order's name.

    Raises:
        InvalidInput: if the stream has several phases, or items to test on.
    """
    _check_free(stream)
    left = list(stream.items)
    walk = left[:1]
    del left[:1]
    while left:
        likeness = [similarity(walk[-1], item) for item in left]
        walk.append(left.pop(likeness.index(max(likeness))))
    return replace(stream, items=tuple(walk), order=f"similarity by {name}")


def at_random(stream: TaskStream, *, seed: int) -> TaskStream:
    """Return the stream shuffled. Raises InvalidInput if it has several phases, or items to test on."""
    _check_free(stream)
    items = list(stream.items)
    random.Random(f"curriculum:{stream.name}:{seed}").shuffle(items)
    return replace(stream, items=tuple(items), order=f"random, seed {seed}")


def first_text(environment: Environment) -> Callable[[StreamItem], str]:
    """Return what tells an item's goal and first observation, as an agent sees them."""

    def text(item: StreamItem) -> str:
        seen = environment.reset(item.task, seed=item.seed)
        return f"{seen.goal}\n{seen.text}"

    return text


def token_similarity(text: Callable[[StreamItem], str]) -> Similarity:
    """Return |A & B| / |A | B| of the sets of lower-case words of two items' texts (Jaccard); 0 for none."""
    known: dict[StreamItem, frozenset[str]] = {}

    def tokens(item: StreamItem) -> frozenset[str]:
        if item not in known:
            known[item] = frozenset(_TOKEN.findall(text(item).lower()))
        return known[item]

    def similarity(one: StreamItem, other: StreamItem) -> float:
        either = tokens(one) | tokens(other)
        return len(tokens(one) & tokens(other)) / len(either) if either else 0.0

    return similarity


def _check_free(stream: TaskStream) -> None:
    if stream.changes() or not all(item.is_learned_from for item in stream):
        raise InvalidInput(
            f"{stream.name!r} has phases or items to test on, which another order would mix; order it "
            "before it is given phases"
        )


def _phase(steps: int | None, cuts: tuple[int, int] | None) -> str:
    if steps is None or cuts is None:
        return "unsolved"
    easy, medium = cuts
    if steps <= easy:
        return "easy"
    return "medium" if steps <= medium else "hard"
