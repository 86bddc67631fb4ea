"""The scripted responder as a student, and as the teacher of what it saw itself."""

from __future__ import annotations

from agentcl.agents.situations import Situation, Transcript
from agentcl.agents.student import Act
from agentcl.agents.teacher import Distilled
from agentcl.envs.base import Observation
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.lessons import read_sentence
from agentcl.store.usage import NO_USAGE


class RespondingStudent:
    """Acts on incidents as the responder does, with the lessons of each step, and asks no model."""

    def __init__(self) -> None:
        self._responder = Responder()

    def act(self, situation: Situation) -> Act:
        """Return the responder's action; none that there is where it would give up."""
        seen = situation.first
        if situation.history:
            seen = situation.history[-1][1]
        else:
            self._responder.start(f"{situation.goal} {situation.first}", Observation(seen))
        self._responder.tell(situation.guidance)
        action = self._responder.choose(situation.actions or (), Observation(seen))
        return Act(action or "nothing is left to try", "", NO_USAGE)

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return the responder's lessons of the episode that it just played."""
        seen = transcript.steps[-1][1] if transcript.steps else transcript.first
        read = [read_sentence(text) for text in self._responder.learn(Observation(seen))]
        return Distilled(tuple(one for one in read if one is not None), NO_USAGE)
