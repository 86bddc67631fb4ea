"""The agent: recall, act, observe, remember, learn.

    agent = Agent(memory, Student(model), teacher=Teacher(model))
    episode = agent.play(environment, task, seed=0)

The model never changes. What changes is the memory beside it, after every episode.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, Unpack, runtime_checkable

from agentcl.agents.learning import learn_from
from agentcl.agents.outcomes import OutcomeTeacher
from agentcl.agents.practice import Practice, PracticeBudget, Practised, practise
from agentcl.agents.student import ModelAct, Plan
from agentcl.agents.supervisor import Familiarity, Supervisor
from agentcl.agents.teacher import Correction, Distiller, Review
from agentcl.envs.acting import Act, Actor, Situation, act_until_over
from agentcl.envs.base import Domain, Environment, Observation, Outcome, Split, Task
from agentcl.errors import InvalidInput, NoAnswer
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.store.checks import WriteScope, check_count, check_scope
from agentcl.store.episodes import Episode, Share, cluster_of
from agentcl.text.tokens import TokenCounter, estimate_tokens

if TYPE_CHECKING:
    from agentcl.guidance.progress.lanes import Lane
    from agentcl.memory.memory import Memory

_SHOWN: Final = OutcomeTeacher()  # what the record shows by itself
_LAST_SEEN: Final = 3  # observations that lessons are recalled for, besides the first


@runtime_checkable
class Planner(Protocol):
    """Plans a task; `Student` does."""

    def plan(self, situation: Situation) -> Plan:
        """Return a plan for the whole task."""
        ...


@runtime_checkable
class Coach(Protocol):
    """Looks on while somebody acts; `Teacher` does."""

    def review(self, situation: Situation, plan: str) -> Review:
        """Return the plan to follow."""
        ...

    def correct(self, situation: Situation, action: str) -> Correction:
        """Return the action to take."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What one episode may take at the most; None: no limit of our own.

    A limit is looked at before each step, and no step is begun beyond it.
    """

    steps: int | None = None
    tokens: int | None = None  # of all roles together, learning from the episode apart
    seconds: float | None = None
    guidance_tokens: int = 400  # for lessons in one prompt; never exceeded


class Agent:
    """Plays tasks with a frozen model, and learns from them into a memory.

    Args:
        memory: what is recalled, and where it is learned.
        student: who acts.
        teacher: who says what an episode teaches, and helps in the lanes that need one; default: `OutcomeTeacher`,
            which asks no model. None: no new lesson is learned, but those that are known go on being tested.
        supervisor: picks the lane of each task, and which episodes are worth a reflection; None: the
            student acts alone, and every episode is reflected on.
        expert: who acts in the lane "taught".
        adapted: returns who acts in the student's place by an adapter of its name; None where the model's server has not
            loaded it. Then the memory says who answers (`Memory.adapters`), and outcomes credit canaries.
        budget: of one episode.
        documents: passages that are searched for at each step.
        demonstrations: past stretches that are taken for each situation (`EpisodeRecorder.recall`). A model that was
            trained on the form of its prompts is shown none.
        looks_again: whether lessons are recalled once more before an action that may change something, as the environment
            tells (`Foreseen`). Where there are new ones, the student is asked again.
        count_tokens: of the model.
        name: of the model that acts.
        fingerprint: of its weights; kept with each episode.
        clock: in seconds, for the budget.
        share: whether its lessons may help other users of its tenant; see `Lessons.reflect`.
        scope: `tenant`, `user`, `agent`, `session`: whose episodes and lessons these are.

    Raises:
        InvalidInput: if the supervisor may choose a lane that nobody here can play.
    """

    def __init__(
        self,
        memory: Memory,
        student: Actor,
        *,
        teacher: Distiller | None = _SHOWN,
        supervisor: Supervisor | None = None,
        expert: Actor | None = None,
        adapted: Callable[[str], Actor | None] | None = None,
        budget: Budget | None = None,
        documents: int = 0,
        demonstrations: int = 0,
        looks_again: bool = False,
        count_tokens: TokenCounter = estimate_tokens,
        name: str = "",
        fingerprint: str = "",
        clock: Callable[[], float] = time.monotonic,
        share: Share = "",
        **scope: Unpack[WriteScope],
    ) -> None:
        self.memory, self.student, self.teacher = memory, student, teacher
        self._share = share
        self.supervisor, self.expert = supervisor, expert
        self.adapted = adapted
        self.budget = budget or Budget()
        self.documents, self._count_tokens = documents, count_tokens
        self.demonstrations = check_count(demonstrations, "demonstrations", least=0)
        self.looks_again = looks_again
        self._name, self._fingerprint = name, fingerprint
        self.clock = clock
        self.has_acted = False  # whoever acts has answered before
        self._scope = scope
        check_scope(scope)
        self._check_lanes()

    def play(
        self,
        environment: Environment,
        task: Task,
        *,
        seed: int = 0,
        world: str = "",
        is_frozen: bool = False,
    ) -> Episode:
        """Play one task to its end, learn from it, and return the episode as it was stored.

        Args:
            environment: where.
            task: what is to be done.
            seed: of the task, and of the coins thrown for it.
            world: where the same rules hold, if the environment has several such places.
            is_frozen: recall, and keep no record.

        Raises:
            EnvironmentFailed: if the environment breaks; the episode is kept as interrupted.
            ModelUnavailable: if a model cannot be asked; likewise, unless the episode was over by then.
            NoAnswer: if a model answers nothing, and never did; likewise. Else the episode ends there, and is scored.
        """
        rng = random.Random(f"{task.id}:{seed}")
        seen = environment.reset(task, seed=seed)
        familiarity = self._familiarity(task, seen, world)
        lane = self._lane(task, familiarity, rng)
        with self.memory.episode(
            task.id,
            goal=seen.goal,
            application=task.env,
            family=task.family,
            world=world,
            first=seen.text,
            lane=lane,
            model=self._name,
            fingerprint=self._fingerprint,
            seed=seed,
            budget_tokens=self.budget.guidance_tokens,
            count_tokens=self._count_tokens,
            is_frozen=is_frozen,
            **self._scope,
        ) as episode:
            acting = _Acting(self, episode, lane, self._student(episode))
            start = Situation(seen.goal, seen.text, task=task, seed=seed)
            end = act_until_over(environment, acting, start, on_step=acting.keep)
            score = environment.score()
            played = episode.finish(
                score.value,
                is_success=score.is_success,
                end=acting.over or end,
                judge="environment",
            )
        if is_frozen or self.teacher is None:
            return played
        if not self._is_worth_learning(played, familiarity, rng):
            return played
        return learn_from(self.memory, self.teacher, played, share=self._share)

    def practise(
        self,
        domain: Domain,
        *,
        budget: PracticeBudget | int,
        families: Sequence[str] | None = None,
        split: Split = "train",
        where: Mapping[str, str | int | float | bool] | None = None,
        seed: int = 0,
        on_progress: Callable[[Practised], None] = lambda practised: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Practice:
        """Play tasks of a domain of which most is expected to be learned, and learn from them.

        The next task is chosen by learning progress from the memory's own record (`agentcl.agents.progress`), which may be
        empty: no oracle is asked. Each episode is kept when it ends, so what ends a practice takes nothing away, and
        another call goes on from the record. The same seed and record give the same choices.

        Args:
            domain: whose tasks; its worlds are told apart where it has several sets of rules.
            budget: of episodes, tokens or both; a number is of episodes. Each call has its own.
            families: kinds of task; None for all.
            split: of the tasks.
            where: parameters that a task must have, such as the deployment of an incident.
            seed: of the choices, and of the episodes.
            on_progress: told of each episode when it is over.
            should_stop: asked before each episode.

        Raises:
            InvalidInput: if there is no such family, no task like that, or the budget is none.
            EnvironmentFailed: if the environment breaks three times in a row; what it breaks once is counted and passed over.
            ModelUnavailable: if a model cannot be asked.
        """
        return practise(
            self.memory,
            lambda environment, task, seed, world: self.play(
                environment, task, seed=seed, world=world
            ),
            domain,
            budget=budget,
            families=families,
            split=split,
            where=where,
            seed=seed,
            on_progress=on_progress,
            should_stop=should_stop,
            scope=self._scope,
        )

    def _familiarity(self, task: Task, seen: Observation, world: str) -> Familiarity:
        """Return what memory knows of such a task, and how new the situation is to it."""
        outlook = self.memory.lessons.outlook(**self._scope)
        cluster = cluster_of(task.env, task.family)
        expected = outlook.expected(cluster, world)
        text = f"{seen.goal}\n{seen.text}"
        # Only a supervisor asks how new a situation is; by meaning, that takes a while.
        trusted = (
            outlook.trusted(text, cluster, world, application=task.env) if self.supervisor else ()
        )
        return Familiarity(
            attempts=expected.n,
            mean=min(1.0, max(0.0, expected.mean)),
            sd=expected.standard_error,
            novelty=1 - max(trusted, default=0.0),
        )

    def _student(self, episode: EpisodeRecorder) -> Actor:
        """Return who acts in an episode: by an adapter, if one is to answer and is there."""
        if self.adapted is None:
            return self.student
        route = episode.answering()
        if not route.name:
            return self.student
        found = self.adapted(route.name)
        if found is None:
            episode.answered_by(())  # the coin was not obeyed, so the outcome says nothing of it
        return found or self.student

    def _lane(self, task: Task, familiarity: Familiarity, rng: random.Random) -> Lane:
        if self.supervisor is None:
            return "alone"
        lanes = self.memory.lessons.outlook(**self._scope).lanes
        return self.supervisor.choose(cluster_of(task.env, task.family), familiarity, lanes, rng)

    def _is_worth_learning(
        self, played: Episode, familiarity: Familiarity, rng: random.Random
    ) -> bool:
        return self.supervisor is None or self.supervisor.should_reflect(
            familiarity,
            score=played.score,
            expected=familiarity.mean,
            was_new=familiarity.novelty > 0.5,
            rng=rng,
        )

    def _check_lanes(self) -> None:
        """Refuse at once what would fail in mid-episode."""
        lanes = self.supervisor.lanes if self.supervisor else ()
        can_coach = isinstance(self.teacher, Coach)
        needed = {
            "reviewed": can_coach and isinstance(self.student, Planner),
            "coached": can_coach,
            "taught": self.expert is not None,
        }
        missing = [lane for lane in lanes if not needed.get(lane, True)]
        if missing:
            raise InvalidInput(
                f"nobody can play the lanes {', '.join(missing)}: reviewed needs a student that plans and "
                "a teacher that reviews, coached a teacher that corrects, taught an expert that acts"
            )


class _Acting:
    """One episode of an agent: it recalls, and lets act and look on who is to in its lane."""

    def __init__(
        self,
        agent: Agent,
        episode: EpisodeRecorder,
        lane: Lane,
        student: Actor,
    ) -> None:
        self.over = ""  # the part of the budget that is used up, or why nothing more was done
        self._agent, self._episode, self._lane = agent, episode, lane
        self._student = student
        self._started = agent.clock()
        self._plan = ""
        self._by = ""  # who chose the last action

    def act(self, situation: Situation) -> Act | None:
        """Return the next action; None where a part of the budget is used up, or the student gives up."""
        self.over = self._overspent(self._agent.clock() - self._started)
        if self.over:
            return None
        try:
            return self._next(situation)
        except NoAnswer as error:
            if not self._agent.has_acted:  # perhaps it cannot: with so few tokens, say
                raise
            self.over = f"stopped: {error}"
            return None

    def _next(self, situation: Situation) -> Act | None:
        situation = self._recall(situation)
        if self._lane == "reviewed" and not self._plan:
            self._plan = self._planned(situation)
            situation = replace(situation, plan=self._plan)
        act = self._chosen(situation)
        if act is None or not (self._agent.looks_again and situation.may_change(act.action)):
            return act
        told = self._episode.recall(
            self._text(situation), about_to=act.action, actions=situation.actions or ()
        )
        return self._chosen(replace(situation, guidance=told.lessons)) if told.new else act

    def keep(self, situation: Situation, act: Act, outcome: Outcome) -> None:
        """Record a step."""
        told = outcome.observation.text
        self._episode.step(
            situation.seen,
            act.action,
            told,
            reward=outcome.reward,
            thought=act.thought,
            by=self._by,
        )

    def _recall(self, situation: Situation) -> Situation:
        """Return the situation with what memory has to say of it."""
        agent = self._agent
        is_reader = getattr(self._student, "instructions", None) != ""
        recalled = self._episode.recall(
            self._text(situation),
            actions=situation.actions or (),
            documents=agent.documents,
            demonstrations=agent.demonstrations if is_reader else 0,
        )
        return replace(
            situation,
            guidance=recalled.lessons,
            passages=tuple(hit.text for hit in recalled.documents or ()),
            plan=self._plan,
            stretches=recalled.demonstrations,
        )

    def _text(self, situation: Situation) -> str:
        """Return what lessons are recalled for."""
        told = [outcome for _, outcome in situation.history[-_LAST_SEEN:]]
        return "\n".join([situation.goal, situation.first, *told])

    def _chosen(self, situation: Situation) -> Act | None:
        """Return the next action; who chose it is noted."""
        agent, episode = self._agent, self._episode
        is_taught = self._lane == "taught" and agent.expert is not None
        actor = agent.expert if is_taught and agent.expert is not None else self._student
        act = actor.act(situation)
        if act is None:
            return None
        agent.has_acted = True
        self._by = "teacher" if is_taught else "student"
        asked = act if isinstance(act, ModelAct) else ModelAct(act.action)
        episode.spend("teach" if is_taught else "act", asked.usage)
        if asked.planning.calls:
            episode.spend("plan", asked.planning)
        if self._lane == "coached" and isinstance(agent.teacher, Coach):
            correction = agent.teacher.correct(situation, act.action)
            episode.spend("coach", correction.usage)
            if correction.action != act.action:
                self._by = "teacher"
                return Act(correction.action, correction.reason)
        return act

    def _planned(self, situation: Situation) -> str:
        """Return the student's plan as the teacher would have it."""
        student, teacher = self._student, self._agent.teacher
        assert isinstance(student, Planner)
        assert isinstance(teacher, Coach)
        plan = student.plan(situation)
        self._episode.spend("plan", plan.usage)
        review = teacher.review(situation, plan.text)
        self._episode.spend("coach", review.usage)
        return review.plan

    def _overspent(self, elapsed_s: float) -> str:
        """Return which part of the budget is used up; empty if none is."""
        budget, episode = self._agent.budget, self._episode
        tokens = sum(one.tokens for one in episode.usage.values())
        for limit, used, end in (
            (budget.steps, len(episode.steps), "out of steps"),
            (budget.tokens, tokens, "out of tokens"),
            (budget.seconds, elapsed_s, "out of time"),
        ):
            if limit is not None and used >= limit:
                return end
        return ""
