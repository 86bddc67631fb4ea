"""The story of a lesson: where it came from, what became of it, and which rule said so when.

It is told from the journal alone, by folding its rows one at a time and looking at the lesson after each. Only
what the reader may read is told: of what others did, no more than that the lesson moved by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agentcl.errors import InvalidInput, NotFound
from agentcl.guidance.evidence.belief import Belief, LessonTest, LifeStage, lesson_of
from agentcl.guidance.overview import Standing, begin, home_of, rows_at, standing_of
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.store.base import Store
from agentcl.store.episodes import Decision, Episode, Exposure, Guidance, Reflection
from agentcl.store.records import Record, ScopeView, from_micros
from agentcl.store.rows import Row, readable

_EVERYBODY: Final = ScopeView(None, None, None, None)
_OTHERS: Final = "somebody else tried it"
_NOWHERE: Final = "\0"  # no world can have this name, so nothing was ever tested there


@dataclass(frozen=True, slots=True)
class Witness:
    """An episode that spoke of the lesson."""

    at: datetime
    episode: str
    task: str
    world: str
    is_confirmed: bool
    how: str  # "stated again", "followed", or the sentence that is against it
    by: str  # who said so


@dataclass(frozen=True, slots=True)
class Trial:
    """An episode in which the lesson could have been shown."""

    at: datetime
    episode: str
    task: str
    cluster: str
    world: str
    exposure: Exposure
    score: float | None
    expected: float  # score, before the episode
    problem: str  # why it counts for nothing; empty if it counts


@dataclass(frozen=True, slots=True)
class StageChange:
    """That the lesson came into a stage, at home."""

    at: datetime
    stage: LifeStage
    why: str  # the rule
    after: str  # what happened just then


@dataclass(frozen=True, slots=True)
class Ruling:
    """What somebody decided, over all evidence."""

    at: datetime
    id: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that the journal knows of one lesson, as far as the reader sees."""

    standing: Standing
    drawn_from: tuple[Episode, ...]  # as they stand now
    witnesses: tuple[Witness, ...]
    trials: tuple[Trial, ...]
    changes: tuple[StageChange, ...]
    rulings: tuple[Ruling, ...]
    clusters: tuple[tuple[str, Belief], ...]  # what it is worth in each kind of task
    worlds: tuple[tuple[str, float, int, int], ...]  # trust, confirmed, refuted in each
    elsewhere: float  # trust in a world where it was never tested
    wins: int  # times that it was shown and the score was above what was expected
    losses: int
    is_deleted: bool = False

    @property
    def guidance(self) -> Guidance:
        """The lesson."""
        return self.standing.guidance

    def lines(self) -> Iterator[str]:
        """Yield the story as text, line by line."""
        yield from self._opening()
        yield "Life:"
        for change in self.changes:
            yield f"  {_time(change.at)}  {change.stage}: {change.why} ({change.after})"
        if self.rulings:
            yield "Decisions:"
        yield from map(_ruling, self.rulings)
        yield "Is it still so?"
        yield from map(_witness, self.witnesses)
        for world, trust, confirmed, refuted in self.worlds:
            tested = f"confirmed by {confirmed}, refuted by {refuted}"
            yield f"  trust in {_world(world)}: {trust:.2f}, {tested}"
        yield f"  trust where it was never tested: {self.elsewhere:.2f}"
        yield "Does showing it help?"
        yield from map(_trial, self.trials)
        for cluster, belief in self.clusters:
            yield (
                f"  uplift in {cluster}: {belief.uplift:+.3f} (sd {belief.sd:.3f}), by the coin shown in "
                f"{belief.shown:g}, withheld from {belief.withheld:g}"
            )
        if self.wins or self.losses:
            yield f"  shown and better than expected: {self.wins}; worse: {self.losses}"

    def _opening(self) -> Iterator[str]:
        made, belief = self.guidance, self.standing.belief
        yield self.standing.sentence
        yield f"  {made.id}, {belief.stage}: {belief.why}"
        if self.is_deleted:
            yield "  its record was deleted; it is out of use"
        by = made.author or "somebody"
        model = f" ({made.author_model})" if made.author_model else ""
        cost = f", for {made.cost_tokens} tokens" if made.cost_tokens else ""
        yield f"  {made.origin}, by {by}{model}{cost}, meant for: {made.level}"
        yield f"  at home in {self.standing.cluster}, {_world(self.standing.world)}"
        for episode in self.drawn_from:
            yield f"  drawn from episode {episode.id}: {_named(episode)}, {_result(episode)}"


def story(
    journal: Store,
    id: str,
    *,
    view: ScopeView = _EVERYBODY,
    rules: GuidanceRules | None = None,
    at: int | None = None,
) -> Story:
    """Tell what the journal knows of a lesson, a deleted one too; of a moment, what it knew then.

    Evidence of a time that was rolled back is named, and counts for nothing, as in the state. `rules` are
    those of the memory, and `at` is in microseconds since 1970.

    Raises:
        NotFound: if the view sees no such record, it was not there yet, or it was forgotten.
        InvalidInput: if it is no lesson.
    """
    known = rows_at(journal.versions(id), at)
    versions = [row for row in known if row.op == "put" and view.sees(row.scope)]
    if not versions:
        raise NotFound(
            f"no lesson {id!r} is visible from this scope; see `agentcl guidance list`, and check "
            "tenant, user, agent and session"
        )
    newest = versions[-1].record()
    if not isinstance(newest, Guidance):
        raise InvalidInput(f"{id!r} is a {newest.kind}, and no lesson; try `agentcl show {id}`")
    rows = [*rows_at(journal.since(0, kinds=KINDS), at)]
    tenant = versions[-1].tenant or ""
    state = GuidanceState.of(rows, tenant=tenant, rules=rules)
    in_force = state.successors.get(id, id)
    if in_force not in state.lessons:
        raise NotFound(
            f"what became of lesson {id!r} cannot be read any more; run `agentcl doctor`"
        )
    chronicle = _Chronicle(state, in_force, rows, view)
    return chronicle.tell(tuple(_episodes(journal, newest.sources, view)))


class _Chronicle:
    """A fold over the journal that notes what it does to one lesson."""

    def __init__(self, end: GuidanceState, id: str, rows: Iterable[Row], view: ScopeView) -> None:
        self._state, held = begin(rows, tenant=end.tenant, rules=end.rules)
        self._id, self._home = id, home_of(end, id, view)
        self._view, self._sight = view, end.sight(id, view)
        self._witnesses: list[Witness] = []
        self._trials: list[Trial] = []
        self._changes: list[StageChange] = []
        self._rulings: list[Ruling] = []
        # By episode that the reader sees: what it is named, its world.
        self._tasks: dict[str, tuple[str, str]] = {}
        self._judged: set[str] = set()  # episodes that have credited lessons already
        self._is_deleted = False
        for row in held:
            if row.tenant == end.tenant:
                self._take(row)

    def tell(self, drawn_from: tuple[Episode, ...]) -> Story:
        """Return what was noted."""
        state, id = self._state, self._id
        cluster, world = self._home
        sight = self._sight
        worlds = dict.fromkeys((world, *state.trust.worlds(id, sight)))
        clusters = dict.fromkeys((cluster, *state.credit.clusters(id, sight)))
        beliefs = {name: self._belief(cluster, name) for name in worlds}
        counts = state.credit.counts(id, sight=sight)
        return Story(
            standing=standing_of(state, id, self._view),
            drawn_from=drawn_from,
            witnesses=tuple(self._witnesses),
            trials=tuple(self._trials),
            changes=tuple(self._changes),
            rulings=tuple(self._rulings),
            clusters=tuple((c, self._belief(c, world)) for c in clusters),
            worlds=tuple(
                (w, b.trust, *state.trust.counts(id, w, sight)) for w, b in beliefs.items()
            ),
            elsewhere=self._belief(cluster, _NOWHERE).trust,
            wins=counts.wins,
            losses=counts.losses,
            is_deleted=self._is_deleted,
        )

    def _belief(self, cluster: str, world: str) -> Belief:
        return self._state.belief(self._id, cluster=cluster, world=world, view=self._view)

    def _take(self, row: Row) -> None:
        """Fold one row, and note what it did."""
        found = next(readable([row]), None) if row.op == "put" else None
        record = self._state.renamed(found) if found else None
        is_seen = self._view.sees(row.scope)
        if isinstance(record, Episode) and is_seen:
            self._tasks[record.id] = (_named(record), record.world)
            self._note_trial(record, row.created_at)
        held = self._state.lessons.get(self._id)
        tests = len(held.tests) if held else 0
        self._state.apply(row)
        held = self._state.lessons.get(self._id)
        if held is None:
            return
        is_counted = is_seen and (record is None or record.id not in self._state.aside)
        if isinstance(record, Decision) and record.guidance == self._id and is_counted:
            self._rulings.append(Ruling(record.created_at, record.id, record.what, record.reason))
        for test in held.tests[tests:] if is_seen else ():
            if test.episode not in self._tasks:
                continue
            task, world = self._tasks[test.episode]
            by = getattr(record, "author", "") or getattr(record, "judge", "")
            self._witnesses.append(
                Witness(
                    from_micros(row.created_at),
                    test.episode,
                    task,
                    world,
                    test.is_confirmed,
                    _how(test, record),
                    by,
                )
            )
        if row.op == "delete" and row.id == self._id:
            self._is_deleted = True
        self._note_stage(row, _event(row, record) if is_seen else _OTHERS)

    def _note_trial(self, episode: Episode, at: int) -> None:
        exposure = next((one for one in episode.exposures if one.guidance == self._id), None)
        if exposure is None or episode.status == "open" or self._id not in self._state.lessons:
            return
        problem = self._problem(episode, at)
        if not problem:
            self._judged.add(episode.id)
        known = {one.episode: place for place, one in enumerate(self._trials)}
        trial = Trial(
            at=from_micros(at),
            episode=episode.id,
            task=_named(episode),
            cluster=episode.cluster,
            world=episode.world,
            exposure=exposure,
            score=episode.score,
            expected=self._state.expected(episode.cluster, episode.world, episode.scope).mean,
            problem=problem,
        )
        if episode.id not in known:
            self._trials.append(trial)
        elif self._trials[known[episode.id]].problem:  # its score came late
            self._trials[known[episode.id]] = trial

    def _problem(self, episode: Episode, at: int) -> str:
        if episode.id in self._state.aside:
            return "kept aside"
        if self._state.is_ignored(episode.scope, at):
            return "rolled back"
        if episode.status == "interrupted":
            return "interrupted"
        if episode.score is None:
            return "nobody judged it"
        return "judged before" if episode.id in self._judged else ""

    def _note_stage(self, row: Row, after: str) -> None:
        belief = self._belief(*self._home)
        if self._changes and self._changes[-1].stage == belief.stage:
            return
        self._changes.append(
            StageChange(from_micros(row.created_at), belief.stage, belief.why, after)
        )


def _how(test: LessonTest, record: Record | None) -> str:
    """Return how an episode spoke of a lesson, in words; `record` is what it did so with."""
    if test.stated is None or not isinstance(record, Reflection):
        return "followed"
    if test.is_confirmed:
        return "stated again"
    return lesson_of(record.stated[test.stated]).sentence()


def _event(row: Row, record: Record | None) -> str:
    """Return what a row says happened, in words."""
    match record:
        case Guidance():
            return "it was written down" if record.version == 1 else "it was written anew"
        case Episode():
            return f"episode {record.id}: {_named(record)}, {_result(record)}"
        case Reflection():
            source = f" on episode {record.sources[0]}" if record.sources else ""
            return f"{record.author or 'somebody'} reflected{source}"
        case Decision():
            return f"decision {record.id}: {record.what}"
        case _:
            return f"the {row.kind} {row.id} was deleted"


def _episodes(journal: Store, ids: Iterable[str], view: ScopeView) -> Iterator[Episode]:
    for id in ids:
        put = [row for row in journal.versions(id) if row.op == "put" and view.sees(row.scope)]
        yield from (one for one in readable(put[-1:]) if isinstance(one, Episode))


def _ruling(one: Ruling) -> str:
    return f"  {_time(one.at)}  {one.what}" + (f": {one.reason}" if one.reason else "")


def _witness(one: Witness) -> str:
    verdict = "confirmed" if one.is_confirmed else "refuted"
    by = f", says {one.by}" if one.by else ""
    return f"  {_time(one.at)}  {verdict} in {one.task} ({one.episode}): {one.how}{by}"


def _trial(one: Trial) -> str:
    how = "shown" if one.exposure.is_shown else "withheld"
    followed = " and followed" if one.exposure.is_followed else ""
    chance = f"{how}{followed} (p {one.exposure.probability:.2f})"
    if one.problem:
        return f"  {_time(one.at)}  {chance} in {one.task} ({one.episode}): {one.problem}"
    score = "none" if one.score is None else f"{one.score:.2f}"
    return (
        f"  {_time(one.at)}  {chance} in {one.task} ({one.episode}): score {score}, "
        f"{one.expected:.2f} expected"
    )


def _named(episode: Episode) -> str:
    is_told = episode.cluster == "/" or episode.task.startswith(episode.cluster)
    return episode.task if is_told else f"{episode.cluster}: {episode.task}"


def _result(episode: Episode) -> str:
    return episode.status if episode.score is None else f"score {episode.score:.2f}"


def _world(name: str) -> str:
    return f"world {name}" if name else "the unnamed world"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
