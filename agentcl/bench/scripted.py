"""The actors without a model that learn: what acts, and what an episode of theirs leaves to remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agentcl.agents.teacher import Distilled
from agentcl.agents.transcript import Transcript
from agentcl.bench.learners import Learner
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.domains.desk.clerk import Clerk
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


def clerk() -> tuple[Actor, Learner]:
    """Return the clerk at the customers' desk."""
    made = Clerk()
    return made, lambda log: made.learn(log.last)


SCRIPTED: Final[Mapping[str, Callable[[], tuple[Actor, Learner]]]] = {
    Responder.name: responder,
    Investigator.name: investigator,
    Clerk.name: clerk,
}
_NOTHING_LEFT: Final = Act("nothing is left to try")  # which there is nowhere


class GuidedResponder(Responder):
    """The responder as a student, and as the teacher of what it saw itself. It never gives up."""

    def act(self, situation: Situation) -> Act:
        """Return the responder's action; none that there is where it would give up."""
        return super().act(situation) or _NOTHING_LEFT

    def draw(self, situation: Situation) -> str:
        """Return what says in which order things are tried: what is seen, whatever the task is called."""
        return f"{situation.goal} {situation.first}"

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return the responder's lessons of the episode that it just played."""
        return _distilled(self.learn(_last(transcript)))


class GuidedClerk(Clerk):
    """The clerk as a student, and as the teacher of what it saw itself. It never gives up."""

    def act(self, situation: Situation) -> Act:
        """Return the clerk's action; none that there is where it would give up."""
        return super().act(situation) or _NOTHING_LEFT

    def draw(self, situation: Situation) -> str:
        """Return what says in which order things are tried: what is seen, whatever the task is called."""
        return f"{situation.goal} {situation.first}"

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return the clerk's lessons of the episode that it just played."""
        return _distilled(self.learn(_last(transcript)))


GUIDED: Final[Mapping[str, Callable[[], GuidedResponder | GuidedClerk]]] = {
    Responder.name: GuidedResponder,
    Clerk.name: GuidedClerk,
}


def _last(transcript: Transcript) -> str:
    return transcript.steps[-1][1] if transcript.steps else transcript.first


def _distilled(texts: Sequence[str]) -> Distilled:
    read = [read_sentence(text) for text in texts]
    return Distilled(tuple(one for one in read if one is not None), NO_USAGE)
