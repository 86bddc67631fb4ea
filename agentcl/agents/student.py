"""The student: a frozen model that acts, with what memory has to say in its prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

from agentcl.agents.demonstrations import ACTED, LETTERS
from agentcl.agents.effects import still_worth_trying
from agentcl.agents.forms import FORMS, Form, form_of, likelihoods, orders_of
from agentcl.agents.matching import (
    fitting_actions,
    listed_actions,
    meant_action,
    nearest_action,
)
from agentcl.agents.offering import MOST_SHOWN, named_kind, shortlist
from agentcl.agents.prompts import ACTING, AIMING, PLANNING, ask_action, ask_plan, ask_sub_goal
from agentcl.agents.timely import is_named, timely
from agentcl.envs.acting import Act, Situation
from agentcl.errors import InvalidInput, NoAnswer
from agentcl.models.base import ChatModel, Reply, Sampling, conversation
from agentcl.models.structured import ask_text
from agentcl.models.tuned import Way, asking_of
from agentcl.store.checks import check_count
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.answers import final_answer, unwrapped
from agentcl.text.escaping import Prompt, unescape

FIRST_TOKEN: Final = Sampling(max_tokens=1, logprobs=True, top_logprobs=len(LETTERS))


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
        form: in which it is asked, by its name in `forms.FORMS`; default: the one that `agentcl model tune` found best
            for these very weights, else "thought"; what that cannot ask is asked as "shown". The model is asked for its fingerprint once if anything was tuned.
        instructions: said as its system's message instead; empty for a model that was trained on the form, which
            is then asked exactly `prompts.ask_action`, of all actions.
        demonstrations: turns that stand before the real one, as what is asked and what is answered; default: three, none
            with other instructions. Those of a user's own world teach its lessons along with the form.
        planner: who names the next sub-goal; default: nobody does.
        max_tokens: of one answer.
        recent: steps that a prompt shows.
        most_shown: actions that a prompt shows as they are. Of more, kinds stand for their members, such as "focus on ...", and a
            model that names a kind is asked again, among these. One that was trained on the form of its prompts is shown all.

    Raises:
        InvalidInput: if there is no such form, or instructions or demonstrations are given beside one.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        form: Way | None = None,
        instructions: str | None = None,
        demonstrations: Sequence[tuple[str, str]] | None = None,
        planner: ChatModel | None = None,
        max_tokens: int = 128,
        recent: int = 12,
        most_shown: int = MOST_SHOWN,
    ) -> None:
        if form is not None and (instructions is not None or demonstrations is not None):
            raise InvalidInput(
                f"the form {form!r} has instructions and demonstrations of its own; name it, or say yours"
            )
        self.model, self.planner = model, planner
        self._named = None if form is None else form_of(form)
        if instructions is not None or demonstrations is not None:
            said = ACTING if instructions is None else instructions
            default = ACTED if said == ACTING else ()
            shown = default if demonstrations is None else tuple(demonstrations)
            self._named = Form("its own", said, shown, is_guidance_last=bool(said))
        self._sampling = Sampling(max_tokens=max_tokens)
        self._recent = recent
        self._most_shown = check_count(most_shown, "most_shown")

    def act(self, situation: Situation) -> ModelAct:
        """Return the next action; one call, one more with a planner, and one for each kind of very many actions that it names.

        What brought nothing since something last changed is not offered again, unless nothing else is left.
        Of several that an answer lists, the first is meant that guidance names.
        An answer that names what is not offered now means the one action that guidance names, if it names one.
        An answer that speaks of what is offered and means none of it becomes the action that has most words in common with it: one that
        cannot be taken, or was in vain, would be a step lost. Any other answer is taken as it stands: the environment says
        what it makes of it.
        A thought is never taken for one, and neither is an answer that was cut off: both are asked for again.

        Raises:
            NoAnswer: if the model comes to no answer, asked twice, or tells no log-probabilities to a form that
                needs them.
            ModelUnavailable: if a model cannot be asked.
        """
        actions, sub_goal, planning = situation.actions, "", NO_USAGE
        if self.planner is not None:
            asked = ask_sub_goal(situation, recent=self._recent)
            aim = self._ask(self.planner, AIMING, asked)
            sub_goal, planning = " ".join(aim.text.split()), aim.usage
        offered = actions
        if actions is not None and self.instructions:
            seen = (situation.first, situation.history)
            offered = still_worth_trying(actions, *seen, situation.may_change)
            told = timely(situation.guidance, *seen, actions, situation.may_change)
            situation = replace(situation, guidance=told.guidance)
            offered = tuple(one for one in offered if one not in told.aside) or offered
        form = self.form if self.form.fits(offered, situation.guidance) else FORMS["shown"]
        if form.is_scored and offered is not None:
            return self._likeliest(form, situation, offered, sub_goal, planning)
        act = self._asked(form, situation, offered, sub_goal)
        action = act.action
        if offered and action not in offered and self.instructions:
            is_withheld = action in (actions or ())
            named = _named(offered, situation.guidance, actions or ()) if is_withheld else []
            due = named[0] if len(named) == 1 else ""
            action = due or nearest_action(action, offered) or action
        return replace(act, action=action, planning=planning)

    def _asked(
        self, form: Form, situation: Situation, offered: Sequence[str] | None, sub_goal: str
    ) -> ModelAct:
        """Return what the model means to do. Of very many actions it may name a kind first; then it is asked among these."""
        thought, usage, among = list[str](), NO_USAGE, offered
        while True:
            shown = self._narrowed(situation, among)
            has_kinds = len(shown or ()) < len(among or ())
            prompt = self._prompt(form, situation, shown, sub_goal, has_kinds=has_kinds)
            listed = partial(self._listed, prompt=prompt, situation=situation, offered=offered)
            reply = self._ask(
                self.model, form.instructions, prompt, form.demonstrations, is_enough=listed
            )
            usage += reply.usage
            thought.append(f"{reply.thought}\n{reply.text}".strip())
            answer = unescape(final_answer(reply.text), seen_in=prompt)
            if offered is not None:  # where nobody knows them, an object may be one
                answer = unwrapped(answer)
            meant = form.labelled(answer, shown) or listed(reply.text)
            # An action may be all that a kind begins with: "look ..." is not "look".
            kind = named_kind(reply.text, answer, shown) if has_kinds else None
            action = meant or kind or meant_action(answer, offered) or answer
            fitting = fitting_actions(action, among or ()) if has_kinds else []
            if action in (among or ()) or not 1 < len(fitting) < len(among or ()):
                return ModelAct(action, "\n".join(thought), usage, sub_goal=sub_goal)
            among = fitting

    @cached_property
    def form(self) -> Form:
        """How actions are asked for. Raises ModelUnavailable where that is to be looked up and cannot be."""
        return self._named or FORMS[asking_of(self.model).way]

    @property
    def instructions(self) -> str:
        """What is said as the system's message."""
        return self.form.instructions

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
        *,
        is_enough: Callable[[str], object] = lambda said: False,
    ) -> Reply:
        messages = conversation(instructions, prompt, demonstrations)
        return ask_text(model, messages, sampling=self._sampling, is_enough=is_enough)

    def _listed(
        self, said: str, *, prompt: Prompt, situation: Situation, offered: Sequence[str] | None
    ) -> str:
        """Return which of several actions is meant that an answer lists: the first that guidance names, else the first."""
        if not self.instructions:
            return ""
        actions = offered or ()
        listed = listed_actions(unescape(final_answer(said), seen_in=prompt), actions)
        return next(iter(_named(listed, situation.guidance, actions) or listed), "")

    def _narrowed(
        self, situation: Situation, offered: Sequence[str] | None
    ) -> Sequence[str] | None:
        """Return the actions that a prompt shows."""
        if offered is None or not self.instructions:
            return offered
        told = [action for one in situation.stretches for action, _ in one.steps]
        said = (situation.goal, situation.plan, *situation.guidance, *told)
        return shortlist(offered, said, self._most_shown)

    def _prompt(
        self,
        form: Form,
        situation: Situation,
        offered: Sequence[str] | None,
        sub_goal: str,
        *,
        has_kinds: bool = False,
    ) -> Prompt:
        return ask_action(
            guidance=situation.guidance,
            goal=situation.goal,
            scene=situation.first,
            history=situation.history[-self._recent :],
            actions=offered,
            passages=situation.passages,
            plan=situation.plan,
            sub_goal=sub_goal,
            labels=form.labels_of(offered),
            is_guidance_last=form.is_guidance_last,
            stretches=situation.stretches if form.instructions else (),
            has_kinds=has_kinds,
        )

    def _likeliest(
        self,
        form: Form,
        situation: Situation,
        offered: Sequence[str],
        sub_goal: str,
        planning: Usage,
    ) -> ModelAct:
        """Return the action whose label is likeliest over two orders; what favours a place or a letter cancels out."""
        scores, usage = dict.fromkeys(offered, 0.0), NO_USAGE
        for order in orders_of(offered):
            prompt = self._prompt(form, situation, order, sub_goal)
            messages = conversation(form.instructions, prompt, form.demonstrations)
            reply = self.model.chat(messages, sampling=FIRST_TOKEN)
            usage += reply.usage
            if not reply.logprobs or not reply.logprobs[0].others:
                raise NoAnswer(
                    f"{self.model.name} tells no log-probabilities, so actions cannot be scored; use another form "
                    "(`agentcl model tune` finds one)"
                )
            found = likelihoods(reply.logprobs[0], form.labels_of(order))
            for action, logprob in zip(order, found, strict=True):
                scores[action] += logprob
        best = max(scores, key=scores.__getitem__)
        return ModelAct(best, "", usage, planning, sub_goal)


def _named(among: Sequence[str], guidance: Sequence[str], actions: Sequence[str]) -> list[str]:
    """Return which of some actions guidance names, where all of `actions` could be meant."""
    return [one for one in among if any(is_named(one, text, actions) for text in guidance)]
