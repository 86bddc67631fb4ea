"""Which admissible action a model means by what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from agentcl.text.terms import terms

_EMPTY: Final = frozenset({"a", "an", "the", "it", "them", "this", "that"})  # name nothing
_NEGATIONS: Final = frozenset({"not", "never", "dont", "instead"})


def meant_action(said: str, actions: Iterable[str] | None) -> str | None:
    """Return the admissible action that is meant by `said`; None if none, or more than one, may be.

    The same but for case and quotes is meant; so is, of several lines, the first. Else words are compared
    by their stems, like CLIN's matcher does (Majumder et al. 2023), but no word is ever taken for another:
    an action is meant if all its words are said in their order, whatever is said around them, or if all
    that is said is in the action in that order, with its verb. The one with the most words in common wins.
    """
    offered = list(actions or ())
    for text in dict.fromkeys((said, said.strip().partition("\n")[0])):
        bare = _bare(text)
        for action in offered:
            if _bare(action) == bare:
                return action
    words = _stems(said)
    if not words:
        return None
    best: list[str] = []
    most = 0
    for action in offered:
        common = _common(words, _stems(action))
        if common > most:
            best, most = [action], common
        elif common == most and common:
            best.append(action)
    return best[0] if len(best) == 1 else None


def fitting_actions(said: str, actions: Sequence[str]) -> list[str]:
    """Return the actions that hold all words of what was said, in that order and with their verb: what it leaves open."""
    words = _stems(said)
    return [
        one for one in actions if (stems := _stems(one))[:1] == words[:1] and _holds(stems, words)
    ]


def listed_actions(said: str, actions: Iterable[str]) -> list[str]:
    """Return the actions that an answer says one after the other, as they stand in a prompt: "drain it; restart it; ..."."""
    offered = {_bare(action): action for action in actions}
    line = said.partition("\n")[0]
    if ";" not in line or _bare(line) in offered:  # as that of a statement in SQL
        return []
    parts = map(_bare, line.split(";"))
    return [*dict.fromkeys(offered[part] for part in parts if part in offered)]


def nearest_action(said: str, actions: Sequence[str]) -> str | None:
    """Return the action that has most words in common with what was said, of equal ones the first; None if none has any."""
    words = set(_stems(said))
    common = [len(words.intersection(_stems(action))) for action in actions]
    return actions[common.index(max(common))] if any(common) else None


def _common(said: Sequence[str], action: Sequence[str]) -> int:
    """Return how many words are common to both if one holds the other, else 0."""
    if not action or action[0] not in said:
        return 0
    if _NEGATIONS.intersection(said) - set(action):
        return 0
    if _holds(said, action) or _holds(action, said):
        return min(len(said), len(action))
    return 0


def _holds(longer: Sequence[str], shorter: Sequence[str]) -> bool:
    """Return whether the words of `shorter` are in `longer`, in that order."""
    rest = iter(longer)
    return all(word in rest for word in shorter)


def _stems(text: str) -> list[str]:
    return [word for word in terms(text.replace("n't", " not")) if word not in _EMPTY]


def _bare(text: str) -> str:
    return text.strip().strip("\"'`*.").strip().casefold()
