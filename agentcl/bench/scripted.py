"""The actors without a model that learn: what acts, and what an episode of theirs leaves to remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agentcl.agents.teacher import Distilled
from agentcl.agents.transcript import Transcript
from agentcl.bench.learners import Learner
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.domains.excytin.investigator import Investigator
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.lessons import read_sentence
from agentcl.store.usage import NO_USAGE


def responder() -> tuple[Actor, Learner]:
    """Return the responder of incidents."""
    made = Responder()
    return made, lambda log: made.learn(log.last)


def investigator() -> tuple[Actor, Learner]:
    """Return the investigator of incident logs."""
    made = Investigator()
    return made, lambda log: made.learn(log.final_score)


SCRIPTED: Final[Mapping[str, Callable[[], tuple[Actor, Learner]]]] = {
    Responder.name: responder,
    Investigator.name: investigator,
}


class GuidedResponder(Responder):
    """The responder as a student, and as the teacher of what it saw itself. It never gives up."""

    def act(self, situation: Situation) -> Act:
        """Return the responder's action; none that there is where it would give up."""
        return super().act(situation) or Act("nothing is left to try")

    def draw(self, situation: Situation) -> str:
        """Return what says in which order things are tried: what is seen, whatever the task is called."""
        return f"{situation.goal} {situation.first}"

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return the responder's lessons of the episode that it just played."""
        seen = transcript.steps[-1][1] if transcript.steps else transcript.first
        read = [read_sentence(text) for text in self.learn(seen)]
        return Distilled(tuple(one for one in read if one is not None), NO_USAGE)
