"""What was said before it changed: a question about what is so is not answered by what a newer turn has replaced.

"Which phone do I have?" finds each phone that was ever spoken of. Nobody has to have read the turns for this. An older
turn is left out where a newer one is alike, answers nearly as well, and says that something changed, or gives another
number of the same unit or another weekday. What a question asks of the past, of what happened, of reasons, or of all
there is, finds all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from agentcl.memory.opened import Opened
from agentcl.memory.statements.comparing import sound_vectors
from agentcl.retrieval.recall import Hit
from agentcl.statements.alike import MEASURED
from agentcl.statements.english.hearing import asked_in
from agentcl.store.records import EPOCH

# Chosen on the natural dialogues of `benchmarks/holding.py`, where things change, and on LoCoMo, where little does: there a
# quarter of a point of the evidence is left out. Without the words of change it would be twelve points.
_ALIKE: Final = 0.3  # cosine of MiniLM from which two turns are about the same
_AS_WELL: Final = 0.6  # of the older one's relevance
_SAYS_SO: Final = 0.25  # of the newer turn's characters, in sentences that state a change
_COMPARED: Final = 24  # the best ones
_MOST_READ: Final = 2_000  # characters of a turn
_CORRECTS: Final = 0.15  # cosine of a turn and what it corrects
_SOON: Final = timedelta(minutes=30)
_IS_SO: Final = re.compile(
    r"\b(?:is|are|am|do|does|should|can|will|must|now|still|currently|current)\b|\w's\b",
    re.IGNORECASE,
)
_WAS_SO: Final = re.compile(
    r"\b(?:was|were|did|had|ever)\b|^\W*(?:since|from) when\b", re.IGNORECASE
)
# "Which instruments do I play?" asks for all of them.
_ALL: Final = re.compile(
    r"\b(?:which|what|whose)\s+(?:(?:kinds?|types?|sorts?)\s+of\s+|other\s+|all\s+)?(?:\w+\s+)?(?!does|is|was|has|always|this)\w+[^su\W]s\b",
    re.IGNORECASE,
)
_OPEN: Final = re.compile(
    r"\b(?:why|how (?:do|does|is|are|has|have|can|should|might|would)|what (?:(?:kinds?|types?|sorts?) of|are)|both|might|would|"
    r"what (?:do|does) \w+(?:'s)? (?:\w+ )?(?:say|think|feel|mention|like|believe|enjoy|appreciate|want|do)|advice|plans?|goals?|"
    r"reason|excited|interested|recurring|besides)\b",
    re.IGNORECASE,
)
_CHANGE: Final = re.compile(
    r"\b(?:now|no longer|any ?more|instead of|chang(?:ed|es) (?:its?|my|our|the|jobs?|to)|\w{1,30} changed|switched|"
    r"moved?(?= (?:to|from|my|the|on|in|closer))|got moved|dropped|stop(?:ped)?|left|replaced|renamed|swapped|"
    r"gave (?:up|the|it)|given up|sold|sent \w{1,30} (?:\w{1,30} )?back|as of|back (?:to|on)|on \w{1,30} (?:\w{1,30} )?again|"
    r"from now on|from this week|since last|new name|raised|only|jetzt|umgestellt|verschoben|nicht mehr|ahora|ya no|"
    r"cambi\w{1,10})\b|, not \w|[\u6362\u6539\u53c8]|\u4e0d\u518d|\u73b0\u5728|\u53ea\u7528",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s*")
_NUMBER: Final = re.compile(r"(?<![\w.,])(\d[\d.,]*+)\s?([a-z]{2,20})\b", re.IGNORECASE)
_WEEKDAY: Final = re.compile(r"\b(mon|tues|wednes|thurs|fri|satur|sun)days?\b", re.IGNORECASE)
_NOW: Final = re.compile(r"\b(?:now|still|currently|current)\b", re.IGNORECASE)
_CORRECTION: Final = re.compile(
    r"^\W*(?:(?:oh|ah|oops|ok|okay|yes|well)\W+)*(?:sorry|wait|i mixed|i meant|correction|scratch that|hang on|hold on|my mistake)\b",
    re.IGNORECASE,
)


def asks_what_is_so(query: str, *, at_a_time: bool = False) -> bool:
    """Return whether a query asks what is so now, and not what was, what happened, why, or for everything of a kind.

    Args:
        query: a message of a user.
        at_a_time: it names a time before now, and so may ask what was so then.
    """
    if "?" not in query and not asked_in(query):
        return False
    if _OPEN.search(query) or (_ALL.search(query) and not _NOW.search(query)):
        return False
    return at_a_time or (not _WAS_SO.search(query) and _IS_SO.search(query) is not None)


def covered(
    opened: Opened, found: Sequence[tuple[Hit, float]], *, of_one_time: bool
) -> frozenset[str]:
    """Return the ids of turns that newer ones stand for; none with an encoder of which it is not known what is alike.

    Args:
        opened: the memory.
        found: hits with their relevance.
        of_one_time: whether what is asked was so at one time. If not, only corrections right after a turn count.
    """
    turns = [(hit, near) for hit, near in islice(found, _COMPARED) if hit.said_at is not None]
    if len(turns) < 2 or opened.is_lexical or opened.encoder_name() != MEASURED:
        return frozenset()
    alike = _cosines(opened, [hit for hit, _ in turns])
    said = [_Said.of(hit) for hit, _ in turns]
    gone = set()
    for at, (old, old_near) in enumerate(turns):
        for other, (new, new_near) in enumerate(turns):
            if said[other].at <= said[at].at:
                continue
            if old.metadata["conversation"] == new.metadata["conversation"]:
                is_covered = alike[at][other] >= _CORRECTS and _corrects(new, old)
            elif of_one_time and alike[at][other] >= _ALIKE:
                is_covered = new_near >= _AS_WELL * old_near and said[other].replaces(said[at])
            else:
                is_covered = False
            if is_covered:
                gone.add(old.document_id)
    return frozenset(gone)


@dataclass(frozen=True, slots=True)
class _Said:
    """What of a turn tells whether it replaces another one."""

    at: datetime
    states_change: bool
    numbers: Mapping[str, str]  # by their units
    weekdays: frozenset[str]

    @classmethod
    def of(cls, hit: Hit) -> _Said:
        text = hit.text[:_MOST_READ]
        stated = (one for one in _SENTENCE.split(text) if not one.rstrip("\"')").endswith("?"))
        changes = sum(len(one) for one in stated if _CHANGE.search(one))
        return cls(
            hit.said_at or EPOCH,
            changes >= _SAYS_SO * len(text),
            {unit.lower(): number for number, unit in _NUMBER.findall(text)},
            frozenset(day.lower() for day in _WEEKDAY.findall(text)),
        )

    def replaces(self, old: _Said) -> bool:
        if self.states_change or (
            self.weekdays and old.weekdays and not self.weekdays & old.weekdays
        ):
            return True
        return any(self.numbers.get(unit, number) != number for unit, number in old.numbers.items())


def _corrects(new: Hit, old: Hit) -> bool:
    """Return whether a turn of the user takes back what he said right before it."""
    assert new.said_at is not None
    assert old.said_at is not None
    is_own = new.metadata["role"] == old.metadata["role"] == "user"
    return is_own and new.said_at - old.said_at <= _SOON and _CORRECTION.match(new.text) is not None


def _cosines(opened: Opened, hits: Sequence[Hit]) -> list[list[float]]:
    """Return how alike each two are; nothing is alike to one whose vector is lacking."""
    import numpy as np

    seqs = [hit.seq for hit in hits]
    held = sound_vectors(opened.journal, seqs)
    dim = max((len(vector) for vector in held.values()), default=0)
    rows = [held.get(seq, b"") for seq in seqs]
    matrix = np.frombuffer(
        b"".join(row if len(row) == dim else bytes(dim) for row in rows), dtype="<f4"
    ).reshape(len(seqs), -1)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit = matrix / np.where(norms > 0, norms, 1.0)
    made: list[list[float]] = (unit @ unit.T).tolist()
    return made
