"""Who acts, and the loop that it acts in: the same for a model, a script and a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

from agentcl.envs.base import Environment, Foreseen, Outcome, Task
from agentcl.errors import InvalidInput
from agentcl.lessons import Stretch

History = tuple[tuple[str, str], ...]  # actions, and what was seen then
Actions = Sequence[str] | None  # those to choose from; None where nobody knows them


def nothing_known(query: str) -> Sequence[str]:
    """Return what a memory says that holds nothing."""
    return ()


def any_may(action: str) -> bool:
    """Return that an action may change something, as long as nobody says that it only looks."""
    return True


@dataclass(frozen=True, slots=True)
class Situation:
    """One moment of an episode, with what memory has to say of it.

    An episode begins where the history is empty: an actor that keeps something forgets it then.
    """

    goal: str
    first: str  # what was seen first
    history: History = ()
    offered: Actions | Callable[[], Actions] = None  # what can be done, or who lists it when asked
    guidance: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    plan: str = ""  # how the goal is to be reached
    task: Task | None = None
    seed: int = 0  # of the episode; chance follows from it and the task
    ask: Callable[[str], Sequence[str]] = nothing_known  # what memory says of a question
    stretches: tuple[Stretch, ...] = ()  # of earlier episodes, as demonstrations
    may_change: Callable[[str], bool] = any_may  # whether an action does not only look

    @property
    def actions(self) -> tuple[str, ...] | None:
        """The actions to choose from; None where nobody knows them. To list them may take time."""
        offered = self.offered() if callable(self.offered) else self.offered
        return None if offered is None else tuple(offered)

    @property
    def seen(self) -> str:
        """What was seen last."""
        return self.history[-1][1] if self.history else self.first

    @property
    def known_task(self) -> Task:
        """The task. Raises InvalidInput where it was not said."""
        if self.task is None:
            raise InvalidInput("who acts here has to know the task; say it in the situation")
        return self.task


@dataclass(frozen=True, slots=True)
class Act:
    """What is done next."""

    action: str
    thought: str = ""  # what was said before it


class Actor(Protocol):
    """Chooses actions, in one episode after the other. Not safe for threads."""

    def act(self, situation: Situation) -> Act | None:
        """Return what to do next; None gives up."""
        ...


OnStep = Callable[[Situation, Act, Outcome], None]


def act_until_over(
    environment: Environment,
    actor: Actor,
    start: Situation,
    *,
    on_step: OnStep = lambda situation, act, outcome: None,
) -> str:
    """Let an actor act to the end of an episode; return which end: terminated, truncated or gave up.

    Args:
        environment: where; its episode has begun.
        actor: who acts.
        start: the first situation; the later ones differ by their history, and the actions to choose from.
        on_step: told of each step when it is done.

    Raises:
        EnvironmentFailed: if the environment breaks.
    """
    history: History = ()
    while True:
        offered = cache(environment.admissible_actions)
        situation = replace(start, history=history, offered=offered)
        if isinstance(environment, Foreseen):
            situation = replace(situation, may_change=cache(environment.changes))
        act = actor.act(situation)
        if act is None:
            return "gave up"
        outcome = environment.step(act.action)
        on_step(situation, act, outcome)
        if outcome.terminated or outcome.truncated:
            return "terminated" if outcome.terminated else "truncated"
        history = (*history, (act.action, outcome.observation.text))
