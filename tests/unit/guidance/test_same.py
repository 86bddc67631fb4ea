"""When lessons say the same, and which of them speak of a situation."""

from __future__ import annotations

import pytest

from agentcl.guidance.meaning.relevance import Situations, words_of
from agentcl.guidance.meaning.same import key_of, names, oppose
from agentcl.lessons import Lesson


def do(when: str, what: str) -> Lesson:
    return Lesson(when, "do", what)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (do("a queue is slow", "drain it"), do("A queue is slow ", "Drain it.")),
        (do("a queue is slow", "drain it"), do("queues are slow", "drain them")),
        (do("the cache is full", "flush the cache"), do("a cache is full", "flush a cache")),
    ],
)
def test_the_same_in_other_words_is_one_lesson(one: Lesson, other: Lesson) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (do("a queue is slow", "drain it"), do("a cache is slow", "drain it")),
        (do("a queue is slow", "drain it"), do("a queue is slow", "flush it")),
        (do("a queue is slow", "drain it"), do("a queue is not slow", "drain it")),
        (do("a queue is slow", "drain it"), Lesson("a queue is slow", "useless", "drain it")),
        (do("you sort", "move red to blue"), do("you sort", "move blue to red")),
    ],
)
def test_another_thing_is_another_lesson(one: Lesson, other: Lesson) -> None:
    assert key_of(one) != key_of(other)


def test_what_helps_and_what_does_not_help_oppose_each_other() -> None:
    helps = do("a queue is slow", "drain it")
    assert oppose(helps, Lesson("queues are slow", "useless", "drain them"))
    assert oppose(Lesson("a queue is slow", "avoid", "drain it"), helps)
    assert not oppose(helps, do("a queue is slow", "flush it"))
    assert not oppose(helps, Lesson("a queue is full", "avoid", "drain it"))
    assert not oppose(
        Lesson("a queue is slow", "useless", "drain it"),
        Lesson("a queue is slow", "avoid", "drain it"),
    )


def test_a_lesson_speaks_of_a_situation_that_has_its_words() -> None:
    situations = Situations()
    situations.add("slow", "a queue is slow")
    situations.add("full", "a queue is full")
    situations.add("cache", "a cache is slow")
    situations.add("need", "you drain a queue")
    assert set(situations.covering(words_of("The queue Tavon is slow."))) == {"slow"}
    assert set(situations.covering(words_of("The queue Tavon is slow.\ndrain Tavon"))) == {
        "slow",
        "need",
    }
    assert not situations.covering(words_of("The vault Tavon is locked."))


def test_most_of_a_long_situation_is_enough() -> None:
    situations = Situations()
    situations.add("long", "customer wants refund for damaged order")
    assert situations.covering(words_of("The customer wants a refund: the order arrived damaged."))
    assert not situations.covering(words_of("The customer wants a refund."))


def test_a_lesson_without_words_of_its_own_always_applies() -> None:
    situations = Situations()
    situations.add("always", "it is so")
    situations.add("never", "a queue is slow")
    assert set(situations.covering(words_of("anything"))) == {"always"}
    situations.remove("always")
    assert not situations.covering(words_of("anything"))


def test_the_newest_when_of_a_lesson_counts() -> None:
    situations = Situations()
    situations.add("it", "a queue is slow")
    situations.add("it", "a queue is full")
    assert not situations.covering(words_of("The queue is slow."))
    assert situations.covering(words_of("The queue is full.")) == {"it": 1.0}
    situations.remove("it")
    situations.remove("it")
    assert not situations.covering(words_of("The queue is full."))


@pytest.mark.parametrize(
    ("what", "action", "is_named"),
    [
        ("drain it", "drain Tavon", True),
        ("rebuild the index of the ledger", "rebuild the index of kegul6", True),
        ("take the proxy out of rotation", "take Orvo out of rotation", True),
        ("restart the cache", "restart the queue", False),  # another kind of thing
        ("restart the cache", "drain Orvo", False),
        ("read the logs of the queue", "read the metrics of Orvo", False),
        ("restart the cache", "restart", False),  # of nothing
        ("restart the cache", "Restart now", False),
    ],
)  # fmt: skip
def test_a_kind_stands_for_a_thing_with_a_name_of_its_own(
    what: str, action: str, is_named: bool
) -> None:
    assert names(what, action) is is_named
