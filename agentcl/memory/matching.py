"""Which lessons speak of a situation, by meaning: candidates by their vectors, then a learned decision.

Nothing is asked of a language model, unless one is given to check what is in doubt. Where the memory's encoder compares spelling, or the model that reads conditions
is not installed, lessons are matched by their words (`agentcl.guidance.relevance`).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import numpy as np

from agentcl.errors import EncoderUnavailable
from agentcl.guidance.decision import background, before_reading, decide, threshold
from agentcl.guidance.features import features, is_stated, sentences
from agentcl.memory.checking import ModelChecker, weighed
from agentcl.memory.opened import Opened
from agentcl.retrieval.conditions import (
    ConditionReader,
    Pair,
    ReadAlone,
    condition_reader,
    is_installed,
)
from agentcl.store.usage import NO_USAGE, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentcl.guidance.belief import LessonState
    from agentcl.guidance.examples import Example
    from agentcl.guidance.state import GuidanceState
    from agentcl.store.records import ScopeView

logger = logging.getLogger(__name__)
_CANDIDATES: Final = 16  # conditions that are read for one situation
_MOST_BY_WORDS: Final = 8  # of them by their words; thousands may share one condition
_MOST_OF_ONE: Final = 4  # lessons with the same condition, on average
_MOST_ALIKE: Final = 3  # lessons of experience that only may speak of it, in one situation
# How likely a lesson speaks of a situation that a model is asked about. On twelve domains (`training/matching`) a reader that is
# always right would lift F1 from 49 to 80 with 1.3 questions a situation; from 0.03 on, to 82 with 1.7.
DOUBTFUL: Final = (0.05, 0.8)
_KEPT: Final = 4_000  # conditions as they were read alone; 20 KB each


@dataclass(frozen=True, slots=True)
class Matches:
    """Which lessons speak of a situation."""

    by_id: Mapping[str, float]  # with how likely each does
    read: Mapping[str, float] | None = (
        None  # all that were read, likeliest first; None: matched by words
    )
    # By lesson: what was found of it when this very situation was seen before; that decides.
    used: Mapping[str, Example] = field(default_factory=dict)
    checked: Mapping[str, float] = field(
        default_factory=dict
    )  # by lesson, the log-odds by a model's word
    usage: Usage = NO_USAGE  # of that model


class Matcher:
    """Decides which lessons speak of a situation. One serves all threads of a memory."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.checker: ModelChecker | None = None  # of what is in doubt
        self._lock = threading.Lock()
        self._read: OrderedDict[str, ReadAlone] = OrderedDict()  # by condition
        # By tenant: of which rows, the lessons, and their vectors.
        self._matrices: dict[str, tuple[object, list[str], NDArray[np.float32]]] = {}

    def match(
        self,
        state: GuidanceState,
        situation: str,
        view: ScopeView,
        *,
        actions: Sequence[str] = (),
        application: str | None = "",
        world: str = "",
    ) -> Matches:
        """Return the lessons that speak of a situation, or of what has to come before an action.

        Args:
            state: what is believed.
            situation: what is seen.
            view: whose lessons may be shown.
            actions: what could be done; lessons on what an action needs are looked up by words.
            application: where the agent works; None: anywhere.
            world: where the same rules hold.
        """
        place = _Place(view, application, world)
        used = {
            id: one
            for id, one in state.used_in(situation, view).items()
            if place.is_offered(state.lessons[id])
        }
        matches = self._matches(state, situation, place, actions)
        found = {id: chance for id, chance in matches.by_id.items() if id not in used}
        found |= {id: 1.0 for id, one in used.items() if one.applies}
        return replace(matches, by_id=found, used=used)

    def _matches(
        self, state: GuidanceState, situation: str, place: _Place, actions: Sequence[str]
    ) -> Matches:
        """Return what speaks of a situation by words and meaning."""
        view = place.view
        by_words = state.covering("\n".join((situation, *actions)), view)
        if not self.is_by_meaning() or not situation.strip():
            return Matches(by_words)
        held = {
            id: share
            for id, share in by_words.items()
            if (made := state.lessons[id].guidance).claim == "needs"
            or is_stated(made.when, situation)
        }
        ids, chances = self._chances(state, situation, place, by_words)
        order = dict(sorted(zip(ids, chances, strict=True), key=lambda one: -one[1]))
        odds, usage = self._checked(state, situation, order, held)
        after = {id: weighed(chance, odds.get(id)) for id, chance in order.items()}
        order = dict(sorted(after.items(), key=lambda one: -one[1]))
        found = {id: chance for id, chance in order.items() if chance >= threshold()}
        sure = sum(state.lessons[id].guidance.claim == "do" for id in found)
        likelier = {
            id: one
            for id, one in order.items()
            if id not in odds and before_reading() < one < threshold()
        }
        found |= dict(islice(_of_experience(state, likelier), max(0, _MOST_ALIKE - sure)))
        return Matches(found | held, order, checked=odds, usage=usage)

    def _checked(
        self,
        state: GuidanceState,
        situation: str,
        chances: Mapping[str, float],
        sure: Collection[str],
    ) -> tuple[dict[str, float], Usage]:
        """Return what a model says of the lessons that are in doubt, by lesson, and what it took."""
        if self.checker is None:
            return {}, NO_USAGE
        least, most = DOUBTFUL
        doubtful = {
            id: state.lessons[id].guidance.when
            for id, chance in chances.items()
            if least <= chance < most and id not in sure
        }
        conditions = [*islice(dict.fromkeys(doubtful.values()), self.checker.most)]
        checked = self.checker.check(situation, conditions)
        odds = {id: checked.odds[when] for id, when in doubtful.items() if when in checked.odds}
        return odds, checked.usage

    def is_by_meaning(self) -> bool:
        """Return whether lessons are matched by more than their words."""
        return not self._opened.is_lexical and is_installed()

    def _chances(
        self,
        state: GuidanceState,
        situation: str,
        place: _Place,
        by_words: Mapping[str, float],
    ) -> tuple[list[str], list[float]]:
        """Return the lessons that were read, and how likely each speaks of a situation."""
        if not any(map(place.is_offered, state.lessons.values())):
            return [], []  # without opening a model
        reader = condition_reader()
        told = sentences(situation)
        text, *parts = reader.alone([situation, *told])
        seen = np.stack([text.vector, *(part.vector for part in parts)])
        likely = chain(islice(by_words, _MOST_BY_WORDS), self._by_likeness(state, situation, seen))
        offered = (id for id in likely if place.is_offered(state.lessons[id]))
        conditions_of = _by_condition(state, offered)
        if not conditions_of:  # the encoder is out of reach
            return [], []
        whens = [*conditions_of, *background()[: max(0, _CANDIDATES - len(conditions_of))]]
        conditions = self._alone(reader, whens)
        cosines = np.stack([one.vector for one in conditions]) @ seen.T
        best = cosines[:, 1:].max(1)
        pairs = [Pair(one, text, float(like)) for one, like in zip(conditions, best, strict=True)]
        numbers = features(
            whens,
            situation,
            whole=cosines[:, 0],
            parts=cosines[:, 1:],
            read=np.asarray(reader.together(pairs), np.float32),
        )
        read = dict(zip(conditions_of, decide(numbers), strict=False))
        chances = {id: read[when] for when, ids in conditions_of.items() for id in ids}
        return [*chances], [*chances.values()]

    def forget(self) -> None:
        """Drop what is kept of lessons."""
        with self._lock:
            self._read.clear()
            self._matrices.clear()
        if self.checker is not None:
            self.checker.forget()

    def _alone(self, reader: ConditionReader, whens: Sequence[str]) -> list[ReadAlone]:
        """Return conditions as they are read alone; the last ones are kept."""
        with self._lock:
            held = {when: self._read[when] for when in whens if when in self._read}
        new = [when for when in dict.fromkeys(whens) if when not in held]
        held |= zip(new, reader.alone(new), strict=True) if new else {}
        with self._lock:
            for when in held:
                self._read[when] = held[when]
                self._read.move_to_end(when)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return [held[when] for when in whens]

    def _by_likeness(
        self, state: GuidanceState, situation: str, seen: NDArray[np.float32]
    ) -> Iterator[str]:
        """Yield the lessons by how like their vectors are to those of a situation and its sentences."""
        if len(state.lessons) <= _CANDIDATES:
            yield from state.lessons
            return
        if self._opened.encoder_name() != "minilm":
            try:
                seen = np.frombuffer(self._opened.encode_query(situation), "<f4")[None]
            except EncoderUnavailable as error:
                logger.warning("lessons are looked for by their words: %s", error)
                return
        ids, matrix = self._matrix(state)
        likeness = (matrix @ seen.T).max(1)
        yield from (ids[at] for at in np.argsort(-likeness))

    def _matrix(self, state: GuidanceState) -> tuple[list[str], NDArray[np.float32]]:
        """Return all lessons of a tenant, and their stored vectors, of length 1, as rows."""
        journal = self._opened.journal
        seqs = tuple(one.seq for one in state.lessons.values())
        signature = journal.epoch(), seqs
        with self._lock:
            held = self._matrices.get(state.tenant)
            if held is None or held[0] != signature:
                vectors = journal.vectors(seqs)
                ids = [id for id, one in state.lessons.items() if one.seq in vectors]
                rows = [np.frombuffer(vectors[state.lessons[id].seq], "<f4") for id in ids]
                matrix = (
                    np.stack(rows) if rows else np.zeros((0, self._opened.spec.dim), np.float32)
                )
                matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
                held = self._matrices[state.tenant] = signature, ids, matrix
            return held[1], held[2]


def _by_condition(state: GuidanceState, ids: Iterable[str]) -> dict[str, dict[str, None]]:
    """Return the first conditions of lessons, each with those that have it."""
    found: dict[str, dict[str, None]] = {}
    for id in islice(ids, _CANDIDATES * _MOST_OF_ONE):
        when = state.lessons[id].guidance.when
        if when in found or len(found) < _CANDIDATES:
            found.setdefault(when, {})[id] = None
    return found


def _of_experience(state: GuidanceState, read: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the lessons of experience that say what to do.

    Such a lesson names the one situation that it was drawn from, and not all in which it holds. So it is tried where a
    situation may be like that one, and outcomes tell what it is worth there.
    """
    for id, chance in read.items():
        made = state.lessons[id].guidance
        if made.claim == "do" and made.origin == "experience":
            yield id, chance


@dataclass(frozen=True, slots=True)
class _Place:
    """Where lessons would be shown, and to whom."""

    view: ScopeView
    application: str | None
    world: str

    def is_offered(self, one: LessonState) -> bool:
        is_seen = self.view.sees(one.guidance.scope)
        if self.application is None:
            return is_seen
        return is_seen and one.is_offered(self.application, self.world)
