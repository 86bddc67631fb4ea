"""The selector: it finds the adapter that a prompt is for, and what is taken out of it was never there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, NotFound
from agentcl.consolidation import BARE, AdapterSelector, ExactRidge, TrainingRow
from agentcl.consolidation.rows.rehearsing import general_prompts
from agentcl.retrieval import HashingEncoder

PEOPLE = ("Orla", "Ilka", "Tomas", "Nuria", "Bram", "Sefa")
ASKED = ("What is {}'s office?", "Tell me {}'s office.", "Please look up {}'s office.")


def samples(count: int, seed: int, *, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).clip(-8, 8)


def offices() -> list[TrainingRow]:
    return [
        TrainingRow((name,), "recall", "train", form.format(name), "room 1")
        for name in PEOPLE
        for form in ASKED
    ]


def advice() -> list[TrainingRow]:
    return [
        TrainingRow((what,), "recall", "train", form.format(what), "wait")
        for what in ("the printer jams", "an invoice is wrong", "a parcel is late")
        for form in ("What do you know for when {}?", "Remind me what holds when {}.")
    ]


def general() -> list[TrainingRow]:
    return [TrainingRow((), "general", "train", one, "So.") for one in general_prompts(60)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99), st.floats(0.01, 10))
def test_what_was_taken_out_was_never_seen(kept: int, gone: int, seed: int, ridge: float) -> None:
    stay, leave, more = samples(kept, seed), samples(gone, seed + 1), samples(3, seed + 2)
    used, never = ExactRidge(5, ridge=ridge), ExactRidge(5, ridge=ridge)
    used.add(leave, "a")
    used.add(stay, "a")
    used.add(leave, "gone")
    used.add(more, "b")
    used.remove(leave[::-1], "a")
    used.remove(leave, "gone")
    never.add(more, "b")
    never.add(stay, "a")
    assert used.labels == never.labels == ["a", "b"]
    assert np.array_equal(used.weights(), never.weights())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 99))
def test_its_weights_are_those_of_a_ridge_that_is_fitted_at_once(count: int, seed: int) -> None:
    one, other = samples(count, seed), samples(count + 2, seed + 1)
    found = ExactRidge(5, ridge=0.5)
    found.add(one, "a")
    found.add(other, "b")
    rounded = np.rint(np.vstack([one, other]) * 65536) / 65536
    wanted = np.repeat(np.eye(2), [count, count + 2], axis=0)
    # the same as least squares with sqrt(r) I below the samples
    fitted, *_ = np.linalg.lstsq(
        np.vstack([rounded, np.sqrt(0.5) * np.eye(5)]), np.vstack([wanted, np.zeros((5, 2))])
    )
    assert np.abs(found.weights() - fitted).max() < 1e-8
    assert np.abs(found.scores(one) - rounded[:count] @ fitted).max() < 1e-7


def test_samples_that_cannot_be_are_refused() -> None:
    ridge = ExactRidge(5)
    for wrong in (samples(2, 0, width=4), np.full((1, 5), 9.0), np.full((1, 5), np.nan)):
        with pytest.raises(InvalidInput, match="feature"):
            ridge.add(wrong, "a")
    ridge.add(samples(2, 0), "a")
    with pytest.raises(InvalidInput, match="3 samples of 'a'"):
        ridge.remove(samples(3, 0), "a")
    with pytest.raises(InvalidInput, match="above 0"):
        ExactRidge(5, ridge=0.0)


def test_a_prompt_goes_to_the_adapter_that_learned_its_like_and_the_rest_to_the_bare_model() -> (
    None
):
    selector = AdapterSelector(HashingEncoder(), ridge=0.1)
    with pytest.raises(NotFound, match="learn"):
        selector.choose(["What is Orla's office?"])
    selector.learn("rooms", [*offices(), *general()])
    selector.learn("habits", advice())
    chosen = selector.choose(
        [
            "Do you know Bram's office?",
            "What do we know for when the printer jams?",
            "What do bees make?",
        ]
    )
    assert chosen == ["rooms", "habits", BARE]
    assert selector.choose([]) == []


def test_a_forgotten_record_and_a_dropped_adapter_leave_nothing_in_the_selector() -> None:
    selector, other = (AdapterSelector(HashingEncoder()) for _ in range(2))
    selector.learn("rooms", [*offices(), *general()])
    selector.learn("habits", advice())
    assert selector.forget("Bram") == 3
    assert selector.forget("Bram") == 0
    assert selector.drop("habits") == 6
    left = [row for row in offices() if row.records != ("Bram",)]
    other.learn("rooms", [*general(), *left])
    assert np.array_equal(selector.weights(), other.weights())
    assert selector.drop("rooms") == len(left) + 60
    with pytest.raises(NotFound):
        selector.choose(["What is Orla's office?"])


def test_held_out_rows_are_not_learned() -> None:
    selector = AdapterSelector(HashingEncoder())
    selector.learn("rooms", [TrainingRow(("x",), "recall", "held", "What?", "That.")])
    with pytest.raises(NotFound):
        selector.choose(["What?"])
