"""Who asks, and what that opens: a key's scope and rights, narrowed by what a request says of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from agentcl.errors import InvalidInput
from agentcl.server.keys import RIGHTS, Keys, Right
from agentcl.server.problems import Refused
from agentcl.store.checks import WriteScope
from agentcl.store.records import SCOPE_FIELDS
from agentcl.text.suggesting import did_you_mean

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

OURS: Final = "x-agentcl-"
HEADERS: Final[Mapping[str, str]] = {field: f"{OURS}{field}" for field in SCOPE_FIELDS}
MODE: Final = f"{OURS}memory"
SOFT: Final = f"{OURS}soft"
FIELDS: Final = frozenset([*HEADERS.values(), MODE, SOFT])  # of a body that goes to a model
_KEY: Final = f"{OURS}key"
_AUTHORIZATION: Final = "authorization"
_BEARER: Final = "bearer "


def is_ours(name: str) -> bool:
    """Return whether a header or a field of a body is meant for this server, however it is spelled."""
    return name.lower().replace("_", "-").startswith(OURS)


def refuse_unclear(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse names of ours that nobody reads, and those that stand twice: left aside, they would mean somebody else.

    Args:
        names: of headers in lower case, or of the fields of a body, as often as they stand there.
        known: which of ours are read.

    Raises:
        InvalidInput: naming the first.
    """
    seen = set[str]()
    for name in names:
        if not is_ours(name) and name != _AUTHORIZATION:
            continue
        if name in seen:
            raise InvalidInput(
                f"{name} stands twice, so it is not clear which one counts; send it once"
            )
        if name != _AUTHORIZATION and name not in known:
            advice = did_you_mean(name, known, f"there are {', '.join(sorted(known))}")
            raise InvalidInput(f"this server reads no {name!r}{advice}")
        seen.add(name)


def refuse_unclear_headers(headers: Iterable[str]) -> None:
    """Refuse headers of ours that are not clear, by their names in lower case. Raises InvalidInput."""
    refuse_unclear(headers, {*FIELDS, _KEY})


@dataclass(frozen=True, slots=True)
class Access:
    """What a request may reach.

    Attributes:
        memory: a handle on the memory to which the key's scope is bound; nothing can widen it.
        scope: the fields that are bound, by the key, by the request and where the server was started.
        rights: what may be done with it.
        key: the id of the key; empty where none is asked for.
        has_tenants: whether a request may name a tenant that is not bound. Who was given a user, an agent or a session
            without a tenant has that of no tenant.
    """

    memory: Memory
    scope: WriteScope
    rights: frozenset[Right]
    key: str = ""
    has_tenants: bool = True

    def need(self, right: Right) -> Access:
        """Return this if it has a right. Raises Refused."""
        if right not in self.rights:
            raise Refused(403, f"this key has not the right to {right}; see `agentcl key list`")
        return self

    def narrowed(self, fields: Mapping[str, str]) -> Access:
        """Return this with further fields bound.

        Raises:
            Refused: if one of them is bound to something else by the key.
            InvalidInput: if a value is none that a scope can have.
        """
        new: WriteScope = {}
        self.check_tenant(fields)
        for name, value in fields.items():
            bound = self.scope.get(name)
            if bound is not None and bound != value:
                what = "this key" if self.key else "this server"
                raise Refused(403, f"{what} opens {name}={bound!r} only, and not {value!r}")
            new[name] = value  # type: ignore[literal-required]  # one of SCOPE_FIELDS
        return replace(self, memory=self.memory.scoped(**new), scope={**self.scope, **new})

    def check_tenant(self, sent: Mapping[str, object]) -> None:
        """Refuse a scope of a tenant that nobody gave. Raises Refused."""
        if not self.has_tenants and sent.get("tenant") is not None:
            what = "this key" if self.key else "this server"
            raise Refused(403, f"{what} opens what is of no tenant, and not {sent['tenant']!r}")


def access_of(memory: Memory, keys: Keys, headers: Mapping[str, str], *, is_local: bool) -> Access:
    """Return what the headers of a request open.

    Once there is a key, every request needs one: `Authorization: Bearer KEY`, or `x-agentcl-key`, which leaves the
    other for the model behind a proxy. The headers `x-agentcl-tenant`, `-user`, `-agent` and `-session` narrow it.

    Args:
        memory: the whole of it.
        keys: of this memory.
        headers: by their names in lower case.
        is_local: whether only this machine can ask; if others can, nobody gets in without a key, whatever was removed.

    Raises:
        Refused: if a key is needed and missing or unknown, or if a header names what the key does not open.
        InvalidInput: if a header names no scope.
        ConfigError: if the keys cannot be read: then nobody gets in.
    """
    named = {field: headers[name] for field, name in HEADERS.items() if name in headers}
    for field, value in named.items():
        if not value:
            raise InvalidInput(f"the header {HEADERS[field]} is empty; leave it out")
    needs_key = bool(keys) or not is_local
    return _opened(memory, keys, _secret(headers), needs_key=needs_key).narrowed(named)


def _opened(memory: Memory, keys: Keys, secret: str, *, needs_key: bool) -> Access:
    if not needs_key:
        return Access(memory, memory.scope, frozenset(RIGHTS), has_tenants=_has_tenants(memory))
    key = keys.of(secret) if secret else None
    if key is None:
        raise Refused(
            401,
            "this key opens nothing here"
            if secret
            else "this server asks for a key: Authorization: Bearer KEY",
        )
    bound = memory.scoped(**key.scope) if key.scope else memory
    return Access(bound, bound.scope, frozenset(key.rights), key.id, _has_tenants(bound))


def _has_tenants(memory: Memory) -> bool:
    """Return whether a handle leads to tenants by itself: to the one that is bound, or to all."""
    return not memory.scope or "tenant" in memory.scope


def _secret(headers: Mapping[str, str]) -> str:
    if own := headers.get(_KEY):
        return own
    said = headers.get(_AUTHORIZATION, "")
    return said[len(_BEARER) :].strip() if said.lower().startswith(_BEARER) else ""
