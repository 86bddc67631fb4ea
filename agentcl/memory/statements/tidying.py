"""`tidy` jobs: the statements of each scope put in order, and summaries, without anything that was said being lost.

What a job does to the statements of a scope is one transaction, and so is each summary. A `Tidying` names what was done to
statements, so that it can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from agentcl.errors import InvalidInput, NotEquipped, NotFound
from agentcl.jobs.loop import work
from agentcl.jobs.runner import Progress
from agentcl.memory.opened import Opened
from agentcl.memory.statements import merging, summaries
from agentcl.memory.statements.merging import Edit
from agentcl.memory.statements.summaries import EXTRACTS, Drafted, Subject, teller_of
from agentcl.memory.statements.writing import live
from agentcl.statements.summarising import Summariser
from agentcl.store.base import Store
from agentcl.store.checks import check_subtree, named_scope
from agentcl.store.conversations import Conversation, Statement, Synopsis, Tidying, Turn, Used
from agentcl.store.jobs import Job, Price
from agentcl.store.records import Scope, ScopeView, from_micros


@dataclass(frozen=True, slots=True)
class TidyReport:
    """What one run of `tidy` changed, or would change."""

    edits: tuple[Edit, ...] = ()
    dropped: int = 0  # sentences of a summariser that nothing bears out
    failed: int = 0  # summaries that it could not write; those before stay
    tokens: int = 0  # of a model, by a high estimate
    job: str = ""  # its id in `memory.jobs`; empty for a dry run

    def count(self, what: str) -> int:
        """Return how many edits are of a kind: "merged", "archived", "back", "summary" or "profile"."""
        return sum(one.what == what for one in self.edits)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done to the statements of a scope."""

    scope: Scope
    same: Mapping[str, str]  # which statements say the same as others
    used: tuple[Used, ...]
    archived: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Spec:
    summariser: str | None
    keep: int | None
    near: float | None
    budget: int | None


class Tidy:
    """Puts the statements of a scope and below in order.

    Its spec: `summariser`, a name, or null: summaries are made of statements; `keep`, how many statements of a scope
    stay in sight, or null: all; `near`, the cosine from which two values are the same, or null: as it was measured;
    `budget_tokens`, how many tokens of a model at most (estimated).

    Args:
        opened: the memory.
        summarisers: by name.
    """

    name = "tidy"

    def __init__(self, opened: Opened, summarisers: Mapping[str, Summariser]) -> None:
        self._opened = opened
        self._summarisers = summarisers
        self._begin()

    def _begin(self) -> None:
        self.edits: list[Edit] = []
        self.totals = {"dropped": 0, "failed": 0, "tokens": 0}

    @staticmethod
    def spec(
        summariser: str | None = None,
        *,
        keep: int | None = None,
        near: float | None = None,
        budget_tokens: int | None = None,
    ) -> dict[str, Any]:
        """Return the spec of such a job."""
        return {
            "summariser": summariser, "keep": keep, "near": near, "budget_tokens": budget_tokens,
        }  # fmt: skip

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Estimate what is to be done: a unit for each scope and for each summary that is due."""
        wanted = _checked(spec)
        summariser = self._summarisers.get(wanted.summariser or "")
        units = tokens = 0
        for owner in self._scopes(_view(scope)):
            due = self._due(owner, summariser)
            units += 1 + len(due)
            tokens += sum(summaries.price(one, teller_of(one, summariser)) for one in due)
        return Price(units, tokens)

    def preview(self, spec: Mapping[str, Any], *, scope: Scope) -> list[Edit]:
        """Return what would be changed; what a model would say is left empty."""
        wanted = _checked(spec)
        summariser = self._summarisers.get(wanted.summariser or "")
        found: list[Edit] = []
        for owner in self._scopes(_view(scope)):
            order = self._order(owner, wanted)
            held = live(self._opened.journal, owner.exactly())
            new = merging.merge(held, order.same)
            last = merging.newest(self._opened.journal, owner)
            found += merging.edits_of(held, new) + merging.moved(held, last, order.archived)
            for one in self._due(owner, summariser):
                is_told = teller_of(one, summariser) is not None
                said = () if is_told else summaries.extract(one).sentences
                found.append(summaries.edit_of(one, said))
        return found

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Do what is still to be done."""
        wanted = _checked(job.spec)
        if wanted.summariser is not None and wanted.summariser not in self._summarisers:
            raise NotEquipped(
                f"nobody here can summarise as {wanted.summariser!r}; hand it over with "
                "`memory.jobs.add_summariser(...)` (on the command line, name its endpoint with --url)"
            )
        summariser = self._summarisers.get(wanted.summariser or "")
        self._begin()
        total, done = self.price(job.spec, scope=job.scope).units, 0

        def steps() -> Iterator[_Order | Subject]:
            for owner in self._scopes(_view(job.scope)):
                if self._noted(owner, job.id) is None:  # else it was done before this was cut off
                    yield self._order(owner, wanted)
                for one in self._due(owner, summariser):
                    cost = summaries.price(one, teller_of(one, summariser))
                    if wanted.budget is None or self.totals["tokens"] + cost <= wanted.budget:
                        yield one

        def do(step: _Order | Subject) -> tuple[_Order | Subject, Drafted | None]:
            if isinstance(step, _Order):
                return step, None
            teller = teller_of(step, summariser)
            written = summaries.extract(step) if teller is None else summaries.tell(step, teller)
            return step, written

        def keep(results: Sequence[tuple[_Order | Subject, Drafted | None]]) -> None:
            nonlocal done
            for step, written in results:
                if isinstance(step, _Order):
                    self._put_in_order(step, job.id)
                else:
                    assert written is not None
                    teller = teller_of(step, summariser)
                    self._keep(step, written, teller.name if teller else EXTRACTS, job.id)
                done += 1
                progress(min(done, total), total)

        work(steps(), do, keep=keep, should_stop=should_stop)

    # What is to be done

    def _scopes(self, view: ScopeView) -> list[Scope]:
        kinds = (Conversation.kind, Statement.kind, Tidying.kind, Synopsis.kind)
        rows = self._opened.journal.live(view=view, kinds=kinds)
        return sorted({row.scope for row in rows})

    def _order(self, scope: Scope, wanted: _Spec) -> _Order:
        statements = live(self._opened.journal, scope.exactly())
        same = merging.same_of(self._opened, statements, wanted.near)
        same = merging.not_undone(self._opened.journal, scope, same)
        turns = [one for own in self._turns(scope).values() for one in own]
        used, archived = merging.sight_of(statements, turns, wanted.keep, self._now())
        return _Order(scope, same, used, archived)

    def _due(self, scope: Scope, summariser: Summariser | None) -> list[Subject]:
        """Return what summaries of a scope are to be written of."""
        journal = self._opened.journal
        statements = live(journal, scope.exactly())
        held = summaries.held_in(journal, scope)
        given = summaries.subjects(scope, self._turns(scope), statements, held, self._now())
        return [one for one in given if summaries.is_due(one, teller_of(one, summariser))]

    def _turns(self, scope: Scope) -> dict[str, list[Turn]]:
        """Return the turns of a scope by conversation, these in the order in which they began."""
        turns = [*self._opened.journal.records(Turn, view=scope.exactly())]
        turns.sort(key=lambda one: (one.conversation_id, one.ordinal, one.moment))
        found = [(id, [*own]) for id, own in groupby(turns, key=lambda one: one.conversation_id)]
        return dict(sorted(found, key=lambda pair: (pair[1][0].moment, pair[0])))

    def _noted(self, scope: Scope, job: str) -> Tidying | None:
        found = self._opened.journal.find(kind=Tidying.kind, scope=scope, key=job)
        return found if isinstance(found, Tidying) else None

    # Doing it

    def _put_in_order(self, order: _Order, job: str) -> None:
        journal = self._opened.journal
        with journal.writing() as writing:
            edits = merging.store(
                writing, journal, order.scope, job, order.same, order.used, order.archived
            )
        self.edits += edits

    def _keep(self, subject: Subject, written: Drafted, by: str, job: str) -> None:
        self.totals["dropped"] += written.dropped
        self.totals["tokens"] += written.tokens
        self.totals["failed"] += bool(written.error)
        with self._opened.journal.writing() as writing:
            is_kept = summaries.store(writing, self._opened.journal, subject, written, by, job)
        if is_kept:
            self.edits.append(summaries.edit_of(subject, written.sentences))

    def _now(self) -> datetime:
        return from_micros(self._opened.clock())


def undo(journal: Store, job: str, view: ScopeView) -> None:
    """Take back what a job of tidying did in a view, as one change.

    Raises:
        NotFound: if it did nothing there, or was undone.
    """
    done = [*journal.records(Tidying, view=view, key=job)]
    notes = [one for one in done if not one.is_undone]
    written = [one for one in journal.records(Synopsis, view=view) if one.job == job]
    if not notes and not written:
        was = (
            "was undone already"
            if done
            else "is no record, and no job of `tidy` that did something"
        )
        raise NotFound(
            f"{job!r} {was} in this scope; `memory.jobs.list()` tells which jobs there are"
        )
    with journal.writing() as writing:
        for note in notes:
            merging.take_back(writing, journal, note)
        summaries.take_back(writing, journal, written)


def _view(scope: Scope) -> ScopeView:
    return check_subtree({**named_scope(scope)})


def _checked(spec: Mapping[str, Any]) -> _Spec:
    match {"summariser": None, "keep": None, "near": None, "budget_tokens": None, **spec}:
        case {
            "summariser": None | str() as summariser,
            "keep": None | int() as keep,
            "near": None | int() | float() as near,
            "budget_tokens": None | int() as budget,
        } if (
            summariser != ""
            and (keep is None or keep >= 0)
            and (near is None or 0 <= near <= 1)
            and (budget is None or budget >= 0)
        ):
            return _Spec(summariser, keep, near, budget)
    raise InvalidInput(
        "a tidy job may have `summariser`, a name, `keep` and `budget_tokens`, numbers from 0, and `near`, a cosine from "
        f"0 to 1; {dict(spec)} cannot be used"
    )
