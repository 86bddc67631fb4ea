"""Which adapter answers for whom: the newest rows of the journal, read before each answer.

So a decision holds in every process at its next answer, also in a proxy that runs. What is kept here is a cache.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from agentcl.store.adapters import Adapter, AdapterState
from agentcl.store.base import Store
from agentcl.store.conversations import Conversation, Statement, home_of
from agentcl.store.episodes import AdapterCoin, Episode, Guidance
from agentcl.store.records import Record, Scope, ScopeView
from agentcl.store.rows import readable

Held = Literal["as it was", "changed", "deleted", "forgotten"]
SERVED: Final[tuple[AdapterState, ...]] = ("canary", "stable")
_LEARNED: Final = (Statement.kind, Guidance.kind, Episode.kind)  # what adapters hold
# Of stable adapters, the narrowest scope first, what is asked, and a conversation: who answers, or nobody, and why.
AdapterChoosing = Callable[[Sequence[Adapter], str, str], tuple[Adapter | None, str]]
_COIN_BYTES: Final = 6  # fewer bits than a float has, so that the largest is below 1
_COIN_SIDES: Final = 256.0**_COIN_BYTES
_EVERYBODY: Final = ScopeView(None, None, None, None)


@dataclass(frozen=True, slots=True)
class AdapterRoute:
    """Who answers in a scope."""

    name: str = ""  # what a server is asked for as `model`; empty: the bare model
    id: str = ""  # of the adapter
    base: str = ""  # that it was trained on
    is_canary: bool = False
    is_stale: bool = False  # a record that it holds says something else by now
    withheld: str = ""  # the name of the canary that a coin left out
    coins: tuple[AdapterCoin, ...] = ()  # by which it does, to be kept with an episode
    why: str = ""  # in words, where several stable adapters were at hand


class AdapterRoutes:
    """The adapters of a store, kept in step with it. Safe for threads.

    Args:
        store: their records are in.
        choose: which of several stable adapters answers; default: that of the narrowest scope.
    """

    def __init__(self, store: Store, choose: AdapterChoosing | None = None) -> None:
        self._store = store
        self._choose = choose
        self._lock = threading.Lock()
        self._seq: int | None = None
        self._adapters: dict[str, Adapter] = {}
        self._stale: dict[str, bool] = {}  # as far as somebody asked

    def route(
        self, scope: Scope, key: str = "", *, with_coins: bool = True, asked: str = ""
    ) -> AdapterRoute:
        """Return who answers in a scope: the adapter of the narrowest scope that has one.

        A canary answers by a coin that falls the same for all answers of a conversation, and after a part of the
        others became its own.

        Args:
            scope: of who asks, with the session if there is one.
            key: of the coin; default: the session. Without one no canary answers.
            with_coins: whether canaries may answer.
            asked: by what is asked one of several stable adapters is chosen; default: that of the narrowest scope.
        """
        key, coins, withheld = key or scope.session, [], ""
        served = list(self._by_scope(scope))
        for canary, stable in served:
            if canary is not None and key and with_coins:
                share = self._share(canary, scope)
                is_shown = coin_of(canary.id, key) < share
                if share:
                    coins.append(AdapterCoin(canary.id, share, is_shown))
                if is_shown:
                    return self._routed(canary, withheld, coins)
                withheld = canary.name if share else withheld
            if stable is not None:
                chosen, why = self._chosen([s for _, s in served if s is not None], asked, key)
                if chosen is None:
                    return AdapterRoute(withheld=withheld, coins=tuple(coins), why=why)
                coins.append(AdapterCoin(chosen.id, 1.0, True))
                return replace(self._routed(chosen, withheld, coins), why=why)
        return AdapterRoute(withheld=withheld, coins=tuple(coins))

    def _chosen(
        self, stable: Sequence[Adapter], asked: str, key: str
    ) -> tuple[Adapter | None, str]:
        """Return who answers of the stable adapters that a scope sees, the narrowest first, and why."""
        base = stable[0].weights
        alike = [one for one in stable if one.weights == base]
        if len(alike) < 2 or not asked.strip() or self._choose is None:
            return stable[0], ""
        return self._choose(alike, asked, key)

    def all(self) -> list[Adapter]:
        """Return the adapters of all scopes, oldest first."""
        with self._lock:
            self._follow()
            return sorted(self._adapters.values(), key=lambda one: one.id)

    def named(self, name: str) -> Adapter | None:
        """Return an adapter by its name, of whatever scope."""
        with self._lock:
            self._follow()
            return next((one for one in self._adapters.values() if one.name == name), None)

    def _routed(self, one: Adapter, withheld: str, coins: list[AdapterCoin]) -> AdapterRoute:
        with self._lock:
            if one.id not in self._stale:
                held = one.holds.items()
                self._stale[one.id] = any(
                    became(self._store, id, version)[1] != "as it was" for id, version in held
                )
            is_stale = self._stale[one.id]
        return AdapterRoute(
            one.name, one.id, one.base, one.state == "canary", is_stale, withheld, tuple(coins)
        )

    def _by_scope(self, scope: Scope) -> Iterator[tuple[Adapter | None, Adapter | None]]:
        """Yield the canary and the stable adapter of each scope that is seen, the narrowest scope first."""
        view = scope.view()
        with self._lock:
            self._follow()
            seen = [
                one
                for one in self._adapters.values()
                if one.state in SERVED and view.sees(one.scope)
            ]
        scopes = dict.fromkeys(one.scope for one in seen)
        for own in sorted(scopes, key=_narrowness, reverse=True):
            canary, stable = (
                next((o for o in reversed(seen) if o.scope == own and o.state == state), None)
                for state in SERVED
            )
            yield canary, stable

    def _share(self, canary: Adapter, scope: Scope) -> float:
        """Return the share that holds for a session: of a conversation under way the one when it began."""
        own, name = home_of(scope)
        begun = (
            self._store.find(kind=Conversation.kind, scope=own, key=name) if scope.session else None
        )
        if begun is None or begun.created_at >= canary.created_at:
            return canary.share
        versions = [
            row.record()
            for row in self._store.versions(canary.id)
            if row.op == "put" and row.record().created_at <= begun.created_at
        ]
        then = versions[-1] if versions else None
        return then.share if isinstance(then, Adapter) and then.state == "canary" else 0.0

    def _follow(self) -> None:
        """Take what was written since; a caller holds the lock."""
        newest = self._store.last_seq()
        if self._seq is None or newest < self._seq:
            self._adapters = {one.id: one for one in all_adapters(self._store)}
            self._stale.clear()
        elif newest > self._seq:
            kinds = (Adapter.kind, *_LEARNED) if self._adapters else (Adapter.kind,)
            for row in self._store.since(self._seq, kinds=kinds):
                if row.kind != Adapter.kind:
                    self._touch(row.id)
                    continue
                self._adapters.pop(row.id, None)
                if row.op == "put":
                    self._adapters |= {
                        one.id: one for one in readable([row]) if isinstance(one, Adapter)
                    }
                self._stale.pop(row.id, None)
        self._seq = newest

    def _touch(self, record: str) -> None:
        for id in [id for id in self._stale if record in self._adapters[id].holds]:
            del self._stale[id]


def all_adapters(store: Store) -> Iterator[Adapter]:
    """Yield the adapters of all scopes, oldest first."""
    yield from sorted(store.records(Adapter, view=_EVERYBODY), key=lambda one: one.id)


def became(store: Store, id: str, version: int) -> tuple[Record | None, Held]:
    """Return a record as an adapter learned it, and what became of it; None if it was forgotten."""
    rows = store.versions(id)
    learned = next((row for row in rows if row.op == "put" and row.version == version), None)
    if learned is None:
        return None, "forgotten"
    then, last = learned.record(), rows[-1]
    if last.op != "put":
        return then, "deleted"
    return then, "as it was" if _matter(then) == _matter(last.record()) else "changed"


def coin_of(adapter: str, key: str) -> float:
    """Return where the coin of a conversation falls, from 0 to below 1: below a canary's share, it answers."""
    digest = hashlib.blake2b(f"{adapter}\0{key}".encode(), digest_size=_COIN_BYTES).digest()
    return int.from_bytes(digest) / _COIN_SIDES


def _narrowness(scope: Scope) -> tuple[bool, bool, bool]:
    return bool(scope.session), bool(scope.user), bool(scope.agent)


def _matter(record: Record) -> tuple[object, ...]:
    """Return what of a record an adapter learns: whether that changed makes it stale."""
    match record:
        case Statement():
            return record.text, record.value, record.polarity, record.valid_to, record.replaced_by
        case Guidance():
            return record.when, record.claim, record.what
    return (record.search_text(),)
