"""Learning from an episode that is over, whoever played it: judge it, and say what it teaches.

with memory.episode("answer the ticket", application="support") as episode:
...
judge(memory, teacher, episode.record)          # where nobody else gives a score
learn_from(memory, teacher, episode.record)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agentcl.agents.teacher import Distilled, Distiller, Judgement
from agentcl.agents.transcript import ANSWERED, Transcript
from agentcl.guidance.admission import names_of
from agentcl.store.checks import named_scope
from agentcl.store.episodes import Episode, Share

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


class Judge(Protocol):
    """Scores what nobody else does; `Teacher` does."""

    def judge(self, transcript: Transcript) -> Judgement:
        """Return how well an episode went; no score where that is not sure."""
        ...


@runtime_checkable
class Inducer(Protocol):
    """Draws lessons from many episodes at once; `OutcomeTeacher` does."""

    @property
    def looks_back(self) -> int:
        """How many earlier attempts it is given."""

    def distil_among(
        self,
        transcript: Transcript,
        earlier: Sequence[Transcript],
        *,
        contrast: Transcript | None = None,
    ) -> Distilled:
        """Return what an episode shows beside earlier attempts at the same kind of task in the same world."""
        ...


def transcript_of(memory: Memory, episode: Episode) -> Transcript:
    """Return an episode as models are shown it."""
    taken = memory.episodes.steps(episode.id, **named_scope(episode.scope))
    steps = tuple((step.action, step.outcome) for step in taken)
    return Transcript(
        episode.goal or episode.task,
        episode.first,
        steps,
        episode.score,
        episode.is_success,
        tuple(step.reward for step in taken),
    )


def learn_from(
    memory: Memory,
    teacher: Distiller,
    episode: Episode,
    *,
    answers: Collection[str] = (),
    author: str = "teacher",
    share: Share = "",
) -> Episode:
    """Let a teacher say what a finished episode teaches.

    It is shown, as a contrast, the last episode of that kind and world that ended the other way, if there
    was one that the episode's scope may read. Both are sources of what it says.

    Args:
        memory: where the episode is, and the lessons go.
        teacher: who says so; one call.
        episode: what was played.
        answers: that no lesson may give away.
        author: kept with the lessons.
        share: as `Lessons.reflect` has it.

    Returns:
        The episode, with what the teacher took.

    Raises:
        ModelUnavailable: if the teacher cannot be asked; the episode stays as it is.
    """
    transcript = transcript_of(memory, episode)
    contrast = _contrast(memory, episode)
    other = None if contrast is None else transcript_of(memory, contrast)
    if isinstance(teacher, Inducer):
        earlier = _earlier(memory, episode, teacher.looks_back)
        distilled = teacher.distil_among(transcript, earlier, contrast=other)
    else:
        distilled = teacher.distil(transcript, contrast=other)
    shown = (transcript,) if other is None else (transcript, other)
    memory.lessons.reflect(
        distilled.lessons,
        episode=episode,
        contrast=contrast,
        author=author,
        levels=distilled.levels,
        usage=distilled.usage,
        problem=distilled.problem,
        names=set().union(*(names_of(one.goal, one.first) for one in shown)),
        answers=answers,
        share=share,
    )
    return memory.episodes.spend(episode, "learn", distilled.usage)


def judge(memory: Memory, judging: Judge, episode: Episode) -> Episode:
    """Let a judge score an episode that has no score; one that is not sure leaves it without.

    Raises:
        ModelUnavailable: if the judge cannot be asked; the episode stays as it is.
    """
    if episode.score is not None:
        return episode
    shown = transcript_of(memory, episode)
    if episode.end.startswith(ANSWERED):
        said = ("answer", episode.end.removeprefix(ANSWERED))
        shown = replace(shown, steps=(*shown.steps, said))
    judgement = judging.judge(shown)
    if judgement.score is None:
        return memory.episodes.spend(episode, "judge", judgement.usage)
    return memory.episodes.score(
        episode.id,
        judgement.score,
        judge="teacher",
        usage={"judge": judgement.usage},
        **named_scope(episode.scope),
    )


def _earlier(memory: Memory, episode: Episode, most: int) -> list[Transcript]:
    """Return the last attempts at the same kind of task in the same world, of those in the episode's view."""
    scope = named_scope(episode.scope)
    ids = memory.lessons.outlook(**scope).attempts(episode.cluster, episode.world, most=most + 1)
    found = []
    for id in ids:
        one = memory.get(id, **scope) if id != episode.id else None
        if isinstance(one, Episode):
            found.append(transcript_of(memory, one))
    return found


def _contrast(memory: Memory, episode: Episode) -> Episode | None:
    """Return the last episode of the same kind and world that ended the other way, of those in its view."""
    if episode.is_success is None:
        return None
    scope = named_scope(episode.scope)
    outlook = memory.lessons.outlook(**scope)
    wanted = not episode.is_success
    other = outlook.last_attempt(episode.cluster, episode.world, is_success=wanted)
    if other is None:
        return None
    contrast = memory.get(other, **scope)
    assert isinstance(contrast, Episode)
    return contrast
