"""Past stretches for a situation: found by task and by situation, and cut to the steps that mattered.

Finding follows P-RAG (arXiv 2409.11279): an earlier episode counts by how like a situation in it is and how like its
task is, and each new try sees the last ones. A likeness is the mean of two: the cosine by the memory's encoder, and
the share of the earlier text's words that are in the present one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from agentcl.errors import EncoderUnavailable, NotFound
from agentcl.guidance.effects import effect_of, gains, losses
from agentcl.guidance.meaning.same import content
from agentcl.lessons import Stretch
from agentcl.memory.episodes.search import steps_of
from agentcl.memory.opened import Opened
from agentcl.memory.searching import vector_of_query
from agentcl.retrieval.index import Query
from agentcl.store.episodes import Episode, Step
from agentcl.store.records import to_micros
from agentcl.store.rows import readable
from agentcl.text.asked import read_of

if TYPE_CHECKING:
    from agentcl.guidance.state import GuidanceState

logger = logging.getLogger(__name__)
_STEPS: Final = 3  # of a stretch: the decisive one, and at most two before it ...
_REWARDED: Final = 6  # ... or so many, if the world rewarded each
_MOST_CHARS: Final = 300  # of each text of it
# A past situation is like the present one if more than so much of its words is in it, or the cosine of both is higher.
# That is only to leave out what has nothing to do with it: what showing the others is worth, outcomes say.
_LIKE: Final = 0.5
_TELLING: Final = 2  # words of a situation that says something
_DIGITS: Final = 1  # of a likeness: what is alike to a tenth is equal; the newer one counts
_DEPTH: Final = 1_000  # entries asked of the index ...
_READ: Final = 75  # ... and of these, that are looked at; so many at a time
_AT_ONCE: Final = 25


class Finder:
    """Finds stretches for one episode."""

    def __init__(self, opened: Opened, current: Episode) -> None:
        self._opened, self._current = opened, current
        self._view = current.scope.view()
        self._task = read_of(current.search_text())

    def find(self, state: GuidanceState, situation: str, *, limit: int) -> list[Stretch]:
        """Return stretches of the same kind of task and world, at most `limit` that ended well and as many that failed.

        All had a situation like this one. Those whose task is like this one too come first, of equals the newest. Left
        out is what a rollback took back, and what came from a memory that is not one's own. Where the encoder does not
        answer, nothing is found.
        """
        known: dict[str, Episode | None] = {}  # None: may not be shown
        enough = 3 * limit
        try:
            likeness = self._alike(state, situation, Step.kind, known, enough)
            if likeness:
                by_task = self._alike(state, self._task, Episode.kind, known, enough)
                likeness = {id: share + by_task.get(id, 0.0) for id, share in likeness.items()}
        except EncoderUnavailable as error:
            logger.warning("no past stretch is found, since the encoder gives no vector: %s", error)
            return []
        found = (one for id in likeness if (one := known[id]) is not None)
        ordered = sorted(
            found, key=lambda one: (round(likeness[one.id], _DIGITS), one.created_at), reverse=True
        )
        chosen = {
            one.id
            for ended in (True, False)
            for one in islice((one for one in ordered if one.is_success is ended), limit)
        }
        cut = (self._stretch(one) for one in ordered if one.id in chosen)
        return [one for one in cut if one is not None]

    def _alike(
        self,
        state: GuidanceState,
        text: str,
        kind: str,
        known: dict[str, Episode | None],
        enough: int,
    ) -> dict[str, float]:
        """Return, of episodes whose task or whose likest situation is like a text, how like it is."""
        words = frozenset(content(text))
        counts = {True: 0, False: 0}
        found: dict[str, float] = {}
        for record, cosine in self._entries(text, kind):
            own = set(content(read_of(record.search_text())))
            if isinstance(record, Step) and not _says_something(record.seen, own):
                continue
            share = len(own & words) / len(own) if own else 0.0
            id = record.episode_id if isinstance(record, Step) else record.id
            if id in found or max(share, 0.0 if self._opened.is_lexical else cosine) <= _LIKE:
                continue
            if id not in known:
                known[id] = self._episode(state, id)
            if (episode := known[id]) is None:
                continue
            found[id] = (share + max(0.0, cosine)) / 2
            counts[bool(episode.is_success)] += 1
            if min(counts.values()) >= enough:
                break
        return found

    def _entries(self, text: str, kind: str) -> Iterator[tuple[Episode | Step, float]]:
        """Yield what is like a text with its cosine, the likest first and of equals the newest."""
        journal = self._opened.journal
        held = journal.encoder()
        if held is None or not text.strip():
            return
        query = Query(view=self._view, text=text, kinds=frozenset({kind}))
        query = replace(query, vector=vector_of_query(self._opened, query, held))
        matches = self._opened.retriever.experience().search(journal, query, limit=_DEPTH)
        matches.sort(key=lambda one: (round(one.score, _DIGITS), one.seq), reverse=True)
        for begin in range(0, min(len(matches), _READ), _AT_ONCE):
            some = matches[begin : begin + _AT_ONCE]
            rows = journal.rows([one.seq for one in some])
            for one in some:
                for record in readable([rows[one.seq]] if one.seq in rows else ()):
                    if isinstance(record, Episode | Step):
                        yield record, one.score

    def _episode(self, state: GuidanceState, id: str) -> Episode | None:
        """Return an episode that may be shown."""
        try:
            record = self._opened.journal.get(id, view=self._view)
        except NotFound:  # deleted, while its steps were left
            return None
        return record if isinstance(record, Episode) and self._may_show(state, record) else None

    def _may_show(self, state: GuidanceState, episode: Episode) -> bool:
        current = self._current
        return (
            episode.status == "finished"
            and episode.is_success is not None
            and (episode.cluster, episode.world) == (current.cluster, current.world)
            and episode.id not in state.aside
            and not state.is_ignored(episode.scope, to_micros(episode.created_at))
        )

    def _stretch(self, episode: Episode) -> Stretch | None:
        every = steps_of(self._opened.journal, episode.id, self._view)
        steps = cut(every, is_success=bool(episode.is_success))
        if not steps:
            return None
        seen = _situation(every, steps[0])
        parts = dict.fromkeys(filter(None, (episode.first, seen)))
        return Stretch(
            task=_short(episode.goal or episode.task),
            seen="\n".join(map(_short, parts)),
            steps=tuple((_short(one.action), _short(one.outcome)) for one in steps),
            is_success=bool(episode.is_success),
            episode=episode.id,
        )


def cut(steps: Sequence[Step], *, is_success: bool) -> tuple[Step, ...]:
    """Return the decisive step of an episode, and those before it that mattered: at most two, or all that the world rewarded, up to six.

    In one that reached its goal the decisive one is the last gain, and steps after which nothing changed are left out. One that
    failed is told by its last loss, or its last step; what was done in vain there is the point.
    """
    if not steps:
        return ()
    effects = [effect_of(one.outcome, one.seen) for one in steps]
    rewards = [one.reward for one in steps]
    if is_success:
        gained = gains(rewards)
        changed = [n for n, effect in enumerate(effects) if effect == "change"]
        decisive = _last(gained or changed, steps)
        if len(gained) > 1:
            return tuple(steps[n] for n in gained[-_REWARDED:])
        before = [steps[n] for n in changed if n < decisive]
    else:
        harmed = [n for n, effect in enumerate(effects) if effect == "harm"]
        decisive = _last(losses(rewards) or harmed, steps)
        # What was done again in vain is told once, where it came last.
        later = [{one.action for one in steps[n + 1 : decisive + 1]} for n in range(decisive)]
        before = [one for one, again in zip(steps, later, strict=False) if one.action not in again]
    return (*before[-(_STEPS - 1) :], steps[decisive])


def _last(places: Sequence[int], steps: Sequence[Step]) -> int:
    return places[-1] if places else len(steps) - 1


def _says_something(seen: str, words: Collection[str]) -> bool:
    """Return whether a situation can be told from others: "Done." and "Nothing happens." are of any."""
    return len(words) >= _TELLING and effect_of(seen, "") == "change"


def _situation(steps: Sequence[Step], first: Step) -> str:
    """Return what was seen before a step: of what came before it, what last changed something."""
    place = steps.index(first)
    while place and effect_of(steps[place - 1].outcome, steps[place - 1].seen) != "change":
        place -= 1
    return steps[place].seen


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}..."
