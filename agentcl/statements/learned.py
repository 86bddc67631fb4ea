"""`LearnedDigester`: what rules and a small trained model read out of chat, without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentcl.statements.pieces import pieces
from agentcl.statements.reading import Digested
from agentcl.statements.rules import RuleDigester
from agentcl.statements.tagged import added
from agentcl.statements.tagging import StatementTagger, statement_tagger
from agentcl.store.conversations import Statement, Turn

_SURE: Final = 0.5  # of a value, that it is one, of its slot and owner


class LearnedDigester:
    """Reads statements by rules and by a small trained model. No language model is asked; the same each time.

    Rules go first: they are seldom wrong, and date what they read. The model adds what they miss. What the user's own
    words do not bear out is left out and counted.

    Args:
        tagger: the model; default: the one that comes with agentcl.
        sure: how likely a value has to be one, from 0 to 1. Less finds more, and more that is wrong.

    Raises:
        MissingExtra: if what the model needs is not installed (`agentcl[local]`).
    """

    name = "learned"

    def __init__(self, tagger: StatementTagger | None = None, *, sure: float = _SURE) -> None:
        self._tagger = tagger or statement_tagger()
        self._sure = sure
        self._rules = RuleDigester()

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return what turns say. Turns of other roles than the user's state nothing."""
        heard = list(pieces((turn.role, turn.text) for turn in turns))
        read = self._tagger.read([(piece.before, piece.text) for piece in heard], sure=self._sure)
        marked = [(piece.turn, stated) for piece, stated in zip(heard, read, strict=True)]
        return added(self._rules.digest(turns, known), marked, turns)
