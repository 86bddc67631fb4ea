"""Which lessons speak of a situation, by meaning: candidates by their vectors, then a learned decision.

Nothing is asked of a language model, unless one is given to check what is in doubt. Where the memory's encoder compares spelling, or the model that reads conditions
is not installed, lessons are matched by their words (`agentcl.guidance.meaning.relevance`).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import numpy as np

from agentcl.errors import EncoderUnavailable
from agentcl.guidance.meaning.decision import background, decide, threshold
from agentcl.guidance.meaning.features import Seen, When, features, is_stated
from agentcl.memory.lessons.candidates import Candidates, by_condition
from agentcl.memory.lessons.checking import ModelChecker, weighed
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

    from agentcl.guidance.evidence.belief import Example, LessonState, LifeStage
    from agentcl.guidance.state import GuidanceState
    from agentcl.store.records import ScopeView

logger = logging.getLogger(__name__)
CANDIDATES: Final = 48  # conditions that are compared with each sentence of a situation
_AMONG: Final = 16  # conditions beside which each is weighed at the least
MOST_READ: Final = 6  # of them; reading all gives a lower F1, and takes more than twice as long (`training/matching`)
_MOST_BY_WORDS: Final = 8  # of them by their words
_MOST_ALIKE: Final = 3  # lessons of experience that only may speak of it, in one situation
_LEAST_ALIKE: Final = 1 / CANDIDATES  # how likely each does at least: likelier than any of those
# How likely a lesson speaks of a situation that a model is asked about. On twelve domains (`training/matching`) a reader that is
# always right would lift F1 from 49 to 80 with 1.3 questions a situation; from 0.03 on, to 82 with 1.7.
DOUBTFUL: Final = (0.05, 0.8)
_KEPT: Final = 4_000  # conditions as they were read; 20 KB each


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


def _on_trial(id: str) -> LifeStage:
    return "trial"


class Matcher:
    """Decides which lessons speak of a situation. One serves all threads of a memory."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.checker: ModelChecker | None = None  # of what is in doubt
        self._lock = threading.Lock()
        self._read: OrderedDict[str, tuple[When, ReadAlone]] = OrderedDict()  # by condition
        self._candidates: dict[str, Candidates] = {}  # by tenant

    def match(
        self,
        state: GuidanceState,
        situation: str,
        view: ScopeView,
        *,
        actions: Sequence[str] = (),
        application: str | None = "",
        world: str = "",
        stage_of: Callable[[str], LifeStage | None] = _on_trial,
    ) -> Matches:
        """Return the lessons that speak of a situation, or of what has to come before an action.

        Args:
            state: what is believed.
            situation: what is seen.
            view: whose lessons may be shown.
            actions: what could be done; lessons on what an action needs are looked up by words.
            application: where the agent works; None: anywhere.
            world: where the same rules hold.
            stage_of: tells the stage of a lesson, None of one that cannot be shown; default: all are on trial. What cannot be
                shown takes no room among those of experience that only may speak of it, and where one that proved itself
                speaks of it, none of these is tried.
        """
        place = _Place(view, application, world)
        used = {
            id: one
            for id, one in state.used_in(situation, view).items()
            if place.is_offered(state.lessons[id])
        }
        matches = self._matches(state, situation, place, actions, stage_of)
        found = {id: chance for id, chance in matches.by_id.items() if id not in used}
        found |= {id: 1.0 for id, one in used.items() if one.applies}
        return replace(matches, by_id=found, used=used)

    def _matches(
        self,
        state: GuidanceState,
        situation: str,
        place: _Place,
        actions: Sequence[str],
        stage_of: Callable[[str], LifeStage | None],
    ) -> Matches:
        """Return what speaks of a situation by words and meaning."""
        view = place.view
        by_words = state.covering("\n".join((situation, *actions)), view)
        if not self.is_by_meaning() or not situation.strip():
            return Matches(by_words)
        seen = Seen.of(situation)
        said = {
            when: is_stated(when, seen)
            for when in dict.fromkeys(state.lessons[id].guidance.when for id in by_words)
        }
        held = {
            id: share
            for id, share in by_words.items()
            if (made := state.lessons[id].guidance).claim == "needs" or said[made.when]
        }
        chances = self._chances(state, seen, place, by_words)
        order = dict(sorted(chances.items(), key=lambda one: -one[1]))
        odds, usage = self._checked(state, situation, order, held)
        after = {id: weighed(chance, odds.get(id)) for id, chance in order.items()}
        order = dict(sorted(after.items(), key=lambda one: -one[1]))
        found = {id: chance for id, chance in order.items() if chance >= threshold()}
        sure = [stage_of(id) for id in found if state.lessons[id].guidance.claim == "do"]
        if "active" not in sure:
            likelier = {
                id: one
                for id, one in order.items()
                if id not in odds and _LEAST_ALIKE < one < threshold()
            }
            tried = filter(stage_of, _of_experience(state, likelier))
            room = max(0, _MOST_ALIKE - len([*filter(None, sure)]))
            found |= {id: likelier[id] for id in islice(tried, room)}
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
        self, state: GuidanceState, seen: Seen, place: _Place, by_words: Iterable[str]
    ) -> dict[str, float]:
        """Return how likely each lesson that was read speaks of a situation."""
        if not any(map(place.is_offered, state.lessons.values())):
            return {}  # without opening a model
        reader = condition_reader()
        text, *parts = reader.alone([seen.text, *seen.sentences])
        vectors = np.stack([text.vector, *(part.vector for part in parts)])
        conditions_of = self._nearest(state, seen.text, vectors, place, by_words)
        if not conditions_of:  # the encoder is out of reach
            return {}
        asked = [*conditions_of, *background()[: max(0, _AMONG - len(conditions_of))]]
        alone = self._alone(reader, asked)
        cosines = np.stack([one.vector for _, one in alone]) @ vectors.T
        meeting = np.stack([one.meeting for one in (text, *parts)])
        near = np.stack([one.meeting for _, one in alone]) @ meeting.T
        some = _read_of(cosines.max(1) + near.max(1), len(conditions_of))
        cosines, near = cosines[some], near[some]
        best = cosines[:, 1:].max(1).tolist()
        pairs = [Pair(alone[at][1], text, like) for at, like in zip(some, best, strict=True)]
        numbers = features(
            [alone[at][0] for at in some],
            seen,
            whole=cosines[:, 0],
            parts=cosines[:, 1:],
            read=np.asarray(reader.together(pairs), np.float32),
            meeting=near,
        )
        read = dict(zip((asked[at] for at in some), decide(numbers), strict=True))
        return {id: read[when] for when, ids in conditions_of.items() if when in read for id in ids}

    def forget(self) -> None:
        """Drop what is kept of lessons."""
        with self._lock:
            self._read.clear()
            self._candidates.clear()
        if self.checker is not None:
            self.checker.forget()

    def _alone(self, reader: ConditionReader, whens: Sequence[str]) -> list[tuple[When, ReadAlone]]:
        """Return conditions in their parts, and as they are read alone; the last ones are kept."""
        with self._lock:
            held = {when: self._read[when] for when in whens if when in self._read}
        new = [when for when in dict.fromkeys(whens) if when not in held]
        if new:
            held |= zip(new, zip(map(When.of, new), reader.alone(new), strict=True), strict=True)
        with self._lock:
            for when in held:
                self._read[when] = held[when]
                self._read.move_to_end(when)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return [held[when] for when in whens]

    def _nearest(
        self,
        state: GuidanceState,
        situation: str,
        vectors: NDArray[np.float32],
        place: _Place,
        by_words: Iterable[str],
    ) -> dict[str, list[str]]:
        """Return the conditions that are read with a situation, each with the lessons that have it."""
        if len(state.lessons) <= CANDIDATES:
            ids = dict.fromkeys(chain(by_words, list(state.lessons)))
            return by_condition(state, ids, place.is_offered, most=CANDIDATES)
        first = by_condition(state, by_words, place.is_offered, most=_MOST_BY_WORDS)
        if self._opened.encoder_name() != "minilm":
            try:
                vectors = np.frombuffer(self._opened.encode_query(situation), "<f4")[None]
            except EncoderUnavailable as error:
                logger.warning("lessons are looked for by their words: %s", error)
                return first
        with self._lock:
            held = self._candidates.setdefault(state.tenant, Candidates())
            held.follow(state, self._opened.journal)
            return held.nearest(vectors, first, place.is_offered, most=CANDIDATES)


def _read_of(likeness: NDArray[np.float32], count: int) -> list[int]:
    """Return the places of what is read, the most like first: of all, and of the lessons' own, the first `count`.

    What comes beside the lessons of a small memory is read only where it is more like the situation than they are.
    """
    order = np.argsort(-likeness, kind="stable").tolist()
    own = {*[at for at in order if at < count][:MOST_READ]}
    return [at for rank, at in enumerate(order) if rank < MOST_READ or at in own]


def _of_experience(state: GuidanceState, read: Iterable[str]) -> Iterator[str]:
    """Yield the lessons of experience that say what to do.

    Such a lesson names the one situation that it was drawn from, and not all in which it holds. So it is tried where a
    situation may be like that one, and outcomes tell what it is worth there.
    """
    for id in read:
        made = state.lessons[id].guidance
        if made.claim == "do" and made.origin == "experience":
            yield id


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
