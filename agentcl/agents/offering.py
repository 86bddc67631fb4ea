"""What a model is shown of very many actions, and which of them an answer leaves open.

Some worlds offer hundreds at each step, which a small model neither reads nor keeps apart. CLIN lets its model say anything and
takes the nearest admissible action (Majumder et al. 2023). Here it is shown a list to copy from, in which a kind of action may
stand for its members, "focus on ...": what it says beyond that list counts, and where it names a kind it is asked among these.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

from agentcl.guidance.meaning.same import content

MOST_SHOWN: Final = 48  # actions that a prompt shows as they are
MORE: Final = "..."  # stands for what follows in the actions of a kind
_FEW: Final = 6  # kinds that a kind is written out as
_AROUND: Final = " \t\n\"'`*"  # what stands around an answer and says nothing


def shortlist(actions: Sequence[str], said: Iterable[str], most: int) -> tuple[str, ...]:
    """Return lines for actions, in their order: actions, and kinds of them as "focus on ...".

    Actions are of one kind that begin with the same words. Of more actions than `most`, kinds stand for their members. Those that
    texts speak of by these words are written out, the rarer the word the sooner (inverse document frequency, Spärck Jones 1972),
    as long as there are no more lines than that.

    Args:
        actions: what is offered.
        said: goal and guidance; not what was seen last, which would offer more of what was done last.
        most: how many actions are shown as they are.
    """
    if len(actions) <= most:
        return tuple(actions)
    kinds = [finer for kind in _kinds(actions) for finer in _split(kind)]
    names = [_name(kind) for kind in kinds]
    words = [frozenset(content(name)) for name in names]
    spread = Counter(word for one in words for word in one)
    spoken = frozenset(word for text in said for word in content(text))
    worth = [sum(1 / spread[word] for word in one & spoken) for one in words]
    room, written = most - len(kinds), set[int]()
    for at in sorted(range(len(kinds)), key=lambda at: (-worth[at], at)):
        if worth[at] and len(kinds[at]) - 1 <= room:
            room -= len(kinds[at]) - 1
            written.add(at)
    lines = [kind if at in written else [names[at]] for at, kind in enumerate(kinds)]
    return tuple(line for some in lines for line in some)


def named_kind(said: str, answer: str, shown: Iterable[str] | None) -> str | None:
    """Return the kind that an answer names as it was shown; None if it names none.

    Args:
        said: all that was said; it ends as the kind does.
        answer: what of it is the answer, whose dots may be cut off.
        shown: the lines of a prompt.
    """
    if not said.strip(_AROUND).endswith(MORE):
        return None
    named = f"{answer.strip(_AROUND + '.')} {MORE}".casefold()
    return next((line for line in shown or () if line.casefold() == named), None)


def _kinds(actions: Sequence[str]) -> list[list[str]]:
    """Return actions by what they begin with: by their first word in which they are not all alike."""
    split = [one.split() for one in actions]
    same = len(_common(split))
    kinds = defaultdict[tuple[str, ...], list[str]](list)
    for action, words in zip(actions, split, strict=True):
        kinds[tuple(words[: same + 1])].append(action)
    return list(kinds.values())


def _split(kind: list[str]) -> list[list[str]]:
    """Return the kinds that a kind is made of, if these are few: "look around", "look at ..." and "look in ..."."""
    finer = _kinds(kind)
    return finer if len(finer) <= _FEW and len(finer) * 2 <= len(kind) else [kind]


def _name(kind: Sequence[str]) -> str:
    """Return what stands for the actions of a kind: the words that all begin with."""
    if len(kind) == 1:
        return kind[0]
    return " ".join([*_common([one.split() for one in kind]), MORE])


def _common(split: Sequence[Sequence[str]]) -> list[str]:
    """Return the words that all begin with."""
    alike = takewhile(lambda column: len(set(column)) == 1, zip(*split, strict=False))
    return [column[0] for column in alike]
