"""`memory.statements`: what is said to hold, what held before, and the turns behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Unpack

from agentcl.errors import InvalidInput, NotFound
from agentcl.jobs.queue import Queue
from agentcl.jobs.runner import Progress, Runner
from agentcl.jobs.workplace import Workplace
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.opened import Opened
from agentcl.memory.statements import proposals
from agentcl.memory.statements import search as statement_search
from agentcl.memory.statements import writing as statement_writing
from agentcl.memory.statements.digesting import Digest, DigestReport, as_digester, pending
from agentcl.memory.statements.search import FoundStatement
from agentcl.memory.statements.summaries import as_summariser
from agentcl.memory.statements.tidying import Tidy, TidyReport, undo
from agentcl.statements.currency import contradictions, slots
from agentcl.statements.phrasing import sentence
from agentcl.statements.reading import Assertion, Digester
from agentcl.statements.slots import has_several, slot_of, subject_key
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_choice,
    check_count,
    check_each,
    check_time,
    check_unicode,
)
from agentcl.store.conversations import Proposal, Sort, Statement, Synopsis, Turn, Verdict
from agentcl.store.records import AnyScope, ScopeView, from_micros
from agentcl.store.rows import readable
from agentcl.text.suggesting import nearest

if TYPE_CHECKING:
    from agentcl.models.base import ChatModel
    from agentcl.statements.summarising import Summariser


class Statements:
    """What is said to hold. Made by `Memory.statements`.

    What holds follows from all statements of a subject's attribute by one rule, `agentcl.statements.settle`. Nothing
    is overwritten: what holds no longer has a `valid_to`, and names what replaced it.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    # Saying

    def add(
        self,
        subject: str,
        attribute: str,
        value: str,
        *,
        text: str = "",
        sort: Sort = "fact",
        ended: bool = False,
        several: bool | None = None,
        since: str = "",
        until: str = "",
        said_at: datetime | None = None,
        sources: Iterable[str] = (),
        **scope: Unpack[WriteScope],
    ) -> Statement:
        """State something by hand. The same again adds its sources, and no second record.

            memory.statements.add("user", "lives in", "Leuven", since="2025-03-29", user="ada")

        Args:
            subject: "user", or whom or what it is about.
            attribute: of the subject; words that mean the same everyday attribute are one, e.g. "city" and
                "lives in".
            value: the attribute's; may be empty with `ended`: whatever value there was.
            text: the statement in one plain sentence; default: made of the three.
            sort: "fact", "preference", "plan", "event", "instruction" or "relation".
            ended: whether the value holds no longer.
            several: whether values of the attribute hold beside each other, as of what somebody likes;
                default: as it is known of everyday attributes, else one value.
            since: from when it holds, as far as it is known: a year, a month, a day or a moment of ISO 8601.
                With `ended`, since when it holds no longer.
            until: until when it holds, to the end of that day, month or year.
            said_at: when it was said (aware); default: now.
            sources: ids of the turns that say it.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Returns:
            The statement as it is stored.

        Raises:
            InvalidInput: if something cannot be kept, or a source is no record of the tenant.
        """
        owner = self._bound.owner(scope)
        for what, one in {
            "subject": subject, "attribute": attribute, "value": value, "text": text, "since": since, "until": until,
        }.items():  # fmt: skip
            check_unicode(one, what)
        moment = check_time(said_at, "said_at") or from_micros(self._opened.clock())
        said = Assertion(
            subject=subject,
            attribute=attribute,
            value=value,
            text=text or sentence(subject, attribute, value, ended=ended),
            turns=(),
            sort=sort,
            polarity="ended" if ended else "holds",
            is_member=bool(has_several(attribute) if several is None else several),
            since=since,
            until=until,
        )
        given = tuple(
            check_unicode(one, "a source") for one in check_each(sources, "sources", "ids")
        )
        draft = statement_writing.stated(
            said, owner, moment.isoformat(), sources=given, digester=proposals.BY_HAND
        )
        return statement_writing.add(self._opened, draft)

    # Reading what was said

    def digest(
        self,
        digester: Digester | ChatModel,
        *,
        limit: int | None = None,
        budget_tokens: int | None = None,
        retry: bool = False,
        dry_run: bool = False,
        on: Workplace | None = None,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
        **scope: Unpack[ReadScope],
    ) -> DigestReport:
        """Read all turns that a digester has not read yet, and keep what they state.

        Can be stopped at any time, killed even, and called again: what was read is stored and is not read again. A
        conversation that it fails on is noted with the reason, and the others go on. What turns do not bear out in
        their words is left out and counted. It is a job in `memory.jobs`.

        Args:
            digester: e.g. `agentcl.statements.RuleDigester()`, or a chat model.
            limit: read about so many turns at most in this call.
            budget_tokens: take at most so many tokens of a model, by a high estimate, in this call.
            retry: read also conversations that it failed on three times.
            dry_run: read nothing; return how many turns wait, and what they would take.
            on: where they are read, e.g. `agentcl.jobs.Ray()`; default: in this process. There, conversations of which
                none sees what the other states are read at the same time.
            progress: called with the numbers of turns read and to read.
            should_stop: asked after each part; True ends the run early.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.

        Raises:
            StoreBusy: if another run is at work on this memory.
            ModelUnavailable: if the model cannot be asked; what was read before is stored.
            ClusterUnavailable: if the machines of `on` do not answer; likewise.
        """
        reader = as_digester(digester)
        kind = Digest(self._opened, {reader.name: reader}, on)
        bounds = {
            name: None if value is None else check_count(value, name, least=0)
            for name, value in (("limit", limit), ("budget_tokens", budget_tokens))
        }
        spec = kind.spec(reader.name, retry=bool(retry), **bounds)
        root, view = self._bound.root(scope), self._bound.subtree(scope)
        price = kind.price(spec, scope=root)
        if dry_run:
            return DigestReport(remaining=price.units, tokens=price.tokens or 0)
        job = Runner(Queue(self._opened.journal), [kind]).run_now(
            kind.name, spec, scope=root, progress=progress, should_stop=should_stop
        )
        left = sum(len(part.turns) for part in pending(self._opened, view, reader.name, retry=True))
        return DigestReport(**kind.totals, remaining=left, job=job.id)

    # Putting in order

    def tidy(
        self,
        summariser: Summariser | ChatModel | None = None,
        *,
        keep: int | None = None,
        near: float | None = None,
        budget_tokens: int | None = None,
        dry_run: bool = False,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
        **scope: Unpack[ReadScope],
    ) -> TidyReport:
        """Put statements in order: one wording for what is the same, summaries, and in sight what is used.

        No turn is touched, and what holds stays the same but for its words. It is a job in `memory.jobs`, and
        `undo(report.job)` takes it back. A summariser that answers with garbage, or with nothing, changes nothing.

        Args:
            summariser: a chat model, or what `agentcl.statements.Summariser` describes; default: summaries are
                made of the statements themselves.
            keep: how many statements of a scope stay in sight; the weakest of the others go into the archive, where
                `archived=True` finds them. Default: all stay. It has to be said each time.
            near: cosine of the memory's encoder from which two values of which one has all words of the other are the
                same; default: 0.9 with the encoder that it was measured with, and otherwise only words count.
            budget_tokens: take at most so many tokens of a model, by a high estimate.
            dry_run: change nothing, and ask no model; return what would be changed.
            progress: called with the numbers of steps done and to do.
            should_stop: asked after each step; True ends the run early.
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.

        Raises:
            StoreBusy: if another run is at work on this memory.
            ModelUnavailable: if the model cannot be asked; what was done before is kept.
        """
        teller = None if summariser is None else as_summariser(summariser)
        kind = Tidy(self._opened, {} if teller is None else {teller.name: teller})
        spec = kind.spec(
            None if teller is None else teller.name,
            keep=None if keep is None else check_count(keep, "keep", least=0),
            near=near,
            budget_tokens=None
            if budget_tokens is None
            else check_count(budget_tokens, "budget_tokens", least=0),
        )
        root = self._bound.root(scope)
        if dry_run:
            price = kind.price(spec, scope=root)
            return TidyReport(tuple(kind.preview(spec, scope=root)), tokens=price.tokens or 0)
        job = Runner(Queue(self._opened.journal), [kind]).run_now(
            kind.name, spec, scope=root, progress=progress, should_stop=should_stop
        )
        return TidyReport(tuple(kind.edits), **kind.totals, job=job.id)

    def summaries(self, **scope: Unpack[ReadScope]) -> Sequence[Synopsis]:
        """Return what `tidy` wrote: for each conversation a summary, and what held of each user, oldest first.

        Args:
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        view = self._bound.view(scope)
        return sorted(self._opened.journal.records(Synopsis, view=view), key=lambda one: one.id)

    # Reading what holds

    def list(
        self,
        *,
        subject: str | None = None,
        valid_at: datetime | AnyScope | None = None,
        all: bool = False,
        coming: bool = False,
        archived: bool = False,
        limit: int | None = None,
        **scope: Unpack[ReadScope],
    ) -> Sequence[Statement]:
        """Return what holds, in the order it was said.

        Args:
            subject: only what is about this one, e.g. "user".
            valid_at: what held at this moment, as far as is known today; default: now; `ANY`: at any time.
            all: return also what says that something has ended.
            coming: return also what is said to begin later.
            archived: return also what `tidy` put into the archive.
            limit: the newest so many.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        view = self._bound.view(scope)
        wanted = None if subject is None else subject_key(check_unicode(subject, "subject"))
        stated = self._opened.contexts.stated(self._opened.journal, view)
        found = [
            one
            for one in stated.statements
            if (all or one.polarity == "holds")
            and (archived or one.id not in stated.archived)
            and (wanted is None or subject_key(one.subject) == wanted)
            and self._is_meant(one, valid_at, coming=coming)
        ]
        found.sort(key=_said)
        return found if limit is None else found[-check_count(limit, "limit") :]

    def get(self, id: str, **scope: Unpack[ReadScope]) -> Statement:
        """Return a statement. Raises NotFound, and InvalidInput if the id is of something else."""
        return self._get(id, self._bound.view(scope))

    def history(self, of: str | Statement, **scope: Unpack[ReadScope]) -> Sequence[Statement]:
        """Return all that was said of a subject's attribute, in the order it was said.

        Args:
            of: a statement, its id, or a slot, e.g. "user / home".
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            NotFound: if nothing was said of it that the scope sees.
        """
        view = self._bound.view(scope)
        if not isinstance(of, Statement) and "/" not in check_unicode(of, "of"):
            name = of
            try:
                of = self._get(name, view)
            except NotFound as error:
                told = f"{name!r} is neither the id of a statement that this scope sees nor a slot, as in 'user / home'"
                raise NotFound(told + self._near_slot(name, view)) from error
        if isinstance(of, Statement):
            slot, owner = of.slot, of.scope
        else:
            slot, owner = slot_of(*of.split("/", 1)), None
        found = [
            one
            for one in statement_writing.live(self._opened.journal, view)
            if one.slot == slot and owner in (None, one.scope)
        ]
        if not found:
            advice = self._near_slot(slot, view)
            raise NotFound(f"nothing is said of {slot!r} that this scope sees{advice}")
        return sorted(found, key=_said)

    def _near_slot(self, name: str, view: ScopeView) -> str:
        """Return how a message about a wrong slot goes on: with the nearest one, which may be meant by its attribute alone."""
        slots = {one.slot for one in statement_writing.live(self._opened.journal, view)}
        by_name = {slot.split(" / ", 1)[-1]: slot for slot in slots} | {
            slot: slot for slot in slots
        }
        near = nearest(name.strip().casefold(), by_name)
        advice = "`list(all=True, valid_at=ANY)` shows what is said"
        return f"; did you mean {by_name[near[0]]!r}?" if near else f"; {advice}"

    def why(self, id: str, **scope: Unpack[ReadScope]) -> Sequence[Turn]:
        """Return the turns that say a statement, also in other words, in the order they were said.

        There are none if it was added by hand.

        Raises:
            NotFound: if the scope sees no such statement.
        """
        view = self._bound.view(scope)
        own = self._get(id, view)
        known = self._opened.contexts.stated(self._opened.journal, view).statements
        same = (one for one in known if one.same_as == own.id)
        turns: list[Turn] = []
        for source in dict.fromkeys(id for one in (own, *same) for id in one.sources):
            record = next(readable(reversed(self._opened.journal.versions(source))), None)
            if isinstance(record, Turn) and view.sees(record.scope):
                turns.append(record)
        return sorted(turns, key=lambda turn: (turn.moment, turn.ordinal))

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        subject: str | None = None,
        valid_at: datetime | AnyScope | None = None,
        coming: bool = False,
        archived: bool = False,
        **scope: Unpack[ReadScope],
    ) -> Sequence[FoundStatement]:
        """Find statements that hold by meaning and by words, best first.

        Args:
            query: a question or words.
            limit: how many at the most.
            subject: only what is about this one.
            valid_at: what held at this moment; default: now; `ANY`: at any time.
            coming: find also what is said to begin later.
            archived: find also what `tidy` put into the archive.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.

        Raises:
            InvalidInput: if the query is empty.
            EncoderMismatch: if the folder's vectors are another encoder's.
        """
        from agentcl.memory.statements.comparing import Compared

        if not check_unicode(query, "query").strip():
            raise InvalidInput("the query is empty; ask something, or use list()")
        wanted = self.list(
            subject=subject, valid_at=valid_at, coming=coming, archived=archived, all=True, **scope
        )
        uses = self._opened.contexts.stated(self._opened.journal, self._bound.view(scope)).uses
        found = statement_search.search(
            self._opened, query, Compared(wanted), check_count(limit, "limit"), uses
        )
        return [FoundStatement(one, score) for one, score in found]

    def contradictions(
        self, *, valid_at: datetime | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Sequence[Statement]]:
        """Return groups of statements that give one attribute several values at once, each newest first."""
        at = check_time(valid_at, "valid_at") or self._now()
        found = []
        for group in slots(statement_writing.live(self._opened.journal, self._bound.view(scope))):
            if against := contradictions(group, at):
                found.append(against)
        return found

    # What somebody wished to be forgotten

    def proposals(
        self, verdict: Verdict | None = "open", **scope: Unpack[ReadScope]
    ) -> Sequence[Proposal]:
        """Return what somebody wished to be forgotten, oldest first.

        Args:
            verdict: "open", "accepted", "refused", or None: all.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        if verdict is not None:
            check_choice(verdict, ("open", "accepted", "refused"), "verdict")
        found = self._opened.journal.records(Proposal, view=self._bound.view(scope))
        return [one for one in found if verdict in (None, one.verdict)]

    def accept(
        self, id: str, *, erase: bool = False, **scope: Unpack[WriteScope]
    ) -> Proposal | None:
        """Do what somebody wished: the statements that he means hold no longer. `undo` takes that back.

        Args:
            id: of the proposal.
            erase: forget the statements, the turns that say them, and the wish, for good. That is never undone.
            scope: `tenant`, `user`, `agent`, `session`: exactly the proposal's.

        Returns:
            The proposal as it is then; None if it was erased.

        Raises:
            NotFound: if there is no such proposal in exactly this scope.
            InvalidInput: if it is decided already.
        """
        proposal = proposals.open_one(self._opened, id, self._bound.owner(scope))
        if erase:
            proposals.erase(self._opened, proposal)
            return None
        return proposals.accept(self._opened, proposal)

    def refuse(self, id: str, **scope: Unpack[WriteScope]) -> Proposal:
        """Decide against a proposal. Raises as `accept` does."""
        proposal = proposals.open_one(self._opened, id, self._bound.owner(scope))
        return self._opened.revise(replace(proposal, verdict="refused"))

    def undo(self, id: str, **scope: Unpack[WriteScope]) -> None:
        """Take something back: a wrong statement, a decision on a proposal, or all that a job of `tidy` did.

        What was taken back stays in the history, and what holds is computed again without it. A proposal is open
        again then. What was said, decided or forgotten since a job stays so.

        Args:
            id: of the statement, the proposal or the job.
            scope: `tenant`, `user`, `agent`, `session`: exactly its own; of a job this scope and all below.

        Raises:
            NotFound: if there is none in exactly this scope.
            InvalidInput: if the id is of something else, or the proposal is open.
        """
        if not self._opened.journal.versions(check_unicode(id, "id")):
            undo(self._opened.journal, id, self._bound.subtree(scope))
            return
        proposals.take_back(self._opened, id, self._bound.owner(scope))

    def settle(self, **scope: Unpack[ReadScope]) -> int:
        """Compute again what holds, and return how many statements were not stored so.

        Every verb that changes statements does that itself; `agentcl doctor` says when this is needed.

        Args:
            scope: `tenant`, `user`, `agent`, `session`: these and all below; see `Memory`.
        """
        return statement_writing.resettle_all(self._opened.journal, self._bound.subtree(scope))

    def _get(self, id: str, view: ScopeView) -> Statement:
        record = self._opened.journal.get(check_unicode(id, "id"), view=view)
        if not isinstance(record, Statement):
            raise InvalidInput(f"{id!r} is a {record.kind}, and no statement")
        return record

    def _is_meant(
        self, one: Statement, valid_at: datetime | AnyScope | None, *, coming: bool
    ) -> bool:
        if isinstance(valid_at, AnyScope):
            return True
        return _holds_at(one, check_time(valid_at, "valid_at") or self._now(), coming=coming)

    def _now(self) -> datetime:
        return from_micros(self._opened.clock())


def _holds_at(one: Statement, at: datetime, *, coming: bool) -> bool:
    """Return whether a statement holds at a moment, or is to (`coming`)."""
    has_begun = one.valid_from is None or one.valid_from <= at
    is_over = one.valid_to is not None and one.valid_to <= at
    return not is_over and (has_begun or coming)


def _said(one: Statement) -> tuple[datetime, str, str]:
    """Order by when it was said; what was said at once by what it is about."""
    return one.moment.astimezone(UTC), one.slot, one.value
