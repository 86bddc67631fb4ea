"""The scripted clerk: it understands what it never heard, follows the rules, and learns them by outcomes."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentcl import Agent, Memory, OutcomeTeacher
from agentcl.agents import Distiller
from agentcl.bench.scripted import GuidedClerk
from agentcl.envs import pools_of, random_stream
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.desk.clerk import Clerk
from agentcl.envs.domains.desk.domain import DeskDomain
from agentcl.envs.domains.desk.phrasings import phrasings
from agentcl.envs.domains.desk.policy import STAGES, WISHES
from agentcl.envs.domains.desk.reading import facts_in, wish_in
from agentcl.envs.policies import play
from agentcl.lessons import read_sentence
from agentcl.testing import ActorContract

DOMAIN = DeskDomain()


class TestClerk(ActorContract):
    def open(self) -> Actor:
        return Clerk()

    def environment(self) -> Environment:
        return DOMAIN.make()

    def task(self) -> Task:
        return next(DOMAIN.tasks("test", family="broken"))

    def guidance(self) -> tuple[str, ...]:
        return tuple(DOMAIN.lessons(self.task(), seed=0))


class Told:
    """The clerk, told the policy."""

    name = "told"

    def __init__(self) -> None:
        self._clerk = Clerk()

    def act(self, situation: Situation) -> Act | None:
        rules = DOMAIN.lessons(situation.known_task, seed=situation.seed)
        return self._clerk.act(replace(situation, guidance=tuple(rules)))


@pytest.mark.parametrize("family", WISHES)
def test_told_the_policy_in_plain_sentences_it_settles_every_ticket(family: str) -> None:
    every = [*DOMAIN.tasks("test", family=family)]
    scores = [play(DOMAIN.make(), Told(), task, seed=n).score for n, task in enumerate(every)]
    assert {score.value for score in scores if score} == {1.0}


def test_told_nothing_it_settles_few_at_once() -> None:
    for family in DOMAIN.families:
        every = [*DOMAIN.tasks("test", family=family)][::3]
        scores = [play(DOMAIN.make(), Clerk(), task, seed=n).score for n, task in enumerate(every)]
        assert statistics.fmean(score.value == 1 for score in scores if score) < 0.3


@pytest.mark.parametrize("family", WISHES)
def test_a_policy_is_told_in_sentences_that_are_lessons(family: str) -> None:
    for task in DOMAIN.tasks("dev", family=family):
        lessons = DOMAIN.lessons(task, seed=0)
        read = [read_sentence(lesson) for lesson in lessons]
        assert [one.sentence() for one in read if one] == list(lessons)
        assert all(len(lesson.split()) < 30 for lesson in lessons)


def test_it_understands_most_phrasings_that_it_never_heard() -> None:
    states = {"return": "was delivered last week", "broken": "was delivered last week", "late": "was handed to the carrier",
              "cancel": STAGES[0], "address": STAGES[0]}  # fmt: skip
    right = [
        wish_in(text.format(item="vase", order="K417", address="5 Mill Lane, Leeds"), states[wish])
        == wish
        for wish in WISHES
        for text in phrasings(wish, held_out=True)
    ]
    assert statistics.fmean(right) > 0.8


def test_facts_are_read_from_records_and_from_lessons() -> None:
    record = "The order K417 is glassware and cost 45 euros. It is a teapot for Ada Brandt."
    assert facts_in(record) == {"goods": {"glassware"}, "price": {"45"}}
    assert facts_in("an order cost less than 30 euros")["price"] == {"15", "24"}
    assert facts_in("an order cost at least 100 euros")["price"] == {"130", "140", "210"}
    assert facts_in("delivered this week or last week")["period"] == {"this week", "last week"}
    assert facts_in("my teapot") == {}


def solved(
    folder: Path, family: str, teacher: Distiller | None, student: GuidedClerk
) -> Sequence[bool]:
    """Return which tickets of a life were solved: 48 in usual phrasings, then 24 in held-out ones."""
    found = []
    with Memory(folder, encoder="hashing") as memory:
        agent = Agent(memory, student, teacher=teacher)
        for phrasing, episodes in (("usual", 48), ("held-out", 24)):
            pools = pools_of(DOMAIN, "test", [family], where={"shop": 80, "phrasing": phrasing})
            for item in random_stream(phrasing, pools, episodes=episodes, seed=0):
                played = agent.play(DOMAIN.make(), item.task, seed=item.seed, world="shop 80")
                found.append(played.score == 1.0)
    return found


@pytest.mark.parametrize("family", ["return", "address"])
def test_by_outcomes_it_learns_the_policy_and_not_the_phrases(family: str, tmp_path: Path) -> None:
    clerk = GuidedClerk()
    alone = solved(tmp_path / "alone", family, None, GuidedClerk())
    taught = solved(tmp_path / "taught", family, clerk, clerk)
    assert statistics.fmean(alone[-24:]) < 0.4
    assert statistics.fmean(taught[-24:]) > 0.7


@pytest.mark.parametrize("family", ["late", "broken"])
def test_outcome_teacher_draws_lessons_that_help_on_phrases_not_heard_before(
    family: str, tmp_path: Path
) -> None:
    alone = solved(tmp_path / "alone", family, None, GuidedClerk())
    taught = solved(tmp_path / "taught", family, OutcomeTeacher(), GuidedClerk())
    assert sum(taught[-24:]) > 2 * sum(alone[-24:])


def test_where_every_ticket_has_a_policy_of_its_own_nothing_is_gained(tmp_path: Path) -> None:
    clerk = GuidedClerk()
    taught = solved(tmp_path / "taught", "control", clerk, clerk)
    assert statistics.fmean(taught) < 0.35
