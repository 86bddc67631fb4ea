"""What is said to hold: read out of turns, and settled by a rule that no model has a part in."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.statements.reading import Assertion, Digested, Digester, Wish

__all__ = ["Assertion", "Digested", "Digester", "Wish"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "reading": "Assertion Digested Digester Wish",
    })  # fmt: skip
