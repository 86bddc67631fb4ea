"""An agent with tools: a plain loop around a frozen model, with memory around it.

    agent = ToolAgent(memory, model, [Tool.of(look_up, changes=False), refund], application="desk")
    done = agent.run("Ada wants her money back for order A17.", user="ada")
    memory.episodes.score(done.episode, 1.0, user="ada")  # once it is known

Recall, ask the model, check its calls, make and record them, ask again. This file is meant to be copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Unpack

from agentcl.agents.agent import Budget
from agentcl.agents.tool_prompts import HELD, WORKING
from agentcl.agents.tool_talk import Form, ToolTalk
from agentcl.agents.tools import Fate, Tool, Wanted, read_call, storable
from agentcl.agents.transcript import ANSWERED
from agentcl.errors import InvalidInput, NoAnswer
from agentcl.models.base import ChatModel, Reply
from agentcl.models.calling import ToolModel
from agentcl.store.checks import WriteScope, check_count
from agentcl.store.usage import NO_USAGE, Usage

if TYPE_CHECKING:
    from agentcl.memory.episodes.recall import EpisodeRecall
    from agentcl.memory.episodes.recording import EpisodeRecorder
    from agentcl.memory.memory import Memory

_VAIN: Final = 3  # turns in a row without a call that could be made: it will not find one
_IN_VAIN: Final = ("unusable", "refused", "repeated")
_REPEATED: Final = "error: this was done already, and is not done again; it gave"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One call of a tool, and what came of it."""

    name: str
    arguments: Mapping[str, Any]  # empty where they could not be used
    outcome: str  # as the model was told
    fate: Fate


@dataclass(frozen=True, slots=True)
class ToolRun:
    """What became of a task."""

    answer: str  # the model's last words; empty where it was stopped
    episode: str  # the id by which `memory.episodes.score` takes the outcome
    calls: tuple[ToolResult, ...]
    usage: Usage
    stopped: str  # why there is no answer, as "stopped: ..."; empty where there is one
    note: str  # what was done otherwise than asked


class ToolAgent:
    """Does tasks with tools and a frozen model. Safe for threads if its tools are.

    Lessons and documents are recalled before the first turn, and lessons again before calls that may change
    something. Where there are new ones, those calls are not made: the model is told the lessons and decides again.

    Args:
        memory: what is recalled, and where episodes are kept.
        model: who decides.
        tools: what it can call; a plain function counts as one that may change something.
        instructions: the system's message.
        tool_calls: "native" by the endpoint's own calls, "prompt" in words, "auto" in words where those do not work.
        approve: asked before a call that may change something, with the tool's name and the arguments. Only True
            lets it be made; a text is told to the model as the reason.
        application: as `Memory.episode` has it.
        documents: passages to search for.
        demonstrations: past stretches that are taken for a task, as `EpisodeRecorder.recall` has it.
        budget: of one task; its steps are calls, failed ones too.
        max_turns: answers of the model for one task.
        answer_tokens: of one answer.
        result_chars: of a result, that the model is told and the episode keeps.

    Raises:
        InvalidInput: if there is no tool, two have one name, parameters are no JSON Schema, or the model has no native
            calls.
        MissingExtra: if `jsonschema` is not installed.
    """

    def __init__(
        self,
        memory: Memory,
        model: ChatModel,
        tools: Sequence[Tool | Callable[..., object]],
        *,
        instructions: str = WORKING,
        tool_calls: Form = "auto",
        approve: Callable[[str, Mapping[str, Any]], bool | str] | None = None,
        application: str = "",
        documents: int = 0,
        demonstrations: int = 0,
        budget: Budget = Budget(steps=24),  # noqa: B008  # frozen
        max_turns: int = 12,
        answer_tokens: int = 1_024,
        result_chars: int = 4_000,
    ) -> None:
        made = [tool if isinstance(tool, Tool) else Tool.of(tool) for tool in tools]
        for tool in made:
            tool.check()
        self.tools = {tool.name: tool for tool in made}
        if not made:
            raise InvalidInput(
                "an agent with tools needs a tool: ToolAgent(memory, model, [look_up])"
            )
        if len(self.tools) < len(made):
            raise InvalidInput(f"two tools have one name: {', '.join(tool.name for tool in made)}")
        if tool_calls == "native" and not isinstance(model, ToolModel):
            raise InvalidInput(
                f'{model.name} has no tool calls of its own; use tool_calls="prompt"'
            )
        self.memory, self.model, self.form = memory, model, tool_calls
        self.offers = [tool.offer for tool in made]
        self.instructions, self.approve = instructions, approve
        self.application, self.documents = application, documents
        self.demonstrations = check_count(demonstrations, "demonstrations", least=0)
        self.budget, self.max_turns = budget, max_turns
        self.answer_tokens, self.result_chars = answer_tokens, result_chars

    def run(
        self, task: str, *, family: str = "", world: str = "", seed: int | None = None,
        is_frozen: bool = False, **scope: Unpack[WriteScope],
    ) -> ToolRun:  # fmt: skip
        """Do a task; what comes after the task is as `Memory.episode` has it.

        Raises:
            ModelUnavailable: if the model cannot be asked; the episode is kept as interrupted.
        """
        with self.memory.episode(
            task, application=self.application, family=family, world=world, seed=seed,
            model=self.model.name, budget_tokens=self.budget.guidance_tokens, is_frozen=is_frozen, **scope,
        ) as episode:  # fmt: skip
            work = _Work(self, episode, task)
            answer = work.until_over()
            episode.finish(None, end=work.stopped or f"{ANSWERED}{answer}")
        self.form = work.talk.form  # what an endpoint refuses is not tried again
        return ToolRun(
            answer, episode.id, tuple(work.made), work.usage, work.stopped, work.talk.note
        )


class _Work:
    """A task under way."""

    def __init__(self, agent: ToolAgent, episode: EpisodeRecorder, task: str) -> None:
        recalled = episode.recall(
            task, documents=agent.documents, demonstrations=agent.demonstrations
        )
        self.talk = ToolTalk(
            agent.model, agent.offers, form=agent.form, instructions=agent.instructions,
            max_tokens=agent.answer_tokens, task=task, recalled=recalled,
        )  # fmt: skip
        self.made: list[ToolResult] = []
        self._done: dict[str, str] = {}  # by call, what came of it
        self.usage, self.stopped = NO_USAGE, ""
        self._agent, self._episode, self._task = agent, episode, task
        self._seen = task
        self._turns, self._vain, self._started = 0, 0, time.monotonic()

    def until_over(self) -> str:
        """Return the answer; empty where it was stopped."""
        while not self._is_over():
            try:
                reply = self.talk.ask()
            except NoAnswer as error:
                self.stopped = f"stopped: {error}"
                break
            self._turns += 1
            self.usage += reply.usage
            self._episode.spend("act", reply.usage)
            if not reply.calls:
                return storable(reply.text)
            self._make(reply)
        return ""

    def _is_over(self) -> bool:
        budget = self._agent.budget
        for most, used, what in (
            (self._agent.max_turns, self._turns, "turns"),
            (budget.steps, len(self.made), "calls"),
            (budget.tokens, self.usage.tokens, "tokens"),
            (budget.seconds, time.monotonic() - self._started, "seconds"),
        ):
            if most is not None and used >= most:
                self.stopped = f"stopped: {most:,} {what} are used up"
        if self._vain >= _VAIN:
            self.stopped = (
                f"stopped: no call could be made {_VAIN} times in a row; the last: {self._seen}"
            )
        return bool(self.stopped)

    def _make(self, reply: Reply) -> None:
        """Make the calls of one turn in their order, record them, and tell the model what came of them."""
        left = None if (most := self._agent.budget.steps) is None else most - len(self.made)
        shown = self.talk.shown
        wanted = [read_call(call, self._agent.tools, seen_in=shown) for call in reply.calls[:left]]
        news = self._news(wanted)
        results: list[ToolResult] = []
        for call in wanted:
            result = self._result(call, news)
            self._episode.step(self._seen, call.line, result.outcome, thought=storable(reply.text))
            results.append(result)
            if result.fate == "done":
                self._done[call.line] = result.outcome
        self.made += results
        self._seen = "\n".join(result.outcome for result in results)
        is_vain = all(result.fate in _IN_VAIN for result in results)
        self._vain = self._vain + 1 if is_vain else 0
        self.talk.tell([(result.name, result.outcome) for result in results], news)

    def _news(self, wanted: Sequence[Wanted]) -> EpisodeRecall | None:
        """Return the lessons on the changes that are about to be made, if there are any that were not told yet."""
        changes = [call.line for call in wanted if _is_change(call)]
        if not changes:
            return None
        seen = "\n".join(dict.fromkeys((self._task, self._seen)))
        recalled = self._episode.recall(seen, about_to="\n".join(changes))
        return replace(recalled, lessons=recalled.new) if recalled.new else None

    def _result(self, call: Wanted, news: EpisodeRecall | None) -> ToolResult:
        fate, told = self._come_of(call, news)
        outcome = storable(told)
        if len(outcome) > (most := self._agent.result_chars):
            outcome = f"{outcome[:most]}... (cut: {most:,} of {len(outcome):,} characters)"
        return ToolResult(call.name, call.arguments, outcome, fate)

    def _come_of(self, call: Wanted, news: EpisodeRecall | None) -> tuple[Fate, str]:
        """Call a tool, unless something speaks against it."""
        if call.tool is None or call.problem:
            return "unusable", call.problem
        if _is_change(call) and not call.tool.repeats and call.line in self._done:
            return "repeated", f"{_REPEATED}: {self._done[call.line]}"
        if news and _is_change(call):
            return "held", HELD
        if self._agent.approve and _is_change(call):
            verdict = self._agent.approve(call.name, call.arguments)
            if verdict is not True:
                why = verdict or "no reason was given"
                return "refused", f"error: this call was not approved: {why}"
        return call.tool.call(call.arguments)


def _is_change(call: Wanted) -> bool:
    return call.tool is not None and call.tool.changes and not call.problem
