"""What the scripted clerk understands: what a customer wants, and which facts a record or a lesson speaks of."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from agentcl.envs.domains.desk.phrasings import phrasings
from agentcl.envs.domains.desk.policy import (
    GOODS,
    ITEMS,
    KINDS,
    PAYMENTS,
    PERIODS,
    STAGES,
    UNDER_WAY,
    WISHES,
)
from agentcl.text.terms import terms

_SAID: Final[Mapping[str, tuple[str, ...]]] = {
    "period": PERIODS, "stage": (*STAGES, UNDER_WAY), "kind": KINDS, "payment": PAYMENTS, "goods": GOODS,
}  # fmt: skip
_PRICE: Final = re.compile(r"\bcost (less than |at least )?(\d+) euros")
_DEAREST: Final = max(price for _, price in ITEMS.values())
_NAMED: Final[Mapping[str, str]] = {  # how a lesson says of which wish it speaks
    "return": "return", "broken": "broken", "late": "is late", "cancel": "cancel", "address": "change the address",
}  # fmt: skip
_BLANK: Final = re.compile(r"\{(?:item|order)\}")
_ADDRESS: Final = re.compile(r"\{address\}|\b\d+ [A-Z]\w+ [A-Z]\w+, [A-Z]\w+")


def facts_in(text: str) -> dict[str, frozenset[str]]:
    """Return the facts that a text names: several of one kind where it says "or"."""
    found = {
        of: frozenset(one for one in said if one in text)
        for of, said in _SAID.items()
        if any(one in text for one in said)
    }
    if price := _PRICE.search(text):
        bound, euros = price[1] or "", int(price[2])
        low = 0 if bound == "less than " else euros
        high = euros - 1 if bound == "less than " else _DEAREST if bound else euros
        found["price"] = frozenset(str(n) for _, n in ITEMS.values() if low <= n <= high)
    return found


def named_wish(text: str) -> str:
    """Return of which wish a lesson says that it speaks; empty if of none, or of several."""
    found = [wish for wish, said in _NAMED.items() if said in text]
    return found[0] if len(found) == 1 else ""


def wish_in(message: str, state: str = "") -> str:
    """Return what a customer most likely wants, by the words of the usual phrasings (naive Bayes).

    Args:
        message: of the customer.
        state: what the system says of where the order is; it leaves fewer wishes to choose from.
    """
    said = _words(message)
    counts, vocabulary = _counts()

    def likelihood(wish: str) -> float:
        every = counts[wish].total() + len(vocabulary) / 2
        known = (word for word in said if word in vocabulary)
        return sum(math.log((counts[wish][word] + 0.5) / every) for word in known)

    return max(_wishes_of(state), key=likelihood)


def _wishes_of(state: str) -> Sequence[str]:
    if UNDER_WAY in state:
        return ("late",)
    if any(stage in state for stage in STAGES):
        return ("cancel", "address")
    return ("return", "broken") if state else WISHES


@cache
def _counts() -> tuple[dict[str, Counter[str]], frozenset[str]]:
    counts = {
        wish: Counter(
            word for text in phrasings(wish) for word in set(_words(_BLANK.sub("", text)))
        )
        for wish in WISHES
    }
    return counts, frozenset(word for count in counts.values() for word in count)


def _words(text: str) -> list[str]:
    """Return the stems of a text; an address, whichever it is, is one word."""
    return terms(_ADDRESS.sub("address", text))
