"""Which values of one slot are the same in other words: rather too few than one too many.

Two values that are taken for one, and are two, hide something that somebody said. An encoder holds "left knee" and
"right knee" for nearly the same. So it is asked only where one value has all words of the other one, and where numbers,
signs and what negates are the same. Values are grouped only where each is like every other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from agentcl.statements.slots import value_key
from agentcl.text.terms import signs, terms

Cosine = Callable[[str, str], float]
# Cosine of MiniLM far above which no two different values of the made conversations lie (benchmarks/alike_values.py).
NEAR: Final = 0.9
MEASURED: Final = (
    "minilm"  # the encoder that this is measured with: cosines of others mean something else
)
_EMPTY: Final = frozenset("a an the my his her its our your their of is are s".split())  # noqa: SIM905
_NEGATING: Final = frozenset(
    "not no never none neither nor without except non anti un dont doesnt t only less instead rather than but".split()  # noqa: SIM905
)


def grouped(
    values: Sequence[str], cosine: Cosine | None = None, near: float = NEAR
) -> list[list[str]]:
    """Return values in groups that say the same, each as it comes.

    Args:
        values: of one slot, those first whose words are to be kept.
        cosine: of two values by their meaning; None: only words count.
        near: cosine from which two values are the same.
    """
    groups: list[list[str]] = []
    for value in dict.fromkeys(values):
        own = next((g for g in groups if all(_is_same(value, o, cosine, near) for o in g)), None)
        if own is None:
            groups.append([value])
        else:
            own.append(value)
    return groups


def is_same_by_words(one: str, other: str) -> bool:
    """Return whether two values have the same words, whatever their order, but for those that say nothing."""
    return value_key(one) == value_key(other) or _words(one) == _words(other) != []


def may_be_same(one: str, other: str) -> bool:
    """Return whether one value only adds words to the other, and no number, sign or negation."""
    own, others = set(_words(one)), set(_words(other))
    return (own <= others or others <= own) and _fixed(one) == _fixed(other)


def _is_same(one: str, other: str, cosine: Cosine | None, near: float) -> bool:
    if is_same_by_words(one, other):
        return True
    return cosine is not None and may_be_same(one, other) and cosine(one, other) >= near


def _words(value: str) -> list[str]:
    held = terms(value)
    bare = sorted(word for word in held if word not in _EMPTY)
    return [*bare, signs(value)] if bare else []


def _fixed(value: str) -> tuple[list[str], str]:
    held = terms(value)
    kept = [word for word in held if word in _NEGATING or any(char.isdigit() for char in word)]
    return sorted(kept), signs(value)
