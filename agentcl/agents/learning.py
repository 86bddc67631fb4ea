"""Learning from an episode that is over, whoever played it: judge it, and say what it teaches.

with memory.episode("answer the ticket", application="support") as episode:
...
judge(memory, teacher, episode.record)          # where nobody else gives a score
learn_from(memory, teacher, episode.record)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from agentcl.agents.teacher import Distiller, Judgement
from agentcl.agents.transcript import Transcript
from agentcl.guidance.admission import names_of
from agentcl.store.checks import ReadScope, named_scope
from agentcl.store.episodes import Episode
from agentcl.store.records import ANY, Scope

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


class Judge(Protocol):
    """Scores what nobody else does; `Teacher` does."""

    def judge(self, transcript: Transcript) -> Judgement:
        """Return how well an episode went; no score where that is not sure."""
        ...


def transcript_of(memory: Memory, episode: Episode) -> Transcript:
    """Return an episode as models are shown it."""
    scope: ReadScope = {"user": ANY, "agent": ANY, "session": ANY}
    if episode.scope.tenant:
        scope["tenant"] = episode.scope.tenant
    taken = memory.episodes.steps(episode.id, **scope)
    steps = tuple((step.action, step.outcome) for step in taken)
    return Transcript(
        episode.goal or episode.task, episode.first, steps, episode.score, episode.is_success
    )


def learn_from(
    memory: Memory,
    teacher: Distiller,
    episode: Episode,
    *,
    answers: Collection[str] = (),
    author: str = "teacher",
) -> Episode:
    """Let a teacher say what a finished episode teaches.

    It is shown, as a contrast, the last episode of that kind and world that ended the other way, if there
    was one.

    Args:
        memory: where the episode is, and the lessons go.
        teacher: who says so; one call.
        episode: what was played.
        answers: that no lesson may give away.
        author: kept with the lessons.

    Returns:
        The episode, with what the teacher took.

    Raises:
        ModelUnavailable: if the teacher cannot be asked; the episode stays as it is.
    """
    transcript = transcript_of(memory, episode)
    distilled = teacher.distil(transcript, contrast=_contrast(memory, episode))
    memory.lessons.reflect(
        distilled.lessons,
        episode=episode,
        author=author,
        levels=distilled.levels,
        usage=distilled.usage,
        problem=distilled.problem,
        names=names_of(transcript.goal, transcript.first),
        answers=answers,
    )
    return memory.episodes.spend(episode, "learn", distilled.usage)


def judge(memory: Memory, judging: Judge, episode: Episode) -> Episode:
    """Let a judge score an episode that has no score; one that is not sure leaves it without.

    Raises:
        ModelUnavailable: if the judge cannot be asked; the episode stays as it is.
    """
    if episode.score is not None:
        return episode
    judgement = judging.judge(transcript_of(memory, episode))
    if judgement.score is None:
        return memory.episodes.spend(episode, "judge", judgement.usage)
    return memory.episodes.score(
        episode.id,
        judgement.score,
        judge="teacher",
        usage={"judge": judgement.usage},
        **named_scope(episode.scope),
    )


def _contrast(memory: Memory, episode: Episode) -> Transcript | None:
    """Return the last episode of the same kind and world that ended the other way."""
    if episode.is_success is None:
        return None
    state = memory.lessons.state(episode.scope.tenant)
    other = state.last_attempt(episode.cluster, episode.world, is_success=not episode.is_success)
    if other is None:
        return None
    view = Scope(episode.scope.tenant).view()
    view = replace(view, user=None, agent=None, session=None)
    contrast = memory.store.journal.get(other, view=view)
    assert isinstance(contrast, Episode)
    return transcript_of(memory, contrast)
