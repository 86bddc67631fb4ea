"""`memory.adapters`: what was trained on memory, what it holds, in which state it is, and who answers.

An adapter is a cache of named records. Its folder lies beside the journal under its name, is written once, and is
checked against the hashes in its record before it is put to use. Which one answers is a row of the journal, so that
taking one back is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Unpack

from agentcl.errors import InvalidInput, NotFound, StoreCorrupt
from agentcl.memory.adapters.files import check_files, erase_files
from agentcl.memory.adapters.routing import AdapterRoute, Held, all_adapters, became
from agentcl.memory.adapters.trials import AdapterTrial, become, put_in_place, settle, trial_of
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.lessons.beliefs import Beliefs
from agentcl.memory.opened import ADAPTERS, Opened
from agentcl.store.adapters import Adapter, AdapterState
from agentcl.store.checks import ReadScope, WriteScope, check_choice, check_unicode
from agentcl.store.conversations import Statement
from agentcl.store.episodes import Guidance
from agentcl.store.records import Record, Scope, ScopeView

Route = Literal["stable", "canary", "off"]
_JUDGED: Final[tuple[AdapterState, ...]] = ("passed", "canary", "stable", "retired")


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """One record that an adapter holds, and what became of it since."""

    id: str
    version: int  # that was trained on
    kind: str
    says: str  # as it was then; empty for one that was forgotten
    now: Held


@dataclass(frozen=True, slots=True)
class AdapterDifference:
    """What one adapter holds and another does not."""

    only_first: tuple[str, ...]  # ids of records
    only_second: tuple[str, ...]
    changed: tuple[str, ...]  # that they hold in different versions
    method: Mapping[str, tuple[Any, Any]]  # what they were trained by differently


class Adapters:
    """The adapters of a memory. Made by `Memory.adapters`.

    `agentcl consolidate` trains them. Who answers is decided here, and read before each answer.
    """

    def __init__(self, opened: Opened, beliefs: Beliefs, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._beliefs = beliefs
        self._bound = bound

    # Reading

    def list(self, **scope: Unpack[ReadScope]) -> Sequence[Adapter]:
        """Return the adapters of a scope and below, oldest first."""
        return self._all(self._bound.subtree(scope))

    def get(self, name: str) -> Adapter:
        """Return an adapter by its name. Raises NotFound."""
        for one in self._all(self._bound.subtree({})):
            if one.name == check_unicode(name, "name"):
                return one
        raise NotFound(
            f"there is no adapter {name!r} here; `agentcl adapters list` names those that there are"
        )

    def folder(self, name: str) -> Path:
        """Return where the files of an adapter are, or were."""
        return self._opened.path / ADAPTERS / name

    def why(self, name: str) -> Sequence[HeldRecord]:
        """Return each record that an adapter holds, and what became of it since. Raises NotFound."""
        return [self._held(id, version) for id, version in sorted(self.get(name).holds.items())]

    def stale(self, name: str) -> Sequence[HeldRecord]:
        """Return the records that say something else by now than the adapter learned, or are gone.

        An adapter with any is stale: what a search finds is newer. Raises NotFound.
        """
        return [one for one in self.why(name) if one.now != "as it was"]

    def diff(self, first: str, second: str) -> AdapterDifference:
        """Return what differs between two adapters. Raises NotFound."""
        a, b = self.get(first), self.get(second)
        both = a.holds.keys() & b.holds.keys()
        names = sorted({*a.method, *b.method, "base"})
        one, other = ({**of.method, "base": of.base} for of in (a, b))
        return AdapterDifference(
            only_first=tuple(sorted(a.holds.keys() - both)),
            only_second=tuple(sorted(b.holds.keys() - both)),
            changed=tuple(sorted(id for id in both if a.holds[id] != b.holds[id])),
            method={
                name: (one.get(name), other.get(name))
                for name in names
                if one.get(name) != other.get(name)
            },
        )

    def verify(self, name: str) -> Path:
        """Compare an adapter's files with the hashes in its record; return their folder.

        Raises:
            NotFound: if there is no such adapter.
            StoreCorrupt: if a file is missing, was changed, or is too many.
        """
        return check_files(self._opened.path, self.get(name))

    def answering(self, *, asked: str = "", **scope: Unpack[WriteScope]) -> AdapterRoute:
        """Return who answers in a scope, as the journal says now.

        It is the adapter of the narrowest scope that has one. A canary answers a share of the sessions, by a coin that
        falls the same for all answers of a session. Where several stable adapters are at hand, and it is said what is
        asked, another one of them answers if it is the better choice by a margin, or the bare model; `why` says so. A
        session keeps its choice.

            name = memory.adapters.answering(user="ada", session="s1").name or "the-bare-model"

        Args:
            asked: what a conversation begins with.
            scope: `tenant`, `user`, `agent`, `session`: who asks; see `Memory`.
        """
        text = check_unicode(asked, "asked") if asked else ""
        return self._opened.routes.route(self._bound.owner(scope), asked=text)

    def allows(self, name: str, **scope: Unpack[WriteScope]) -> bool:
        """Return whether a scope may ask a server for a model of this name.

        It may not if that is an adapter of others, or one that failed or was revoked. What is no adapter is allowed.
        """
        owner = self._bound.owner(scope)
        held = self._opened.routes.named(check_unicode(name, "name"))
        return held is None or (held.state in _JUDGED and owner.view().sees(held.scope))

    # Deciding

    def route(self, name: str, to: Route, *, share: float = 0.1) -> Adapter:
        """Say who answers in an adapter's scope.

        Args:
            name: of the adapter.
            to: "stable" for all conversations, in the place of the one that was; "canary" for a share of them;
                "off".
            share: of conversations, above 0 and below 1, for a canary.

        Raises:
            NotFound: if there is no such adapter.
            InvalidInput: if it never passed its gate, or was revoked.
            StoreCorrupt: if its files are not those that were trained.
        """
        check_choice(to, ("stable", "canary", "off"), "a route")
        held = self.get(name)
        if held.state not in _JUDGED:
            failed = "it was revoked" if held.state == "revoked" else "it has not passed its gate"
            raise InvalidInput(
                f"the adapter {name} cannot answer: {failed}; see `agentcl adapters show {name}`"
            )
        if to == "canary" and not 0 < share < 1:
            raise InvalidInput(f"a canary answers a share between 0 and 1, and not {share}")
        if to != "off":
            self.verify(name)
            if gone := [one.id for one in self.why(name) if one.now == "forgotten"]:
                raise InvalidInput(f"the adapter {name} holds what was forgotten: {gone[0]}")
        with self._opened.journal.writing() as writing:
            if to == "off":
                return become(writing, held, "retired", "somebody switched it off")
            if to == "canary":
                return become(writing, held, "canary", "on trial", share=share)
            return put_in_place(self._opened, writing, held, "somebody chose it")

    def trial(self, name: str) -> AdapterTrial:
        """Return what outcomes say of an adapter that answers in some sessions and not in others. Raises NotFound."""
        held = self.get(name)
        return trial_of(self._beliefs.state(held.scope.tenant), held)

    def settle(self, **scope: Unpack[ReadScope]) -> Sequence[AdapterTrial]:
        """Let outcomes decide about the canaries of a scope and below, and return what they say of each.

        With ten episodes each with it and without it, a canary becomes stable if it loses less than 0.05 points of score
        with a probability above 0.975, and goes if it helps with one below 0.025. This is done by itself whenever an episode
        in which a coin decided gets its score.
        """
        canaries = [one for one in self.list(**scope) if one.state == "canary"]
        tenants = dict.fromkeys(one.scope.tenant for one in canaries)
        return [
            trial
            for tenant in tenants
            for trial in settle(
                self._opened,
                self._beliefs.state(tenant),
                [one for one in canaries if one.scope.tenant == tenant],
            )
        ]

    def rollback(self, **scope: Unpack[WriteScope]) -> Adapter | None:
        """Take back the newest decision of who answers in exactly this scope.

        A canary goes first. Else the stable adapter retires, and the one that it replaced is stable again, if its files
        are as they were.

        Returns:
            The adapter that answers now; None: the bare model.

        Raises:
            NotFound: if no adapter answers there.
        """
        owner = self._bound.owner(scope)
        with self._opened.journal.writing() as writing:
            canary, stable = self._served(owner, "canary"), self._served(owner, "stable")
            if canary:
                become(writing, canary, "retired", "rolled back")
                return stable
            if not stable:
                raise NotFound("no adapter answers in that scope, so there is nothing to roll back")
            become(writing, stable, "retired", "rolled back")
            earlier = next((one for one in self._exactly(owner) if one.id == stable.replaced), None)
            if earlier is None or earlier.state == "revoked" or not self._is_whole(earlier):
                return None
            return become(writing, earlier, "stable", f"{stable.name} was rolled back")

    def revoke(self, name: str, *, reason: str = "") -> Adapter:
        """Put an adapter, and all that were trained on from it, out of use for good; their files are erased.

        Raises:
            NotFound: if there is no such adapter.
            EraseIncomplete: if files cannot be deleted; it is revoked then.
        """
        held, why = self.get(name), check_unicode(reason, "reason") or "somebody revoked it"
        family, gone = {held.id}, [held]
        for one in all_adapters(self._opened.journal):
            if family & set(one.parents):
                family.add(one.id)
                gone.append(one)
        with self._opened.journal.writing() as writing:
            revoked = [
                become(writing, one, "revoked", why if one.id == held.id else f"{name}: {why}")
                for one in gone
                if one.state != "revoked"
            ]
        erase_files(self._opened.path, [one.name for one in gone])
        return revoked[0] if revoked and revoked[0].id == held.id else held

    def _all(self, view: ScopeView) -> Sequence[Adapter]:
        return sorted(self._opened.journal.records(Adapter, view=view), key=lambda one: one.id)

    def _exactly(self, owner: Scope) -> Sequence[Adapter]:
        return self._all(owner.exactly())

    def _served(self, owner: Scope, state: AdapterState) -> Adapter | None:
        found = [one for one in self._exactly(owner) if one.state == state]
        return found[-1] if found else None

    def _is_whole(self, one: Adapter) -> bool:
        try:
            self.verify(one.name)
        except StoreCorrupt:
            return False
        return True

    def _held(self, id: str, version: int) -> HeldRecord:
        then, now = became(self._opened.journal, id, version)
        return HeldRecord(
            id, version, "" if then is None else then.kind, "" if then is None else _says(then), now
        )


def _says(record: Record) -> str:
    match record:
        case Statement():
            return record.text
        case Guidance():
            return record.search_text()
    return getattr(record, "goal", "") or getattr(record, "task", "")
