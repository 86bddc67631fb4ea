"""Practice: the next task is where most is to be learned, by the record alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import Agent, Memory
from agentcl.agents.practice import PracticeBudget, Practised
from agentcl.agents.progress import LearningProgress, Option
from agentcl.bench.scripted import GuidedResponder
from agentcl.envs.base import Split, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment
from agentcl.errors import EnvironmentFailed, InvalidInput
from agentcl.store.episodes import Episode
from agentcl.store.records import Scope

START = datetime(2026, 3, 1, tzinfo=UTC)
HERE = {"deployment": 3}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as opened:
        yield opened


def task(family: str, variation: int = 0) -> Task:
    return Task("desk", family, variation)


def options(**families: int) -> list[Option]:
    return [Option(task(family, n), "") for family, count in families.items() for n in range(count)]


def record(*played: tuple[str, int, float | None], day: int = 0) -> list[Episode]:
    return [
        Episode(
            id="", scope=Scope(), created_at=START + timedelta(days=day), task=task(family, variation).id,
            application="desk", family=family, score=score,
        )
        for family, variation, score in played
    ]  # fmt: skip


def chosen(progress: LearningProgress, some: Sequence[Option], times: int = 200) -> list[str]:
    return [progress.choose(some, random.Random(seed)).option.task.family for seed in range(times)]


def test_an_empty_record_tries_every_kind() -> None:
    assert set(chosen(LearningProgress(), options(a=3, b=3, c=3))) == {"a", "b", "c"}


def test_what_gets_better_is_practised_and_what_is_mastered_or_cannot_be_learned_is_not() -> None:
    played = [("mastered", n % 3, 1.0) for n in range(12)]
    played += [("hopeless", n % 3, 0.0) for n in range(12)]
    played += [("noise", n % 3, float(n // 3 % 2)) for n in range(24)]
    played += [("learned", n, score) for score in (0.0, 0.8) for n in range(3)]
    progress = LearningProgress.of(record(*played))
    families = chosen(progress, options(mastered=3, hopeless=3, noise=3, learned=6))
    assert families.count("learned") > 150
    assert families.count("mastered") == 0


def test_of_a_kind_the_untried_comes_before_what_was_tried_and_the_failed_before_the_mastered() -> (
    None
):
    base = record(("a", 0, 0.0), ("a", 0, 1.0), ("a", 1, 0.0), ("a", 1, 1.0), ("a", 2, 0.0))
    progress = LearningProgress.of(base)
    rng = random.Random(0)
    assert progress.choose(options(a=4), rng).option.task.variation == 3
    assert progress.choose(options(a=4), rng).why == "never tried"
    assert progress.choose(options(a=3), rng).option.task.variation == 2
    assert progress.choose(options(a=3), rng).why == "failed lately"
    assert progress.choose(options(a=2), rng).why == "nearly mastered"


def test_what_was_mastered_long_ago_is_practised_again() -> None:
    long_ago = record(("a", 0, 0.0), ("a", 0, 1.0), ("a", 0, 1.0), ("a", 0, 1.0))
    lately = record(("a", 1, 0.0), ("a", 1, 1.0), ("a", 1, 1.0), ("a", 1, 1.0), day=365)
    progress = LearningProgress.of([*long_ago, *lately])
    assert progress.choose(options(a=2), random.Random(0)).option.task.variation == 0


def test_a_task_that_breaks_its_environment_gives_way_to_others() -> None:
    progress = LearningProgress.of(record(("a", 0, None), ("a", 0, None)))
    assert progress.choose(options(a=2), random.Random(0)).option.task.variation == 1


@given(
    played=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.none() | st.floats(0, 1)),
        max_size=40,
    ),
    seed=st.integers(),
)
def test_any_record_gives_one_of_the_options_and_the_same_again(
    played: list[tuple[str, int, float | None]], seed: int
) -> None:
    some = options(a=4, b=4)
    first = LearningProgress.of(record(*played)).choose(some, random.Random(seed))
    assert first.option in some
    assert 0 <= first.gain <= 1
    assert LearningProgress.of(record(*played)).choose(some, random.Random(seed)) == first


def practised(memory: Memory, *budgets: int, **given: Any) -> list[tuple[str, int | None]]:
    told: list[Practised] = []
    agent = Agent(memory, GuidedResponder())
    for budget in budgets:
        agent.practise(
            IncidentDomain(), budget=budget, where=HERE, on_progress=told.append, **given
        )
    return [(one.task.id, one.episode.steps if one.episode else None) for one in told]


def test_a_second_call_goes_on_as_a_longer_one_would(tmp_path: Path) -> None:
    lives = []
    for name, budgets in (("a", (12,)), ("b", (5, 1, 6)), ("c", (12,))):
        with Memory(tmp_path / name, encoder="hashing", durability="normal") as memory:
            lives.append(practised(memory, *budgets, seed=7 if name == "c" else 0))
    assert lives[0] == lives[1] != lives[2]


def test_the_result_says_what_was_practised_and_what_became_of_it(memory: Memory) -> None:
    agent = Agent(memory, GuidedResponder())
    found = agent.practise(IncidentDomain(), budget=40, where=HERE, families=["remedy", "needs"])
    assert (found.end, found.episodes, found.tokens, found.broken) == ("episodes", 40, 0, 0)
    assert sum(kind.episodes for kind in found.kinds) == 40
    assert {kind.after.family for kind in found.kinds if kind.after} == {"remedy", "needs"}
    assert all(kind.before is None for kind in found.kinds)
    assert all(kind.after and kind.after.mastery > 0.8 for kind in found.kinds)
    assert {one.world for one in memory.episodes.list()} == {"deployment 3"}
    again = agent.practise(IncidentDomain(), budget=1, where=HERE, families=["remedy"])
    (kind,) = again.kinds
    assert kind.before is not None
    assert kind.after is not None
    assert kind.after.attempts == kind.before.attempts + 1


def test_it_stops_when_it_is_told_to_and_keeps_what_was_learned(memory: Memory) -> None:
    told: list[Practised] = []
    agent = Agent(memory, GuidedResponder())
    found = agent.practise(
        IncidentDomain(), budget=50, where=HERE, on_progress=told.append, should_stop=lambda: len(told) == 3
    )  # fmt: skip
    assert (found.end, found.episodes) == ("stopped", 3)
    assert len(list(memory.episodes.list())) == 3
    assert memory.lessons.list()


def test_an_interrupt_in_mid_episode_leaves_the_record_whole(memory: Memory) -> None:
    class Impatient(GuidedResponder):
        acts = 0

        def act(self, situation: Any) -> Any:
            self.acts += 1
            if self.acts == 6:
                raise KeyboardInterrupt
            return super().act(situation)

    agent = Agent(memory, Impatient())
    with pytest.raises(KeyboardInterrupt):
        agent.practise(IncidentDomain(), budget=50, where=HERE)
    ends = [one.status for one in memory.episodes.list()]
    assert ends[-1] == "interrupted"
    assert set(ends[:-1]) == {"finished"}
    assert agent.practise(IncidentDomain(), budget=2, where=HERE).episodes == 2


def test_a_budget_of_tokens_begins_no_episode_beyond_it(memory: Memory) -> None:
    from agentcl.agents.student import ModelAct
    from agentcl.store.usage import Usage

    class Costly(GuidedResponder):
        def act(self, situation: Any) -> Any:
            return ModelAct(super().act(situation).action, "", Usage(1, 90, 10, 0.1))

    agent = Agent(memory, Costly())
    found = agent.practise(
        IncidentDomain(), budget=PracticeBudget(episodes=100, tokens=1000), where=HERE
    )
    assert found.end == "tokens"
    assert 1000 <= found.tokens < 2000
    assert found.tokens == sum(one.tokens for one in memory.episodes.list())


class _Breaking(IncidentDomain):
    """Breaks whenever the number of episodes is in `at`."""

    def __init__(self, at: Sequence[int]) -> None:
        super().__init__()
        self.at, self.begun = at, 0

    def make(self) -> IncidentEnvironment:
        domain = self

        class Environment(IncidentEnvironment):
            def step(self, action: str) -> Any:
                domain.begun += not self._steps_taken
                self._steps_taken += 1
                if domain.begun in domain.at:
                    raise EnvironmentFailed("the engine has a fault")
                return super().step(action)

            def reset(self, task: Task, *, seed: int) -> Any:
                self._steps_taken = 0
                return super().reset(task, seed=seed)

        return Environment()


def test_an_environment_that_breaks_once_is_passed_over_and_one_that_stays_broken_is_not(
    memory: Memory,
) -> None:
    agent = Agent(memory, GuidedResponder())
    found = agent.practise(_Breaking([2, 4]), budget=6, where=HERE)
    assert (found.episodes, found.broken) == (6, 2)
    with pytest.raises(EnvironmentFailed, match="fault"):
        agent.practise(_Breaking(range(100)), budget=6, where=HERE)


class _Empty(IncidentDomain):
    families: Sequence[str] = ()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        return iter(())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"budget": 0}, "at least 1"),
        ({"budget": -1}, "at least 1"),
        ({"budget": None}, "budget"),
        ({"budget": True}, "budget"),
        ({"budget": 5, "families": ["remdy"]}, "no family 'remdy'"),
        ({"budget": 5, "where": {"deployment": 1000}}, "no task of family"),
        ({"budget": 5, "split": "exam"}, "no split"),
        ({"budget": 5, "seed": "x"}, "seed"),
    ],
)
def test_what_cannot_be_practised_is_refused(
    memory: Memory, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        Agent(memory, GuidedResponder()).practise(IncidentDomain(), **given)
    assert list(memory.episodes.list()) == []


def test_a_world_without_tasks_and_a_budget_without_a_limit_are_refused(memory: Memory) -> None:
    agent = Agent(memory, GuidedResponder())
    with pytest.raises(InvalidInput, match="nothing to practise"):
        agent.practise(_Empty(), budget=5)
    with pytest.raises(InvalidInput, match="incidents"):
        agent.practise("incidents", budget=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="never ends"):
        PracticeBudget()
    with pytest.raises(InvalidInput, match="tokens"):
        PracticeBudget(tokens=0)


def test_a_user_practises_by_their_own_record(memory: Memory) -> None:
    Agent(memory, GuidedResponder(), user="ada").practise(IncidentDomain(), budget=3, where=HERE)
    assert memory.episodes.skills() == []
    assert sum(one.attempts for one in memory.episodes.skills(user="ada")) == 3
    found = Agent(memory, GuidedResponder(), user="bob").practise(
        IncidentDomain(), budget=3, where=HERE
    )
    assert all(kind.before is None for kind in found.kinds)


def test_what_was_rolled_back_shows_no_mastery(memory: Memory) -> None:
    Agent(memory, GuidedResponder()).practise(IncidentDomain(), budget=3, where=HERE)
    memory.lessons.rollback(START - timedelta(days=1))
    assert memory.episodes.skills() == []
