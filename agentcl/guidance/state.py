"""The state of guidance: what follows from the journal's records of experience, and from nothing else.

A fold over the rows in their order. Folding the same rows again gives the same state, byte for byte
(`GuidanceState.digest`); nothing here asks a model, a clock or a coin.

What is believed depends on who asks: evidence counts for a lesson only where it comes from a scope that may see
it, and in full only for readers of that scope (`agentcl.guidance.evidence.sight`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from agentcl.guidance.evidence.attempts import Attempted, Attempts
from agentcl.guidance.evidence.belief import (
    Belief,
    Example,
    LessonState,
    LessonTest,
    Rollback,
    lesson_of,
    rollback_of,
)
from agentcl.guidance.evidence.credit import Credit, Posterior
from agentcl.guidance.evidence.examples import Examples
from agentcl.guidance.evidence.kept_aside import KeptAside
from agentcl.guidance.evidence.matters import Matters
from agentcl.guidance.evidence.sight import (
    Line,
    Sight,
    line_of,
    may_test,
    sight_of,
    sight_of_lesson,
    sight_of_line,
)
from agentcl.guidance.evidence.successors import renamed, successors_of
from agentcl.guidance.evidence.trust import Trust
from agentcl.guidance.meaning.relevance import Situations, words_of
from agentcl.guidance.meaning.same import oppose
from agentcl.guidance.progress.change import ScoreChange
from agentcl.guidance.progress.course import Courses
from agentcl.guidance.progress.expectation import Expectation, ExpectedScore
from agentcl.guidance.progress.lanes import LANES, LaneRecord
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.verdicts import Verdicts, arm_of, arm_of_adapter, coins_of
from agentcl.store.checks import canonical_json
from agentcl.store.episodes import Aside, Decision, Ended, Episode, Exposure, Guidance, Reflection
from agentcl.store.records import Record, Scope, ScopeView, to_micros
from agentcl.store.rows import Row, readable, superseded_by

KINDS: Final = (Episode.kind, Guidance.kind, Reflection.kind, Decision.kind, Aside.kind)

_CHANGE_KEEPS: Final = 0.5  # of the weight of what was learned before a change ...
_EXPECTED_KEEPS: Final = 0.2  # ... and of the expectation, which else goes on ringing the alarm
_NOBODY: Final = Scope()


class GuidanceState:
    """What is believed of every lesson of one tenant.

    Args:
        tenant: whose records count; others are passed over.
        rules: the parts of the method that are on.
    """

    def __init__(self, tenant: str = "", *, rules: GuidanceRules | None = None) -> None:
        self.tenant = tenant
        self.rules = rules or GuidanceRules()
        self.watermark = 0  # the newest row that was folded
        self.folded = 0  # rows
        # By id: the lesson that says the same and took its place when memories were merged.
        self.successors: dict[str, str] = {}
        self.lessons: dict[str, LessonState] = {}
        self.situations: dict[str, Situations] = {}  # by the user whose lessons they are
        self.trust = Trust()
        self.credit = Credit()
        self._courses = Courses()
        self._matters = Matters(self.lessons)
        self._attempts = Attempts()
        self._examples = Examples(self.lessons)
        self._tested: dict[str, set[str]] = {}  # by episode: the lessons that it tested
        self.ignored: list[Rollback] = []
        self.aside = KeptAside()  # ids of what was imported, and is evidence of nothing

    # Folding

    @classmethod
    def of(
        cls, rows: Iterable[Row], *, tenant: str = "", rules: GuidanceRules | None = None
    ) -> GuidanceState:
        """Fold rows from the beginning; evidence of spans that were rolled back does not count."""
        held = list(rows)
        last = max((row.seq for row in held), default=0)
        undone = {row.id for row in held if row.op == "delete" and row.kind == Decision.kind}
        held = [row for row in held if row.id not in undone]
        state = cls(tenant, rules=rules)
        state.successors = successors_of(row for row in held if row.tenant == tenant)
        rolled_back = (
            rollback_of(decision)
            for decision in readable(
                row
                for row in held
                if row.op == "put" and row.kind == Decision.kind and row.tenant == tenant
            )
            if isinstance(decision, Decision) and decision.what == "rollback"
        )
        state.ignored = list(dict.fromkeys(rolled_back))
        state.aside = KeptAside.of(row for row in held if row.tenant == tenant)
        for row in held:
            state.apply(row)
        state.watermark = last
        return state

    def apply(self, row: Row) -> bool:
        """Fold the next row. Returns False if the state must be folded anew: something was taken back."""
        self.watermark = max(self.watermark, row.seq)
        self.folded += 1
        if row.op == "erase":
            return False
        if row.tenant != self.tenant:
            return True
        if row.kind == Aside.kind:
            return self.aside.take(row)
        if row.op == "delete":
            if row.kind == Decision.kind:
                return False
            if superseded_by(row) is not None:
                return row.kind != Guidance.kind or row.id in self.successors
            if row.kind == Episode.kind:
                self._examples.remove(row.id)
            if row.kind == Guidance.kind and row.id in self.lessons:
                self.lessons[row.id].decided = "retire"
                self._situations_of(self.lessons[row.id].guidance).remove(row.id)
            return True
        return all(self._fold(one, row.seq, row.created_at) for one in readable([row]))

    def _fold(self, record: Record, seq: int, at: int) -> bool:
        if record.id in self.aside and not isinstance(record, Guidance):
            return True
        record = self.renamed(record)
        match record:
            case Guidance():
                self._add(record, seq)
                return record.id not in self.successors  # or it came back
            case Decision(what="rollback"):
                return rollback_of(record) in self.ignored
            case Decision(what="applies" | "does not apply"):
                if not self.is_ignored(record.scope, at):
                    self._report(record)
            case Decision():
                self._decide(record)
            case Episode() if not self.is_ignored(record.scope, at):
                self._finish(record)
            case Reflection() if not self.is_ignored(record.scope, at):
                self._reflect(record)
        return True

    def is_ignored(self, scope: Scope, at: int) -> bool:
        """Return whether what a scope learned at a moment was rolled back."""
        return any(one.covers(scope, at) for one in self.ignored)

    def counts(self, episode: Episode) -> bool:
        """Return whether what an episode showed is evidence: it was neither rolled back nor set aside."""
        at = to_micros(episode.created_at)
        return episode.id not in self.aside and not self.is_ignored(episode.scope, at)

    def renamed(self, record: Record) -> Record:
        """Return evidence of lessons as evidence of those that took their places."""
        return renamed(record, self.successors) if self.successors else record

    def _in_force(self, guidance: Guidance) -> Guidance:
        """Return a lesson as the one that took its place, if one did."""
        successor = self.successors.get(guidance.id)
        return guidance if successor is None else replace(guidance, id=successor)

    def _add(self, guidance: Guidance, seq: int) -> None:
        if guidance.id in self.aside:
            guidance = replace(guidance, origin="imported")
        if self.successors.get(guidance.id) in self.lessons:
            return
        # Its evidence may come before the successor itself does.
        guidance = self._in_force(guidance)
        if guidance.id in self.lessons:
            held = self.lessons[guidance.id]
            if held.guidance.scope.user != guidance.scope.user:
                self._situations_of(held.guidance).remove(guidance.id)
                self._matters.move(held, guidance.scope.user)
            held.guidance, held.seq = guidance, seq
        else:
            held = LessonState(guidance, len(self.lessons), seq, seq)
            self.lessons[guidance.id] = held
            self._index(held, guidance)
            if self.is_ignored(guidance.scope, to_micros(guidance.created_at)):
                held.decided = "rolled back"
            if guidance.origin == "experience":
                self.trust.born(guidance.id, self.rules.place(guidance.world))
        self._situations_of(guidance).add(guidance.id, guidance.when)

    def _situations_of(self, guidance: Guidance) -> Situations:
        return self.situations.setdefault(guidance.scope.user, Situations())

    def _index(self, held: LessonState, first: Guidance) -> None:
        """Note on which matter a lesson is, and let who learned a shared one by himself be a witness of it."""
        for witness in self._matters.add(held, first):
            self.trust.draw(*witness)
            self.credit.draw(*witness)

    def _decide(self, decision: Decision) -> None:
        held = self.lessons.get(decision.guidance)
        if held is not None and decision.scope.user == held.guidance.scope.user:
            held.decided = "retire" if decision.what == "retire" else ""

    def _report(self, report: Decision) -> None:
        held = self.lessons.get(report.guidance)
        if held is not None and may_test(report.scope, held.guidance.scope):
            self._examples.report(held, report)

    def _finish(self, episode: Episode) -> None:
        is_credited = self._attempts[episode.id].is_credited
        is_counted = episode.status == "finished" and episode.score is not None and not is_credited
        self._attempts.note(episode, is_credited=is_credited or is_counted)
        self._examples.begin(episode)
        if not is_counted or episode.score is None:
            return
        by = line_of(episode.scope)
        course = self._courses[by]
        where = self._where(episode.cluster, episode.world)
        expected = course.expectation.expected(where)
        residual = episode.score - expected.mean
        self._watch(episode, where, by, expected)
        self._attempts.end(where, episode, self.folded)
        known = [
            one
            for one in episode.exposures
            if (held := self.lessons.get(one.guidance))
            and may_test(episode.scope, held.guidance.scope)
        ]
        self.credit.add(
            episode.cluster,
            residual,
            [
                *((one.guidance, one.probability, one.is_shown) for one in known),
                *coins_of(episode),
            ],
            by=by,
        )
        course.expectation.add(where, episode.score)
        lane = next((lane for lane in LANES if lane == episode.lane), None)
        if lane is not None:
            course.lanes.add(episode.cluster, lane, score=episode.score, tokens=episode.tokens)
        self._verdicts.learn_class_means(course, known, sight_of_line(by))
        for one in known:
            if one.is_shown:
                self._use(self.lessons[one.guidance], episode, residual, one)

    def _use(self, held: LessonState, episode: Episode, residual: float, shown: Exposure) -> None:
        held.uses += 1
        held.wins += residual > 0
        held.losses += residual < 0
        if shown.is_followed and episode.is_success:
            world = self.rules.place(episode.world)
            self._test(held, world, LessonTest(episode.id, True, None), line_of(episode.scope))

    def _watch(self, episode: Episode, where: str, by: Line, expected: ExpectedScore) -> None:
        """Let what was learned count less where scores fell."""
        change = self._courses.watch(by, where, episode, expected)
        if change is not None and change.direction == "down":
            self.trust.change(self.rules.place(episode.world), by=by)
            self.credit.discount(_CHANGE_KEEPS, cluster=episode.cluster, by=by)
            self._courses[by].expectation.discount(_EXPECTED_KEEPS, cluster=where)

    def _reflect(self, reflection: Reflection) -> None:
        if not reflection.sources or reflection.origin != "experience":
            return
        episode = reflection.sources[0]
        known = self._attempts[episode]
        spoke = reflection.scope
        lived = Scope(spoke.tenant, *known.scope) if known.scope else spoke
        if spoke.user and lived.user not in ("", spoke.user):
            known, lived = Attempted(), spoke  # nobody speaks of another's episode
        by = line_of(lived if lived.user else spoke)
        world, is_success = self.rules.place(known.world), known.is_success
        stated = [(one, lesson_of(one)) for one in reflection.stated]
        for place, (one, lesson) in enumerate(stated):
            is_contradicted = any(oppose(lesson, other) for _, other in stated)
            if is_contradicted and (is_success or lesson.claim == "do"):
                continue  # first it did not help and then it did: that is evidence of neither
            held = self.lessons.get(one.guidance)
            # What is done in an episode that fails was no help in it, whatever is said of it.
            is_witness = lesson.claim != "do" or is_success
            is_new = held is not None and episode not in held.guidance.sources
            if held is not None and is_new and is_witness and _may_both(spoke, lived, held):
                self._test(held, world, LessonTest(episode, True, place), by)
            for other in self._matters.beside(lesson, lived.user or spoke.user):
                if oppose(other.lesson, lesson) and _may_both(spoke, lived, other):
                    self._test(other, world, LessonTest(episode, False, place), by)

    def _test(self, held: LessonState, world: str, test: LessonTest, by: Line) -> None:
        """Count at most one test of a lesson an episode, the first that it brings."""
        tested = self._tested.setdefault(test.episode, set())
        if held.guidance.id in tested or not self.rules.tests:
            return
        tested.add(held.guidance.id)
        held.tests.append(test)
        if test.is_confirmed:
            self._examples.confirm(held, test.episode, by)
        held.balance[by] = held.balance.get(by, 0) + (1 if test.is_confirmed else -1)
        self.trust.test(
            held.guidance.id, world, held.class_name, is_confirmed=test.is_confirmed, by=by
        )

    # Asking

    def expected(self, cluster: str, world: str, scope: Scope = _NOBODY) -> ExpectedScore:
        """Return what is expected of a scope's next episode of a kind of task in a world."""
        return self._courses.of(scope).expectation.expected(self._where(cluster, world))

    @property
    def expectation(self) -> Expectation:
        """What is expected where no user and no agent is named."""
        return self._courses.of(_NOBODY).expectation

    @property
    def lanes(self) -> LaneRecord:
        """What each lane gained and cost where no user and no agent is named."""
        return self.lanes_of(_NOBODY)

    def lanes_of(self, scope: Scope) -> LaneRecord:
        """Return what each lane gained and cost a scope."""
        return self._courses.of(scope).lanes

    @property
    def changes(self) -> list[ScoreChange]:
        """The changes in scores that were noticed, in their order."""
        return self._courses.changes

    def last_attempt(
        self, cluster: str, world: str, *, is_success: bool, view: ScopeView
    ) -> str | None:
        """Return the id of the last episode of a kind of task in a world that ended so, of those in view."""
        return self._attempts.last(self._where(cluster, world), is_success=is_success, view=view)

    def attempts(self, cluster: str, world: str, view: ScopeView) -> Iterator[str]:
        """Yield the ids of the episodes of a kind of task in a world that count, of those in view, the newest first."""
        return self._attempts.counted(cluster, world, view)

    def covering(self, text: str, view: ScopeView) -> dict[str, float]:
        """Return the lessons that speak of a situation and that a view may show, with how much they do."""
        words = words_of(text)
        users = self.situations if view.user is None else sorted(view.user)
        found: dict[str, float] = {}
        for user in users:
            if user in self.situations:
                found |= self.situations[user].covering(words)
        return found

    def belief(self, id: str, *, cluster: str, world: str, view: ScopeView | None = None) -> Belief:
        """Return what is known of a lesson, for one kind of task in one world.

        Args:
            id: of the lesson.
            cluster: the kind of task.
            world: where the same rules hold.
            view: who asks; default: whose lesson it is.
        """
        return self._verdicts.belief(id, cluster, self.rules.place(world), self.sight(id, view))

    def belief_of_stretches(self, ended: Ended, *, cluster: str, scope: Scope) -> Belief:
        """Return what is known of showing a scope its past stretches that ended so, for one kind of task.

        Only what its own user lived through counts: the stretches are his.
        """
        return self._verdicts.belief_of_stretches(
            arm_of(ended, scope), cluster, sight_of(scope.view())
        )

    def belief_of_adapter(self, id: str) -> Posterior:
        """Return what outcomes say of the uplift of an adapter, over all kinds of tasks and all users of the tenant.

        Nothing is expected of it: it holds what stood in prompts before.
        """
        return self.credit.overall(arm_of_adapter(id))

    def clusters_of_stretches(self, ended: Ended, scope: Scope) -> tuple[str, ...]:
        """Return the kinds of task in which a coin decided of a scope's stretches that ended so, sorted."""
        return self.credit.clusters(arm_of(ended, scope), sight_of(scope.view()))

    def used_in(self, situation: str, view: ScopeView) -> dict[str, Example]:
        """Return, by lesson, what a reader found of it when he saw this very situation last."""
        return self._examples.used_in(situation, view)

    def sight(self, id: str, view: ScopeView | None = None) -> Sight:
        """Return whose evidence of a lesson counts in full for a view; an open one sees as its owner does."""
        return sight_of_lesson(self.lessons[id].guidance.scope, view)

    @property
    def _verdicts(self) -> Verdicts:
        return Verdicts(self.rules, self.lessons, self.trust, self.credit, self._courses.by_line)

    def _where(self, cluster: str, world: str) -> str:
        place = self.rules.place(world)
        return f"{cluster}@{place}" if place else cluster

    def digest(self) -> str:
        """Return a digest of all that is believed; equal for equal records."""
        plain = {
            "lessons": {
                id: [held.uses, held.wins, held.losses, held.tests, held.decided, held.examples]
                for id, held in self.lessons.items()
            },
            "trust": self.trust.to_plain(),
            "credit": self.credit.to_plain(),
            "changes": self.changes,
            "courses": self._courses.to_plain(),
        }
        return hashlib.sha256(canonical_json(plain).encode()).hexdigest()

    # Keeping

    def to_plain(self) -> dict[str, Any]:
        """Return all that was folded, as JSON. What lessons say is left out: their rows have it."""
        return {
            "watermark": self.watermark,
            "folded": self.folded,
            "successors": self.successors,
            "ignored": self.ignored,
            "aside": self.aside.to_plain(),
            "lessons": [held.to_plain() for held in self.lessons.values()],
            "situations": {user: one.to_plain() for user, one in self.situations.items()},
            "trust": self.trust.to_plain(),
            "credit": self.credit.to_plain(),
            "courses": self._courses.to_plain(),
            "changes": self.changes,
            **self._attempts.to_plain(),
            "openings": self._examples.to_plain(),
            "tested": {id: sorted(lessons) for id, lessons in self._tested.items()},
        }

    @classmethod
    def from_plain(
        cls,
        plain: Mapping[str, Any],
        versions: Mapping[int, Guidance],
        *,
        tenant: str = "",
        rules: GuidanceRules | None = None,
    ) -> GuidanceState:
        """Return the state that `to_plain` returned; it goes on exactly as that one would.

        Args:
            plain: what `to_plain` returned.
            versions: what lessons said, by their rows' numbers (see `seqs_of`).
            tenant: the one that was folded.
            rules: those that it was folded by.
        """
        state = cls(tenant, rules=rules)
        state.watermark, state.folded = plain["watermark"], plain["folded"]
        state.successors = dict(plain["successors"])
        state.ignored = [Rollback(*one) for one in plain["ignored"]]
        state.aside = KeptAside(plain["aside"], state.watermark)
        state.trust = Trust.from_plain(plain["trust"])
        state.credit = Credit.from_plain(plain["credit"])
        for number, kept in enumerate(plain["lessons"]):
            first, newest = (versions[seq] for seq in kept[:2])
            guidance = state._in_force(newest)
            if newest.id in state.aside:
                guidance = replace(guidance, origin="imported")
            held = state.lessons[guidance.id] = LessonState.from_plain(kept, guidance, number)
            state._index(held, state._in_force(first))
        state._examples = Examples.from_plain(plain["openings"], state.lessons)
        whens = {id: held.guidance.when for id, held in state.lessons.items()}
        state.situations = {
            user: Situations.from_plain(one, whens) for user, one in plain["situations"].items()
        }
        state._courses = Courses.from_plain(plain["courses"], plain["changes"])
        state._attempts = Attempts.from_plain(plain)
        state._tested = {id: set(lessons) for id, lessons in plain["tested"].items()}
        return state


def _may_both(spoke: Scope, lived: Scope, held: LessonState) -> bool:
    """Return whether both who said something and who lived through it may see a lesson."""
    return all(may_test(scope, held.guidance.scope) for scope in (spoke, lived))
