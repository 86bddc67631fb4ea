"""The student: a frozen model that acts, with what memory has to say in its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentcl.agents.effects import still_worth_trying
from agentcl.agents.matching import meant_action
from agentcl.agents.prompts import (
    ACTED,
    ACTING,
    AIMING,
    PLANNING,
    ask_action,
    ask_plan,
    ask_sub_goal,
)
from agentcl.envs.acting import Act, Situation
from agentcl.models.base import ChatModel, Reply, Sampling, conversation
from agentcl.models.structured import ask_text
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.answers import final_answer, unwrapped
from agentcl.text.escaping import Prompt, unescape


@dataclass(frozen=True, slots=True)
class ModelAct(Act):
    """What a model does next: an admissible action, or what it said where it meant none."""

    usage: Usage = NO_USAGE  # of the model that chose the action
    planning: Usage = NO_USAGE  # of the planner
    sub_goal: str = ""  # what the planner named


@dataclass(frozen=True, slots=True)
class Plan:
    """How the student means to reach a goal."""

    text: str
    usage: Usage


class Student:
    """Chooses actions with a frozen model.

    With a planner the work is split: the planner names the next sub-goal from all that is known, and the
    model, which may be much smaller, grounds it in an admissible action. That doubles the calls.

    Args:
        model: who chooses the action.
        instructions: said as its system's message; empty for a model that was trained on the form, which
            is then asked exactly `prompts.ask_action`, of all actions.
        demonstrations: turns that stand before the real one, as what is asked and what is answered; default: two, none
            with other instructions. Those of a user's own world teach its lessons along with the form.
        planner: who names the next sub-goal; default: nobody does.
        max_tokens: of one answer.
        recent: steps that a prompt shows.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        instructions: str = ACTING,
        demonstrations: Sequence[tuple[str, str]] | None = None,
        planner: ChatModel | None = None,
        max_tokens: int = 128,
        recent: int = 12,
    ) -> None:
        self.model, self.planner = model, planner
        self.instructions = instructions
        shown = ACTED if demonstrations is None and instructions == ACTING else demonstrations
        self._demonstrations = tuple(shown or ())
        self._sampling = Sampling(max_tokens=max_tokens)
        self._recent = recent

    def act(self, situation: Situation) -> ModelAct:
        """Return the next action; one call, with a planner two.

        What brought nothing since something last changed is not offered again, unless nothing else is left.
        An answer that means no admissible action is taken as it stands: the environment says what it makes of it.
        A thought is never taken for one, and neither is an answer that was cut off: both are asked for again.

        Raises:
            NoAnswer: if the model comes to no answer, asked twice.
            ModelUnavailable: if a model cannot be asked.
        """
        actions, sub_goal, planning = situation.actions, "", NO_USAGE
        if self.planner is not None:
            asked = ask_sub_goal(situation, recent=self._recent)
            aim = self._ask(self.planner, AIMING, asked)
            sub_goal, planning = " ".join(aim.text.split()), aim.usage
        offered = actions
        if actions is not None and self.instructions:
            offered = still_worth_trying(actions, situation.first, situation.history)
        prompt = ask_action(
            guidance=situation.guidance,
            goal=situation.goal,
            scene=situation.first,
            history=situation.history[-self._recent :],
            actions=offered,
            passages=situation.passages,
            plan=situation.plan,
            sub_goal=sub_goal,
        )
        reply = self._ask(self.model, self.instructions, prompt, self._demonstrations)
        answer = unescape(final_answer(reply.text), seen_in=prompt)
        if actions is not None:  # where nobody knows them, an object may be one
            answer = unwrapped(answer)
        action = meant_action(answer, actions) or answer
        said = f"{reply.thought}\n{reply.text}".strip()
        return ModelAct(action, said, reply.usage, planning, sub_goal)

    def plan(self, situation: Situation) -> Plan:
        """Return a plan for the whole task, in one call of the planner, or of the model without one.

        Raises:
            NoAnswer: if it comes to no plan, asked twice.
            ModelUnavailable: if the model cannot be asked.
        """
        asked = ask_plan(situation, recent=self._recent)
        reply = self._ask(self.planner or self.model, PLANNING, asked)
        return Plan(reply.text.strip(), reply.usage)

    def _ask(
        self,
        model: ChatModel,
        instructions: str,
        prompt: Prompt,
        demonstrations: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        messages = conversation(instructions, prompt, demonstrations)
        return ask_text(model, messages, sampling=self._sampling)
