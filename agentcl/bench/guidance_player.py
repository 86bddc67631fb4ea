"""Plays the episodes of a baseline of guidance: an agent whose memory is kept in the run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentcl.agents.agent import Agent, Budget
from agentcl.agents.supervisor import Supervisor
from agentcl.agents.teacher import Distiller
from agentcl.bench.baselines.registry import GuidanceOptions
from agentcl.bench.episode_log import EpisodeLog, LoggedActor, LoggedEnvironment
from agentcl.bench.rows import Learned, ResultRow
from agentcl.envs.acting import Actor
from agentcl.envs.base import Domain, world_of
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import StoreUnavailable
from agentcl.guidance.selection import line_of
from agentcl.lessons import Lesson, folded
from agentcl.memory.memory import Memory
from agentcl.store.checks import check_view
from agentcl.store.episodes import Episode, Reflection
from agentcl.store.usage import Usage

_TOLD_AT_ONCE: Final = 50  # lessons that one reflection may have


class GuidancePlayer:
    """Plays with `Agent`. Its memory outlives the process, so a resumed run opens it again.

    Args:
        memory: its own; closed by whoever opened it.
        student: who acts.
        teacher: who says what an episode teaches; None: nothing is learned.
        domain: whose tasks are played; lessons are told for it.
        told: lessons that somebody says before the first episode, and who says so.
        options: of the baseline.
        name: of the model that acts, and `fingerprint` of its weights.
        instructions: what the student is told beside lessons.
    """

    def __init__(
        self,
        memory: Memory,
        student: Actor,
        teacher: Distiller | None,
        *,
        domain: Domain,
        told: tuple[str, Sequence[Lesson]] = ("", ()),
        options: GuidanceOptions | None = None,
        name: str = "",
        fingerprint: str = "",
        instructions: str = "",
    ) -> None:
        chosen = options or GuidanceOptions()
        self.instructions = instructions
        self._memory, self._domain = memory, domain
        self._told = told
        self._said: set[str] = set()  # all that may be shown
        self._numbers: dict[str, int] = {}  # of episodes, by id
        self._student = LoggedActor(student, EpisodeLog())
        self._agent = Agent(
            memory,
            self._student,
            teacher=teacher,
            supervisor=Supervisor() if chosen.supervised else None,
            budget=Budget(guidance_tokens=chosen.budget_tokens),
            demonstrations=chosen.demonstrations,
            looks_again=chosen.looks_again,
            name=name,
            fingerprint=fingerprint,
        )

    def resume(self, stream: TaskStream, done: Sequence[ResultRow]) -> None:
        """Forget the episodes that a killed run began, or ended, without leaving a row.

        Raises:
            StoreUnavailable: if the memory lacks episodes that rows tell of.
        """
        kept = {row.episode for row in done if row.episode}
        there = {episode.id for episode in self._memory.episodes.list()}
        if missing := kept - there:
            raise StoreUnavailable(
                f"{len(missing)} of {len(kept)} episodes of this run are not in its memory, so it cannot go "
                "on; begin a new run"
            )
        if there - kept:
            self._memory.forget(*sorted(there - kept))
        self._numbers = {row.episode: row.number for row in done if row.episode}
        self._said = {folded(one.text) for row in done for one in row.learned}
        self._tell()

    def play(
        self, number: int, item: StreamItem, environment: LoggedEnvironment, log: EpisodeLog
    ) -> None:
        """Recall, act, remember, learn."""
        self._student.log = log
        played = self._agent.play(
            environment,
            item.task,
            seed=item.seed,
            world=world_of(self._domain, item.task),
            is_frozen=not item.is_learned_from,
        )
        log.end, log.episode = played.end, played.id
        log.usage = _usage_of(played)
        lessons = self._memory.lessons.state().lessons
        shown = [lessons[one.guidance].guidance for one in played.exposures if one.is_shown]
        log.recalled = tuple(one.key or one.id for one in shown)
        log.shown = tuple(line_of(one) for one in shown)
        log.leaks = tuple(
            f"{line!r}: recalled, but never learned"
            for line in log.shown
            if folded(line) not in self._said
        )
        log.learned = self._learned(number, played)
        log.shifts = self._noticed(number, played)

    def _learned(self, number: int, played: Episode) -> tuple[Learned, ...]:
        """Return what the episode was found to teach, new or not."""
        if not played.id:
            return ()
        rows = self._memory.store.journal.live(
            view=check_view({}), kinds=(Reflection.kind,), source=played.id
        )
        texts = [
            Lesson(one.when, one.claim, one.what).sentence()  # type: ignore[arg-type]  # it was admitted
            for row in rows
            if isinstance(reflection := row.record(), Reflection)
            for one in reflection.stated
            if not one.refusal
        ]
        self._said.update(map(folded, texts))
        return tuple(Learned(f"e{number}.{n}", text) for n, text in enumerate(texts))

    def _noticed(self, number: int, played: Episode) -> tuple[str, ...]:
        """Return what memory noticed in an episode; runs count episodes from 1."""
        if not played.id:
            return ()
        self._numbers[played.id] = number
        return tuple(
            f"{one.sentence()} (since episode {self._numbers.get(one.since, number) + 1}; {one.how_sure()})"
            for one in self._memory.lessons.changes()
            if one.episode == played.id
        )

    def _tell(self) -> None:
        author, lessons = self._told
        state = self._memory.lessons.state()
        known = {folded(line_of(one.guidance)) for one in state.lessons.values()}
        new = [one for one in lessons if folded(one.sentence()) not in known]
        for start in range(0, len(new), _TOLD_AT_ONCE):
            some = new[start : start + _TOLD_AT_ONCE]
            self._memory.lessons.reflect(
                some, author=author, origin="told", application=self._domain.name
            )
        self._said.update(folded(one.sentence()) for one in lessons)


def _usage_of(played: Episode) -> dict[str, Usage]:
    """Return what was asked of models, without roles that asked nothing."""
    return {role: used for role, used in played.usage.items() if used.calls}
