"""Made-up worlds: seeded, held-out parts apart, every fact told."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.envs.names import Names
from agentcl.envs.relations import (
    RELATIONS,
    questions,
    reversed_questions,
    statements,
    two_hop_questions,
)
from training.worlds import make_world


def test_held_out_names_never_meet_the_others() -> None:
    seen, held_out = (
        {names.fresh() for _ in range(1000)}
        for names in (Names(random.Random(1)), Names(random.Random(1), held_out=True))
    )
    assert len(seen) == len(held_out) == 1000
    assert not seen & held_out


def test_names_are_one_capitalised_word() -> None:
    names = Names(random.Random(2))
    for _ in range(500):
        name = names.fresh()
        assert name == name.capitalize()
        assert set(name.lower()) <= set(string.ascii_lowercase)


def test_a_source_without_fresh_names_says_so() -> None:
    names = Names(random.Random(3))
    names._rng = ConstantChance(0)
    names.fresh()
    with pytest.raises(InvalidInput, match="begin a new one"):
        names.fresh()


class ConstantChance(random.Random):
    def random(self) -> float:
        return 0.5


@pytest.mark.parametrize("forms", [statements, questions, reversed_questions, two_hop_questions])
def test_every_relation_has_forms_for_training_and_others_held_out(forms) -> None:  # type: ignore[no-untyped-def]
    words: dict[bool, set[str]] = {True: set(), False: set()}
    for relation in RELATIONS:
        mine, held = forms(relation, held_out=False), forms(relation, held_out=True)
        assert mine
        assert held
        assert not set(mine) & set(held)
        for is_held, chosen in ((True, held), (False, mine)):
            words[is_held] |= {word for form in chosen for word in form.split()}
    # What is new is how a relation is phrased; no word of a phrasing is.
    assert words[True] <= words[False]


@given(
    st.integers(),
    st.lists(
        st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple), min_size=1, max_size=5
    ),
    st.booleans(),
)
def test_a_passage_tells_each_of_its_facts(
    seed: int, passages: list[tuple[int, ...]], held_out: bool
) -> None:
    rng = random.Random(seed)
    world = make_world(rng, Names(rng, held_out=held_out), passages=passages, held_out=held_out)
    assert len(world.passages) == len(passages)
    for passage in world.passages:
        sentences = [s for s in passage.text.split(". ") if " is a " not in s]
        assert len(sentences) == len(passage.facts)
        for sentence, fact in zip(sentences, passage.facts, strict=True):
            assert fact.value in sentence or fact.value.capitalize() in sentence
            assert fact.subject in sentence or sentence.startswith("Its ")
            assert fact.subject in world.kinds


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (
        make_world(rng, Names(rng), passages=[(3, 2), (4,)])
        for rng in (random.Random(5), random.Random(5))
    )
    assert first == second
