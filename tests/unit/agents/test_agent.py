"""The agent's loop: recall, act, observe, remember, learn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.agents.agent import Agent, Budget
from agentcl.agents.student import ModelAct, Plan
from agentcl.agents.supervisor import Supervisor
from agentcl.agents.teacher import Correction, Distilled, Review
from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import Act, Situation
from agentcl.envs.base import Determinism, Observation, Outcome, Score, Task
from agentcl.envs.domains.incidents.domain import IncidentEnvironment, IncidentOracle
from agentcl.errors import EnvironmentFailed, InvalidInput, ModelUnavailable, NoAnswer
from agentcl.lessons import Lesson, read_sentence
from agentcl.models import Usage
from tests.integration.test_adapters import train

TASK = Task("incidents", "remedy", 0, max_steps=8)


class Follower:
    """Does what guidance says of the situation, else the first action that it has not tried."""

    def act(self, situation: Situation) -> ModelAct:
        told = [found for line in situation.guidance if (found := read_sentence(line))]
        tried = {action for action, _ in situation.history}
        left = [action for action in sorted(situation.actions or ()) if action not in tried]
        advised = [
            action
            for lesson in told
            if lesson.claim == "do"
            for action in left
            if action.split()[0] == lesson.what.split()[0]
        ]
        planned = [action for action in left if action == situation.plan]
        return ModelAct((planned + advised + left)[0], "because", Usage(1, 100, 10, 0.1))

    def plan(self, situation: Situation) -> Plan:
        return Plan("whatever", Usage(1, 50, 5, 0.1))


class Scholar:
    """Distils what cleared the alert; knows the way in the lanes that ask for it."""

    def __init__(self, task: Task = TASK, seed: int = 0) -> None:
        self.distilled = 0
        self._right = IncidentOracle().actions(task, seed=seed)[-1]

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        self.distilled += 1
        _, service, _, *sign = transcript.first.rstrip(".").split()
        action, seen = transcript.steps[-1]
        cleared = Lesson(f"a {service} {' '.join(sign)}", "do", f"{action.split()[0]} it")
        lessons = (cleared,) if "cleared" in seen else ()
        return Distilled(lessons, Usage(1, 200, 20, 0.1))

    def review(self, situation: Situation, plan: str) -> Review:
        return Review(self._right, True, Usage(1, 60, 6, 0.1))

    def correct(self, situation: Situation, action: str) -> Correction:
        return Correction(self._right, "I know", Usage(1, 70, 7, 0.1))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as opened:
        yield opened


def only(lane: Any) -> Supervisor:
    return Supervisor(lanes=(lane,))


def test_it_gets_better_at_a_task_that_it_plays_again(memory: Memory) -> None:
    agent = Agent(memory, Follower(), teacher=Scholar())
    environment = IncidentEnvironment()
    scores = [agent.play(environment, TASK, seed=seed).score or 0.0 for seed in range(12)]
    untaught = Agent(memory, Follower(), teacher=None)
    frozen = [
        untaught.play(environment, TASK, seed=seed, is_frozen=True).score for seed in range(20, 26)
    ]
    assert frozen == [1.0] * 6
    assert min(scores[:2]) < 1.0


def test_the_same_seeds_give_the_same_episodes(tmp_path: Path) -> None:
    def run(folder: str) -> list[tuple[object, ...]]:
        clock = itertools.count(1_000_000)
        with Memory(
            tmp_path / folder, encoder="hashing", durability="normal", clock=lambda: next(clock)
        ) as memory:
            agent = Agent(memory, Follower(), teacher=Scholar())
            played = [agent.play(IncidentEnvironment(), TASK, seed=seed) for seed in range(8)]
            return [
                (one.score, one.steps, [(e.probability, e.is_shown) for e in one.exposures])
                for one in played
            ]

    assert run("a") == run("b")


def test_tokens_of_every_role_are_in_the_episode(memory: Memory) -> None:
    agent = Agent(memory, Follower(), teacher=Scholar(), name="follower", fingerprint="f")
    played = agent.play(IncidentEnvironment(), TASK, seed=0)
    assert played.usage["act"].stored()[:3] == (played.steps, 100 * played.steps, 10 * played.steps)
    assert played.usage["learn"] == Usage(1, 200, 20, 0.1)
    assert (played.agent_model, played.fingerprint, played.lane) == ("follower", "f", "alone")
    assert played == memory.get(played.id)


@pytest.mark.parametrize(
    ("lane", "roles", "by"),
    [
        ("reviewed", {"act", "plan", "coach", "learn"}, "student"),
        ("coached", {"act", "coach", "learn"}, "teacher"),
    ],
)
def test_a_lane_says_who_has_a_say(memory: Memory, lane: str, roles: set[str], by: str) -> None:
    agent = Agent(memory, Follower(), teacher=Scholar(), supervisor=only(lane))
    played = agent.play(IncidentEnvironment(), TASK, seed=0)
    assert (played.lane, played.score, set(played.usage)) == (lane, 1.0, roles)
    assert [step.by for step in memory.episodes.steps(played.id)] == [by]
    assert memory.lessons.state().lanes.totals("incidents/remedy", lane).episodes == 1  # type: ignore[arg-type]


def test_an_expert_acts_where_it_is_handed_to_the_teacher(memory: Memory) -> None:
    class Expert:
        def act(self, situation: Situation) -> ModelAct:
            return ModelAct(
                IncidentOracle().actions(TASK, seed=0)[-1], "I know", Usage(1, 300, 30, 0.1)
            )

    agent = Agent(memory, Follower(), teacher=None, expert=Expert(), supervisor=only("taught"))
    played = agent.play(IncidentEnvironment(), TASK, seed=0)
    assert (played.score, played.steps, set(played.usage)) == (1.0, 1, {"teach"})


@pytest.mark.parametrize("lane", ["reviewed", "coached", "taught"])
def test_a_lane_that_nobody_can_play_is_refused_at_once(memory: Memory, lane: str) -> None:
    with pytest.raises(InvalidInput, match=f"nobody can play the lanes {lane}"):
        Agent(memory, Follower(), supervisor=only(lane))


def test_a_model_that_comes_to_no_answer_ends_the_episode_and_not_the_run(memory: Memory) -> None:
    class Silent:
        left = 0

        def act(self, situation: Situation) -> Act:
            self.left -= 1
            if self.left < 0:
                raise NoAnswer("it was cut off")
            return Act("look around")

    student = Silent()
    agent = Agent(memory, student, teacher=None)
    with pytest.raises(NoAnswer):  # it never answered
        agent.play(IncidentEnvironment(), TASK, seed=0)
    student.left = 1
    for steps in (1, 0):
        played = agent.play(IncidentEnvironment(), TASK, seed=0)
        assert (played.end, played.steps, played.score) == ("stopped: it was cut off", steps, 0.0)


def test_budgets_are_hard(memory: Memory) -> None:
    ticks = itertools.count()
    for budget, end, most in (
        (Budget(steps=1), "out of steps", 1),
        (Budget(tokens=110), "out of tokens", 1),
        (Budget(seconds=2), "out of time", 2),
    ):
        wrong = Task("incidents", "control", 0, max_steps=8)
        agent = Agent(memory, Stubborn(), budget=budget, clock=lambda: float(next(ticks)))
        played = agent.play(IncidentEnvironment(), wrong, seed=3)
        assert (played.end, played.steps <= most) == (end, True)
        assert played.score == 0.0


class Stubborn:
    """Says what no environment knows."""

    def act(self, situation: Situation) -> ModelAct:
        return ModelAct("sing", "", Usage(1, 100, 10, 0.1))


def test_a_student_that_gives_up_ends_the_episode(memory: Memory) -> None:
    class Helpless:
        def act(self, situation: Situation) -> Act | None:
            return (
                Act(situation.actions[0]) if situation.actions and not situation.history else None
            )

    played = Agent(memory, Helpless()).play(
        IncidentEnvironment(), Task("incidents", "control", 0, max_steps=8), seed=3
    )
    assert (played.end, played.steps, played.score) == ("gave up", 1, 0.0)


def test_a_frozen_run_writes_nothing_and_teaches_nothing(memory: Memory) -> None:
    teacher = Scholar()
    agent = Agent(memory, Follower(), teacher=teacher)
    agent.play(IncidentEnvironment(), TASK, seed=0)
    before = memory.store.journal.last_seq()
    assert agent.play(IncidentEnvironment(), TASK, seed=1, is_frozen=True).score is not None
    assert (memory.store.journal.last_seq(), teacher.distilled) == (before, 1)


def test_a_teacher_that_fails_costs_no_score(memory: Memory) -> None:
    class Absent(Scholar):
        def distil(
            self, transcript: Transcript, *, contrast: Transcript | None = None
        ) -> Distilled:
            raise ModelUnavailable("nobody is there")

    agent = Agent(memory, Follower(), teacher=Absent())
    with pytest.raises(ModelUnavailable):
        agent.play(IncidentEnvironment(), TASK, seed=0)
    (held,) = memory.episodes.list()
    assert (held.status, held.score is not None) == ("finished", True)


def test_a_teacher_that_talks_nonsense_teaches_nothing(memory: Memory) -> None:
    class Babbler(Scholar):
        def distil(
            self, transcript: Transcript, *, contrast: Transcript | None = None
        ) -> Distilled:
            return Distilled((), Usage(2, 400, 40, 0.1), problem="not JSON")

    agent = Agent(memory, Follower(), teacher=Babbler())
    played = agent.play(IncidentEnvironment(), TASK, seed=0)
    assert played.usage["learn"].calls == 2
    assert not memory.lessons.state().lessons
    (reflection,) = memory.list(kind="reflection")
    assert reflection.problem == "not JSON"  # type: ignore[attr-defined]


def test_an_environment_that_breaks_leaves_an_interrupted_episode(memory: Memory) -> None:
    class Broken(IncidentEnvironment):
        def step(self, action: str) -> Any:
            raise EnvironmentFailed("the engine stopped")

    with pytest.raises(EnvironmentFailed):
        Agent(memory, Follower()).play(Broken(), TASK, seed=0)
    (held,) = memory.episodes.list()
    assert (held.status, held.score) == ("interrupted", None)


def test_names_of_one_episode_are_in_no_lesson(memory: Memory) -> None:
    class Gossip(Scholar):
        def distil(
            self, transcript: Transcript, *, contrast: Transcript | None = None
        ) -> Distilled:
            name = transcript.goal.rstrip(".").split()[-1]
            return Distilled((Lesson(f"{name} is slow", "do", "drain it"),), Usage())

    agent = Agent(memory, Follower(), teacher=Gossip())
    agent.play(IncidentEnvironment(), TASK, seed=0)
    assert not memory.lessons.state().lessons


def test_a_supervisor_reflects_less_where_all_is_known(memory: Memory) -> None:
    teacher = Scholar()
    supervisor = Supervisor(reflecting_share=0.0)
    agent = Agent(memory, Follower(), teacher=teacher, supervisor=supervisor)
    for seed in range(30):
        agent.play(IncidentEnvironment(), TASK, seed=seed)
    early = teacher.distilled
    for seed in range(30, 60):
        agent.play(IncidentEnvironment(), TASK, seed=seed)
    assert teacher.distilled - early < early


class Imitator(Follower):
    """Does what a past stretch did that succeeded; it reads no lessons."""

    def __init__(self, instructions: str = "as you were shown") -> None:
        self.instructions = instructions
        self.shown: list[int] = []

    def act(self, situation: Situation) -> ModelAct:
        self.shown.append(len(situation.stretches))
        verbs = [one.steps[-1][0].split()[0] for one in situation.stretches if one.is_success]
        likely = [one for one in sorted(situation.actions or ()) if one.split()[0] in verbs]
        plan = (likely or [""])[0] if not situation.history else ""
        return super().act(replace(situation, guidance=(), plan=plan))


def test_past_stretches_reach_whoever_acts_and_help_who_imitates_them(memory: Memory) -> None:
    imitator = Imitator()
    agent = Agent(memory, imitator, teacher=None, demonstrations=2)
    played = [agent.play(IncidentEnvironment(), TASK, seed=seed) for seed in range(8)]
    assert (imitator.shown[0], imitator.shown[-1]) == (0, 2)
    coins = [coin for one in played for coin in one.demonstrations if coin.ended == "success"]
    assert {bool(coin.episodes) for coin in coins} == {True}
    frozen = [agent.play(IncidentEnvironment(), TASK, seed=n, is_frozen=True) for n in range(9, 14)]
    assert [one.score for one in frozen] == [1.0] * 5


def test_no_past_stretch_is_taken_for_who_asks_for_none_or_reads_none(memory: Memory) -> None:
    for imitator, number in ((Imitator(), 0), (Imitator(instructions=""), 2)):
        agent = Agent(memory, imitator, teacher=None, demonstrations=number)
        played = [agent.play(IncidentEnvironment(), TASK, seed=seed) for seed in range(3)]
        assert not any(imitator.shown)
        assert not any(one.demonstrations for one in played)
    with pytest.raises(InvalidInput, match="demonstrations"):
        Agent(memory, Imitator(), demonstrations=-1)


class Ward:
    """A world that lists no actions: a queue is to be paused before it is drained."""

    name = "ward"
    determinism: Determinism = "bitwise"

    def reset(self, task: Task, *, seed: int) -> Observation:
        self._done: list[str] = []
        return Observation("Something is wrong with Tavon.", goal="clear it")

    def step(self, action: str) -> Outcome:
        self._done.append(action)
        return Outcome(Observation("Done."), 0.0, action.startswith("drain"), len(self._done) > 3)

    def admissible_actions(self, limit: int | None = None) -> None:
        return None

    def score(self) -> Score:
        value = float(self._done[-2:] == ["pause the queue Tavon", "drain the queue Tavon"])
        return Score(value, value, value > 0)

    def close(self) -> None:
        """There is nothing to release."""


class ForeseenWard(Ward):
    """One that says that nothing changes."""

    def changes(self, action: str) -> bool:
        return False


class Rash:
    """Drains the queue, unless guidance says to pause it first and that was not done."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def act(self, situation: Situation) -> ModelAct:
        self.told.append(situation.guidance)
        is_paused = any(action.startswith("pause") for action, _ in situation.history)
        is_told = any("pause it" in line for line in situation.guidance)
        verb = "pause" if is_told and not is_paused else "drain"
        return ModelAct(f"{verb} the queue Tavon", "", Usage(1, 100, 10, 0.1))


@pytest.mark.parametrize(
    ("ward", "looks_again", "score"),
    [(Ward(), True, 1.0), (Ward(), False, 0.0), (ForeseenWard(), True, 0.0)],
    ids=["looks again", "does not", "nothing would change"],
)
def test_lessons_on_what_would_be_done_are_told_before_it_is_done(
    memory: Memory, ward: Ward, looks_again: bool, score: float
) -> None:
    memory.lessons.add("When something is wrong, look closer.", author="one")
    memory.lessons.add("Before you drain a queue, pause it.", author="other")
    student = Rash()
    agent = Agent(memory, student, teacher=None, looks_again=looks_again)
    task = Task("ward", "queue", 0)
    seeds = (seed for seed in range(100) if agent.play(ward, task, seed=seed).score == score)
    seed = next(seeds)
    student.told.clear()
    played = agent.play(ward, task, seed=seed)
    assert played.score == score
    if score:
        first, again, *rest = student.told
        assert again == (*first, "Before you drain a queue, pause it.")
        assert all(told == again for told in rest)
        assert played.usage["act"].calls == len(student.told) == 3


def test_the_adapter_that_is_to_answer_acts_and_a_canary_is_credited(memory: Memory) -> None:
    held = train(memory, memory.statements.add("Orla", "office", "room 1"))
    asked: list[str] = []

    class Adapted(Follower):
        def act(self, situation: Situation) -> ModelAct:
            asked.append(held.name)
            return super().act(situation)

    def adapted(name: str) -> Adapted | None:
        return Adapted() if name == held.name else None

    agent = Agent(memory, Follower(), teacher=None, adapted=adapted)
    assert agent.play(IncidentEnvironment(), TASK).adapters == ()
    memory.adapters.route(held.name, "canary", share=0.5)
    played = [agent.play(IncidentEnvironment(), TASK, seed=seed) for seed in range(20)]
    shown = [coin.is_shown for one in played for coin in one.adapters]
    assert len(shown) == 20
    assert len(set(shown)) == 2
    assert len(asked) >= sum(shown)
    trial = memory.adapters.trial(held.name)
    assert (trial.shown, trial.withheld) == (sum(shown), 20 - sum(shown))
    memory.adapters.route(held.name, "stable")
    asked.clear()
    agent.play(IncidentEnvironment(), TASK)
    assert asked
    elsewhere = Agent(memory, Follower(), teacher=None, adapted=lambda name: None)
    assert elsewhere.play(IncidentEnvironment(), TASK).adapters == ()  # its server has it not
