"""What is believed of the lessons of each tenant, kept in step with the journal."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.errors import StoreUnavailable
from agentcl.guidance.rules import GuidanceRules
from agentcl.memory.opened import Opened
from agentcl.retrieval.folders import claim, home
from agentcl.store.episodes import Episode, Guidance
from agentcl.store.records import Scope, ScopeView
from agentcl.store.rows import Row

if TYPE_CHECKING:
    from agentcl.guidance.evidence.belief import LifeStage
    from agentcl.guidance.overview import StageDifference, Standing
    from agentcl.guidance.progress.outlook import Outlook
    from agentcl.guidance.progress.shifts import Shift, SituationWatch
    from agentcl.guidance.state import GuidanceState
    from agentcl.memory.lessons.matching import Matcher

logger = logging.getLogger(__name__)
# A state is written when so many rows, or such a share of all, were folded since it was written last: a start
# then folds few rows, and writing costs little of what folding does.
_KEEP_FROM: Final = 200
_KEEP_SHARE: Final = 0.05


class Beliefs:
    """One state of guidance for each tenant, and who matches its lessons; shared by all handles of a memory."""

    def __init__(self, opened: Opened) -> None:
        self.rules = GuidanceRules()
        self.share_from = 2  # users who must share a lesson before others have it
        self._matcher: Matcher | None = None
        self._opened = opened
        self._states: dict[str, GuidanceState] = {}
        self._watches: dict[str, SituationWatch] = {}
        self._kept: dict[str, int] = {}  # rows that the state in a tenant's file has folded

    @cached_property
    def _indexes(self) -> Path | None:
        # Looked at when it is used: who asks for no lesson is told nothing of it. `forget` deletes the folder in
        # it like that of any index that is not in use.
        return home(self._opened.journal)

    @property
    def matcher(self) -> Matcher:
        """Who matches lessons with situations. It is made when it is first asked: documents need no reader of conditions."""
        from agentcl.memory.lessons.matching import Matcher

        with self._opened.lock:
            if self._matcher is None:
                self._matcher = Matcher(self._opened)
            return self._matcher

    def forget(self) -> None:
        """Keep nothing of what was matched: something was forgotten."""
        if self._matcher is not None:
            self._matcher.forget()

    def state(self, tenant: str = "") -> GuidanceState:
        """Return what is believed of a tenant's lessons, with all that the journal has by now."""
        from agentcl.guidance.state import KINDS, GuidanceState

        journal = self._opened.journal
        with self._opened.lock:
            held = self._states.get(tenant)
            if held is None or held.rules != self.rules:
                held = self._load(tenant)
            if held is None or not all(
                held.apply(row) for row in journal.since(held.watermark, kinds=KINDS)
            ):
                rows = journal.since(0, kinds=KINDS)
                held = GuidanceState.of(rows, tenant=tenant, rules=self.rules)
                self._kept[tenant] = 0
            self._states[tenant] = held
            if held.folded - self._kept[tenant] > max(_KEEP_FROM, _KEEP_SHARE * held.folded):
                self._keep(held)
            return held

    def state_at(self, tenant: str, at: int | None) -> GuidanceState:
        """Return what was believed in a tenant at a moment; None is now."""
        from agentcl.guidance.overview import state_at

        if at is None:
            return self.state(tenant)
        return state_at(self._rows(), at, tenant=tenant, rules=self.rules)

    def standings(
        self,
        view: ScopeView,
        at: int | None,
        *,
        stages: Collection[LifeStage],
        application: str | None,
        family: str | None,
        world: str | None,
    ) -> Iterator[Standing]:
        """Yield the lessons that a view sees with what was believed of them at a moment, tenant by tenant."""
        from agentcl.guidance.overview import standings

        for tenant in self.tenants(view, at=at):
            yield from standings(
                self.state_at(tenant, at),
                view,
                stages=stages,
                application=application,
                family=family,
                world=world,
            )

    def shifts(self, view: ScopeView) -> list[Shift]:
        """Return the shifts that were noticed in what a view sees, the oldest first."""
        from agentcl.guidance.progress.shifts import shifts

        found = [
            one
            for tenant in self.tenants(view, kind=Episode.kind)
            for one in shifts(self.watch(tenant), self._opened.journal, view)
        ]
        return sorted(found, key=lambda one: one.at)

    def outlook(self, owner: Scope) -> Outlook:
        """Return what a scope may know of how its tasks go."""
        from agentcl.guidance.progress.outlook import Outlook

        state = self.state(owner.tenant)

        def speaking(text: str, application: str | None, world: str) -> Iterable[str]:
            match = self.matcher.match
            return match(state, text, owner.view(), application=application, world=world).by_id

        return Outlook(state, owner, speaking)

    def changed(self, view: ScopeView, since: int) -> Sequence[StageDifference]:
        """Return which lessons that a view sees are new since a moment, or in another stage."""
        from agentcl.guidance.overview import compare, state_at

        rows = [*self._rows()]
        return [
            one
            for tenant in self.tenants(view)
            for one in compare(
                state_at(rows, since, tenant=tenant, rules=self.rules), self.state(tenant), view
            )
        ]

    def changed_without(self, tenant: str, since: int) -> Sequence[StageDifference]:
        """Return which lessons of a tenant would stand elsewhere, did nothing since a moment count."""
        from agentcl.guidance.overview import compare, state_without

        rows = [*self._rows()]
        last = rows[-1].created_at if rows else 0
        after = state_without(rows, since, last, scope=Scope(tenant), rules=self.rules)
        view = ScopeView(frozenset({tenant}), None, None, None)
        return compare(self.state(tenant), after, view)

    def tenants(
        self, view: ScopeView, *, kind: str = Guidance.kind, at: int | None = None
    ) -> Sequence[str]:
        """Return the tenants of a view: lessons are believed tenant by tenant."""
        if view.tenant is not None:
            return sorted(view.tenant)
        rows = self._opened.journal.live(view=view, kinds=(kind,), at=at)
        return sorted({row.scope.tenant for row in rows})

    def watch(self, tenant: str = "") -> SituationWatch:
        """Return what was noticed of a tenant's situations. The first call reads all its episodes."""
        from agentcl.guidance.progress.shifts import SituationWatch

        with self._opened.lock:
            state = self.state(tenant)
            held = self._watches.get(tenant)
            if held is None or held.state is not state:  # folded anew: something was taken back
                held = self._watches[tenant] = SituationWatch(state)
            for row in self._opened.journal.since(held.watermark, kinds=(Episode.kind,)):
                held.take(row)
            return held

    def _rows(self) -> Iterator[Row]:
        from agentcl.guidance.state import KINDS

        return self._opened.journal.since(0, kinds=KINDS)

    def _load(self, tenant: str) -> GuidanceState | None:
        from agentcl.guidance.snapshot import load

        file = self._file(tenant)
        state = load(file, self._opened.journal, tenant=tenant, rules=self.rules) if file else None
        self._kept[tenant] = state.folded if state else 0
        return state

    def _keep(self, state: GuidanceState) -> None:
        """Write a state to its file, unless it names what another process erased meanwhile."""
        from agentcl.guidance.snapshot import save
        from agentcl.guidance.state import KINDS

        journal = self._opened.journal
        if journal.read_only:
            return
        file = self._file(state.tenant)
        if file is None:
            return
        try:
            claim(file.parent, mode=journal.mode())
        except StoreUnavailable as error:
            logger.warning("what is believed of lessons is not kept: %s", error)
            return
        save(file, state, journal)
        self._kept[state.tenant] = state.folded
        if any(row.op == "erase" for row in journal.since(state.watermark, kinds=KINDS)):
            file.unlink(missing_ok=True)

    def _file(self, tenant: str) -> Path | None:
        if self._indexes is None:
            return None
        return (
            self._indexes / "guidance" / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.json"
        )
