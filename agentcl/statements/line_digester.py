"""`LineDigester`: a language model that was trained for it lists what a user states, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentcl.models.base import ChatModel, Message, Sampling
from agentcl.models.structured import ask_text
from agentcl.statements.lines import OwnTurn, heard, messages, read_lines, written
from agentcl.statements.reading import Digested
from agentcl.statements.rules import RuleDigester
from agentcl.statements.tagged import Tagged, added
from agentcl.store.conversations import Statement, Turn
from agentcl.text.tokens import estimate_tokens

_MOST_TOKENS: Final = 160  # of an answer
_USUAL_TOKENS: Final = 24
_BEHIND: Final = (
    12  # turns of the user that stand before one in the prompt; then only the last of these
)
_KEPT: Final = 4


class LineDigester:
    """Asks a language model, adapted to it, for what each turn of the user states. Safe for threads.

    An adapter of low rank teaches a small model to answer a turn with lines, as `agentcl.statements.lines` has them
    (`training/statements/README.md` says how it is trained). A model without it answers something else, which is left
    out and counted. What the user's own words do not bear out is, too. Dates are resolved by rules, and wishes to forget
    are read by them.

    Args:
        model: the adapted one, by the name under which it is served.
        name: what statements are noted as read by; default: the model's.
    """

    def __init__(self, model: ChatModel, *, name: str | None = None, rules: bool = True) -> None:
        self.name = name or f"lines:{model.name}"
        self._model = model
        self._sampling = Sampling(max_tokens=_MOST_TOKENS)
        self._rules = RuleDigester()
        self._with_rules = rules

    def tokens(self, turns: Sequence[Turn], known: Sequence[Statement]) -> int:
        """Estimate what reading turns takes, rather too much. A server's cache of prompts saves most of it."""
        asked: list[tuple[OwnTurn, str]] = []
        total = 0
        for one in heard([(turn.role, turn.text) for turn in turns]):
            prompt = messages(nearest(asked), one)
            total += sum(estimate_tokens(said.content) for said in prompt)
            total += _USUAL_TOKENS * (1 + min(len(asked), _BEHIND))
            asked.append((one, ""))
        return total

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what the turns say.

        Raises:
            NoAnswer: if the model answers nothing.
            ModelUnavailable: if it cannot be asked.
        """
        by_rule = self._rules.digest(turns, known)
        begun = by_rule if self._with_rules else Digested((), 0, by_rule.wishes)
        marked = list[tuple[int, list[Tagged]]]()
        dropped = 0
        for place, stated, lost in self._asked(turns):
            marked.append((place, stated))
            dropped += lost
        made = added(begun, marked, turns)
        return Digested(made.said, made.dropped + dropped, made.wishes)

    def _asked(self, turns: Sequence[Turn]) -> Iterator[tuple[int, list[Tagged], int]]:
        asked: list[tuple[OwnTurn, str]] = []
        for one in heard([(turn.role, turn.text) for turn in turns]):
            answer = self._answer(messages(nearest(asked), one))
            stated, lost = read_lines(answer, one)
            asked.append((one, written(stated)))
            yield one.turn, stated, lost

    def _answer(self, prompt: list[Message]) -> str:
        return ask_text(self._model, prompt, sampling=self._sampling).text


def nearest(asked: Sequence[tuple[OwnTurn, str]]) -> Sequence[tuple[OwnTurn, str]]:
    """Return the turns that stand in the prompt: cut seldom, so that a prompt begins like the one before."""
    over = max(0, len(asked) - _KEPT) // (_BEHIND - _KEPT) * (_BEHIND - _KEPT)
    return asked[over:]
