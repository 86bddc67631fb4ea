"""A conversation with a model that is offered tools: by the endpoint's own tool calls, or in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from agentcl.agents.tool_prompts import CALLING, INVENTED, WORKED, ask_on, ask_task, calls_in
from agentcl.errors import ModelUnavailable, NoAnswer, RequestRefused
from agentcl.models.base import ChatModel, Message, Reply, Sampling, Schema, conversation
from agentcl.models.calling import ToolModel, after_calls, after_words
from agentcl.models.structured import ask_text
from agentcl.text.answers import spoken
from agentcl.text.escaping import unescape

if TYPE_CHECKING:
    from agentcl.memory.episodes.recall import EpisodeRecall

logger = logging.getLogger(__name__)

Form = Literal["auto", "native", "prompt"]


class ToolTalk:
    """What is said about one task. In words, the tools and two demonstrations stand in the prompt.

    Args:
        model: who is asked.
        tools: what it is offered, as `Tool.offer` says it.
        form: "native", "prompt" (in words), or "auto": in words, where the first answer shows that native calls do not work.
        instructions: the system's message.
        max_tokens: of one answer.
        task: what is to be done.
        recalled: what memory has to say of it.
    """

    def __init__(
        self,
        model: ChatModel,
        tools: Sequence[Schema],
        *,
        form: Form,
        instructions: str,
        max_tokens: int,
        task: str,
        recalled: EpisodeRecall,
    ) -> None:
        self.form: Form = form if isinstance(model, ToolModel) else "prompt"
        self.note = ""  # why tools are called in words, where that was found out
        self._model, self._tools, self._instructions = model, tools, instructions
        self._sampling = Sampling(max_tokens=max_tokens)
        self._about = task, recalled
        self._messages = self._begun()

    @property
    def shown(self) -> str:
        """All that the model was told so far."""
        return "\n".join(message.content for message in self._messages)

    def ask(self) -> Reply:
        """Return the calls that the model wants made, also those that it wrote as words; else its answer.

        Raises:
            NoAnswer: if it neither calls anything nor says anything.
            ModelUnavailable: if it cannot be asked.
        """
        reply = self._asked()
        self._reply = replace(reply, text=reply.text.partition(INVENTED)[0])
        if self._reply.calls:
            return self._reply
        before, calls = calls_in(self._reply.text)
        if calls:
            return replace(self._reply, text=before, calls=calls)
        said = spoken(self._reply.text)
        if self.form == "prompt":
            said = said.rpartition("Answer:")[2]
        if not said.strip():
            why = "it was cut off" if self._reply.finish == "length" else "it said nothing"
            raise NoAnswer(f"{self._model.name} neither called a tool nor answered: {why}")
        return replace(self._reply, text=unescape(said.strip(), seen_in=self.shown))

    def tell(self, results: Sequence[tuple[str, str]], news: EpisodeRecall | None) -> None:
        """Tell what came of the calls, by the names of the tools, and what memory has to say now."""
        if not self._reply.calls:
            self._messages = after_words(self._messages, self._reply, ask_on(results, news))
            return
        each = [ask_on([one]) for one in results[:-1]] + [ask_on(results[-1:], news)]
        made = replace(self._reply, calls=self._reply.calls[: len(each)])
        self._messages = after_calls(self._messages, made, each)

    def _begun(self) -> list[Message]:
        in_words = self.form == "prompt"
        prompt = ask_task(*self._about, self._tools if in_words else ())
        said = f"{self._instructions}\n{CALLING}" if in_words else self._instructions
        return conversation(said, prompt, WORKED if in_words else ())

    def _asked(self) -> Reply:
        if self.form == "prompt" or not isinstance(self._model, ToolModel):
            sampling = replace(self._sampling, stop=(INVENTED,))
            return ask_text(self._model, self._messages, sampling=sampling)
        try:
            reply = self._model.chat_with_tools(
                self._messages, self._tools, sampling=self._sampling
            )
        except ModelUnavailable as error:
            # Some servers call it a fault of theirs that they were started without tool calls.
            is_about_tools = isinstance(error, RequestRefused) or "tool" in str(error).casefold()
            if self.form == "native" or not is_about_tools:
                raise
            return self._asked_in_words(f"the endpoint refuses them: {error}")
        if self.form == "auto" and not reply.calls and calls_in(reply.text)[1]:
            again = self._asked_in_words(
                "the model writes them where the endpoint does not see them"
            )
            return replace(again, usage=reply.usage + again.usage)
        self.form = "native"
        return reply

    def _asked_in_words(self, why: str) -> Reply:
        self.form = "prompt"
        self.note = f"tools are called in words: {why}"
        logger.warning("%s", self.note)
        self._messages = self._begun()
        return self._asked()
