"""Whether situations are unlike those that came before."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.guidance.progress.novelty import Alarm, Novelty

SHOP = [
    "refund",
    "parcel",
    "customer",
    "invoice",
    "courier",
    "voucher",
    "label",
    "return",
    "basket",
    "price",
    "size",
    "colour",
]
ROBOT = [
    "gripper",
    "joint",
    "torque",
    "arm",
    "sensor",
    "camera",
    "bolt",
    "motor",
    "lid",
    "grease",
    "wheel",
    "battery",
]


def situation(words: list[str], rng: random.Random) -> str:
    """A sentence of four words of a kind, and a name that no other has."""
    return f"{' '.join(rng.sample(words, 4))} {rng.randrange(10**9)}"


def alarms(*kinds: tuple[list[str], int], seed: int = 0) -> list[Alarm]:
    """Return what is noticed in a stream of so many situations of each kind; their keys are their numbers."""
    rng, novelty, number = random.Random(seed), Novelty(), 0
    for words, count in kinds:
        for _ in range(count):
            novelty.add(str(number), situation(words, rng))
            number += 1
    return novelty.alarms


def test_a_new_kind_of_situation_is_noticed_with_where_it_began() -> None:
    found = [alarms((SHOP, 80), (ROBOT, 20), seed=seed) for seed in range(20)]
    for noticed in found:
        (alarm,) = (one for one in noticed if int(one.episode) >= 80)
        assert int(alarm.episode) <= 90
        assert abs(int(alarm.since) - 80) <= 3
        assert alarm.familiar < alarm.usual


def test_what_goes_on_is_noticed_once_and_grows_surer() -> None:
    short = alarms((SHOP, 80), (ROBOT, 6), seed=3)
    long = alarms((SHOP, 80), (ROBOT, 60), seed=3)
    assert [one.episode for one in short] == [one.episode for one in long]
    assert long[-1].once_in > short[-1].once_in


def test_a_kind_that_comes_back_is_known() -> None:
    found = alarms((SHOP, 80), (ROBOT, 60), (SHOP, 60), seed=1)
    assert [int(one.episode) < 140 for one in found] == [True]


def test_false_alarms_among_situations_of_one_kind_are_rarer_than_one_in_200() -> None:
    """And not never: what never rings is not tested by this."""
    found = sum(len(alarms((SHOP, 1_000), seed=seed)) for seed in range(10))
    assert 0 < found <= 50


def test_two_kinds_in_turn_are_no_change() -> None:
    rng, novelty = random.Random(0), Novelty()
    for number in range(300):
        novelty.add(str(number), situation(SHOP if number % 2 else ROBOT, rng))
    assert novelty.alarms == []


def test_equal_and_empty_situations_raise_no_alarm() -> None:
    for text in ("", "The queue is slow."):
        novelty = Novelty()
        for number in range(200):
            novelty.add(str(number), text)
        assert novelty.alarms == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=45, max_size=70))
def test_any_texts_are_taken_and_the_same_texts_tell_the_same(texts: list[str]) -> None:
    one, other = Novelty(), Novelty()
    for number, text in enumerate(texts):
        one.add(str(number), text)
        other.add(str(number), text)
    assert one.alarms == other.alarms
