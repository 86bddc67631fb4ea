"""Episodes to look at: chosen by what they are, replayed as text, and found by task or by situation.

Searching follows P-RAG (arXiv 2409.11279): what an agent saw is compared with what was seen in earlier episodes,
at their beginning (the task) and at each step (the situation). What went well and what failed come apart, since
both teach. Nobody has to say which answer was right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from agentcl.errors import InvalidInput, NotFound
from agentcl.guidance.evidence.belief import lesson_of
from agentcl.memory.opened import Opened
from agentcl.retrieval.feed import Feed
from agentcl.retrieval.folders import claim
from agentcl.retrieval.index import Query
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.base import Store
from agentcl.store.checks import check_a, check_choice, check_count, check_text, check_unicode
from agentcl.store.episodes import Episode, Guidance, Step
from agentcl.store.records import ScopeView, from_micros
from agentcl.store.rows import readable
from agentcl.text.asked import read_of

By = Literal["task", "situation", "either"]
_KINDS: Final[Mapping[By, frozenset[str]]] = {
    "task": frozenset({Episode.kind}),
    "situation": frozenset({Step.kind}),
    "either": frozenset({Episode.kind, Step.kind}),
}
# The name of the index's folder. `forget` deletes it like that of any index it does not know, so that no
# byte of what was forgotten stays; the next search builds it anew.
_FOLDER: Final = "episodes"
_FIRST_ASKED: Final = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Which episodes; None: any."""

    application: str | None = None
    family: str | None = None
    world: str | None = None
    is_success: bool | None = None

    def admits(self, episode: Episode) -> bool:
        """Return whether an episode is one of these."""
        return (
            self.application in (None, episode.application)
            and self.family in (None, episode.family)
            and self.world in (None, episode.world)
            and self.is_success in (None, episode.is_success)
        )


@dataclass(frozen=True, slots=True)
class EpisodeHit:
    """An episode that was found."""

    episode: Episode
    step: Step | None  # where something like it was seen; None: its task is like it
    score: float  # BM25; higher is better


@dataclass(frozen=True, slots=True)
class EpisodesFound:
    """Episodes like a task or a situation, best first, by how they ended."""

    succeeded: tuple[EpisodeHit, ...]
    failed: tuple[EpisodeHit, ...]
    unjudged: tuple[EpisodeHit, ...]  # interrupted, open, or without a score


@dataclass(frozen=True, slots=True)
class Replay:
    """An episode with its steps, and what the lessons that it bears on said then."""

    episode: Episode
    steps: tuple[Step, ...]
    lessons: Mapping[str, str]  # sentences by id

    def lines(self) -> Iterator[str]:
        """Yield the episode as text, step by step."""
        played = self.episode
        yield f"{played.task} ({played.id})"
        where = [played.cluster.strip("/"), played.world and f"world {played.world}"]
        by = played.agent_model and f"played by {played.agent_model}"
        about = ", ".join(filter(None, (*where, by, played.lane and f"lane {played.lane}")))
        if about:
            yield about
        if played.goal:
            yield f"goal: {played.goal}"
        shown: tuple[str, ...] = ()
        documents: tuple[str, ...] = ()
        for step in self.steps:
            yield ""
            yield f"step {step.ordinal + 1}"
            yield _part("sees", step.seen)
            if step.guidance != shown:
                yield "  guidance in the prompt:" if step.guidance else "  no guidance any more"
                yield from (f"    - {self.lessons[id]} ({id})" for id in step.guidance)
                shown = step.guidance
            if step.memories != documents:
                yield f"  documents in the prompt: {', '.join(step.memories) or 'none any more'}"
                documents = step.memories
            if step.thought:
                yield _part("thinks", step.thought)
            yield _part("does", step.action) + ("" if step.by == "student" else f" (by {step.by})")
            reward = f" (reward {step.reward:g})" if step.reward else ""
            yield _part("then", step.outcome) + reward
        yield ""
        yield _ending(played)


def steps_of(journal: Store, id: str, view: ScopeView) -> list[Step]:
    """Return the steps of an episode, in order."""
    found = journal.records(Step, view=view, source=check_unicode(id, "id"))
    return sorted(found, key=lambda one: one.ordinal)


def replay(journal: Store, id: str, view: ScopeView) -> Replay:
    """Return an episode as it was; `Episodes.replay` documents it."""
    held = journal.get(check_unicode(id, "id"), view=view)
    if not isinstance(held, Episode):
        raise InvalidInput(f"{id!r} is a {held.kind}, and no episode; see `agentcl episodes list`")
    steps = tuple(steps_of(journal, id, view))
    first_met = {lesson: step.created_at for step in reversed(steps) for lesson in step.guidance}
    exposed = {one.guidance: held.created_at for one in held.exposures}
    lessons = {id: _sentence_at(journal, id, at, view) for id, at in (exposed | first_met).items()}
    return Replay(held, steps, lessons)


def search(
    opened: Opened,
    text: str,
    view: ScopeView,
    *,
    by: By = "either",
    limit: int = 5,
    chosen: Filter | None = None,
) -> EpisodesFound:
    """Find episodes like a task or a situation; `Episodes.search` documents it."""
    check_choice(by, _KINDS, "by")
    limit = check_count(limit, "limit")
    chosen = check_a(Filter() if chosen is None else chosen, Filter, "chosen")
    asked_for = check_text(text, "what is searched for")
    query = Query(view=view, text=read_of(asked_for), kinds=_KINDS[by])
    mode = opened.journal.mode()
    folder = claim(opened.retriever.folder / _FOLDER, mode=mode)
    index = FullTextIndex(folder, mode=mode)
    try:
        feed = Feed(index, reads_text=True, kinds=_KINDS["either"])
        feed.catch_up(opened.journal)
        asked = _FIRST_ASKED
        while True:
            matches = feed.search(opened.journal, query, limit=asked)
            hits = _episodes_of(opened.journal, matches, view)
            found = _sorted_out(hits, chosen, limit=limit)
            is_enough = min(len(found.succeeded), len(found.failed)) >= limit
            if is_enough or len(matches) < asked:
                return found
            asked *= 4
    finally:
        index.close()


def _episodes_of(
    journal: Store, matches: Sequence[tuple[int, str, float]], view: ScopeView
) -> Iterator[EpisodeHit]:
    """Yield the episode behind each match, once."""
    rows = journal.rows([seq for seq, _, _ in matches])
    known: set[str] = set()
    for seq, _, score in matches:
        record = next(readable([rows[seq]]), None) if seq in rows else None
        step = record if isinstance(record, Step) else None
        id = step.episode_id if step else record.id if record else ""
        if not id or id in known:
            continue
        known.add(id)
        try:
            episode = journal.get(id, view=view)
        except NotFound:  # deleted, while its steps were left
            continue
        if isinstance(episode, Episode):
            yield EpisodeHit(episode, step, score)


def _sorted_out(hits: Iterable[EpisodeHit], chosen: Filter, *, limit: int) -> EpisodesFound:
    by_end: dict[bool | None, list[EpisodeHit]] = {True: [], False: [], None: []}
    for hit in hits:
        some = by_end[hit.episode.is_success]
        if chosen.admits(hit.episode) and len(some) < limit:
            some.append(hit)
    return EpisodesFound(tuple(by_end[True]), tuple(by_end[False]), tuple(by_end[None]))


def _sentence_at(journal: Store, id: str, moment: datetime, view: ScopeView) -> str:
    """Return what a lesson said at a moment, to who may read it."""
    versions = [row for row in journal.versions(id) if row.op == "put"]
    if versions and not view.sees(versions[-1].scope):
        return "a lesson that is not visible from this scope"
    rows = [row for row in versions if from_micros(row.created_at) <= moment]
    record = next(readable(rows[-1:]), None)
    if not isinstance(record, Guidance):
        return "a lesson that is not here any more"
    return lesson_of(record).sentence()


def _part(label: str, text: str) -> str:
    """Return a part of a step; further lines of it are set in, so that they cannot be taken for parts."""
    return f"  {label}: " + text.strip().replace("\n", "\n      ")


def _ending(episode: Episode) -> str:
    """Return how an episode ended, and what it took."""
    score = "no score" if episode.score is None else f"score {episode.score:g}"
    success = {True: "success", False: "failed", None: "not judged"}[episode.is_success]
    parts = [episode.status, episode.end, success, score]
    if episode.judge:
        parts.append(f"by {episode.judge}")
    spent = [
        f"{role}: {usage.calls} calls, {usage.tokens:,} tokens, {usage.duration_s:.1f} s"
        for role, usage in sorted(episode.usage.items())
    ]
    return "; ".join((", ".join(filter(None, parts)), *spent))
