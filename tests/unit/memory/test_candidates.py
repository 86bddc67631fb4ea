"""The conditions that are most like a situation are those that one finds by looking at each lesson."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agentcl import Lesson, Memory
from agentcl.guidance.evidence.belief import LessonState
from agentcl.memory.lessons.candidates import Candidates, by_condition
from agentcl.retrieval import HashingEncoder
from agentcl.store import WriteScope

MOST = 16
DIM = HashingEncoder().dim
WHENS = [
    f"the {what} {how}"
    for what in ("pump", "queue", "valve", "order", "parcel", "lamp")
    for how in ("is slow", "leaks", "was lost", "is full", "is late", "makes a noise")
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path, encoder="hashing") as held:
        yield held


def anybody(one: LessonState) -> bool:
    return True


def of_ada(one: LessonState) -> bool:
    return one.guidance.scope.user in ("", "ada")


def looked_at(
    memory: Memory, seen: NDArray[np.float32], first: dict[str, list[str]], user: str | None
) -> dict[str, set[str]]:
    """Return what `nearest` should, by looking at each lesson."""
    state = memory.lessons.state()
    vectors = memory.store.journal.vectors([one.seq for one in state.lessons.values()])
    best: dict[str, float] = {}
    ids: dict[str, set[str]] = {}
    for one in state.lessons.values():
        if user is not None and one.guidance.scope.user not in ("", user):
            continue
        vector = np.frombuffer(vectors[one.seq], "<f4").astype(float)
        like = max(float(vector @ part) for part in seen) / float(np.linalg.norm(vector))
        when = one.guidance.when
        best[when] = max(best.get(when, -1.0), like)
        ids.setdefault(when, set()).add(one.guidance.id)
    nearest = [when for when in sorted(best, key=lambda when: -best[when]) if when not in first]
    return {when: ids[when] for when in [*first, *nearest][:MOST]}


@pytest.mark.parametrize("seed", range(2))
def test_they_are_the_same_as_by_looking_at_each_lesson(memory: Memory, seed: int) -> None:
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    held = Candidates()
    for count in (5, 40, 300):  # more come between two situations
        for at in range(count):
            whose = rng.choice((WriteScope(), WriteScope(user="ada"), WriteScope(user="bob")))
            memory.lessons.add(Lesson(rng.choice(WHENS), "do", f"step {count}.{at}"), **whose)
        state = memory.lessons.state()
        held.follow(state, memory.store.journal)
        seen = draw.normal(size=(rng.randint(1, 5), DIM)).astype(np.float32)
        some = rng.sample(sorted(state.lessons), 4)
        for is_offered, user in ((anybody, None), (of_ada, "ada")):
            first = by_condition(state, some, is_offered, most=2)
            found = held.nearest(seen, first, is_offered, most=MOST)
            assert {when: set(ids) for when, ids in found.items()} == looked_at(
                memory, seen, first, user
            )
            assert all(len(ids) == len(set(ids)) for ids in found.values())
            assert [*found][: len(first)] == [*first]


def test_what_changed_and_what_is_forgotten_is_followed(memory: Memory) -> None:
    held = Candidates()
    ids = [memory.lessons.add(Lesson(when, "do", "look")).id for when in WHENS]

    def found() -> set[str]:
        state = memory.lessons.state()
        held.follow(state, memory.store.journal)
        seen = np.ones((1, DIM), np.float32)
        return {
            id for some in held.nearest(seen, {}, anybody, most=len(WHENS)).values() for id in some
        }

    assert found() == set(ids)
    memory.forget(ids[3])
    assert found() == set(ids) - {ids[3]}
    new = memory.lessons.add(Lesson("the pump leaks", "do", "call")).id
    assert found() == {*ids, new} - {ids[3]}


def test_hundreds_of_lessons_on_one_condition_leave_room_for_others(memory: Memory) -> None:
    for at in range(200):
        memory.lessons.add(Lesson("the pump is slow", "do", f"turn screw {at}"))
    for when in WHENS:
        memory.lessons.add(Lesson(when, "do", "look"))
    state, held = memory.lessons.state(), Candidates()
    held.follow(state, memory.store.journal)
    id = next(iter(state.lessons))
    (vector,) = memory.store.journal.vectors([state.lessons[id].seq]).values()
    found = held.nearest(np.frombuffer(vector, "<f4")[None], {}, anybody, most=MOST)
    assert len(found) == MOST
    assert len(found["the pump is slow"]) == 201


def test_where_nothing_is_offered_nothing_is_found(memory: Memory) -> None:
    held = Candidates()
    seen = np.ones((1, DIM), np.float32)
    assert held.nearest(seen, {}, anybody, most=MOST) == {}
    memory.lessons.add(Lesson("the pump is slow", "do", "look"))
    held.follow(memory.lessons.state(), memory.store.journal)
    assert held.nearest(seen, {}, lambda _: False, most=MOST) == {}
