"""A scope that is bound once: what a handle names for every verb, so that a call need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack, cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.store.checks import (
    ReadScope,
    WriteScope,
    check_scope,
    check_subtree,
    check_unicode,
    check_view,
    named_scope,
)
from agentcl.store.records import AnyScope, Record, Scope, ScopeView

if TYPE_CHECKING:
    from agentcl.store.base import Store


class Bound:
    """The fields of a scope that a memory, and each of its rooms, names by itself.

    A call may name further fields, or the same ones again. It may not open or exchange a bound one.
    """

    def __init__(self, **fields: Unpack[WriteScope]) -> None:
        check_scope(fields)
        self.fields: WriteScope = fields

    def narrowed(self, scope: WriteScope) -> Bound:
        """Return this with further fields bound. Raises InvalidInput if one is bound otherwise."""
        return Bound(**cast(WriteScope, self.joined(scope)))

    def owner(self, scope: WriteScope) -> Scope:
        """Return the one scope that a write names."""
        return check_scope(cast(WriteScope, self.joined(scope)))

    def view(self, scope: ReadScope) -> ScopeView:
        """Return what a read sees: its own scope and what is shared with it."""
        return check_view(self.joined(scope))

    def subtree(self, scope: ReadScope | WriteScope) -> ScopeView:
        """Return a scope with everything below it: fields left out are open."""
        return check_subtree(self.joined(scope))

    def root(self, scope: ReadScope | WriteScope) -> Scope:
        """Return the scope that a subtree hangs on: fields left out, or open, are empty."""
        named = {k: v for k, v in self.joined(scope).items() if not isinstance(v, AnyScope)}
        return check_scope(cast(WriteScope, named))

    def check(self, scope: Scope) -> None:
        """Refuse a record of a scope that these fields do not name. Raises InvalidInput."""
        for name, value in self.fields.items():
            if getattr(scope, name) != value:
                raise InvalidInput(
                    f"this memory is bound to {name}={value!r}, and that record belongs to "
                    f"{name}={getattr(scope, name)!r}"
                )

    def check_whole(self, act: str, *, within: tuple[str, ...] = ()) -> None:
        """Refuse what concerns more than these fields name.

        Args:
            act: what was asked for, in words.
            within: the fields that may be bound, since the act keeps to them.

        Raises:
            InvalidInput: naming the first field that the act would reach beyond.
        """
        for name, value in self.fields.items():
            if name not in within:
                raise InvalidInput(
                    f"this memory is bound to {name}={value!r}, and {act} reaches beyond it; use the "
                    "memory that it was made from"
                )

    def names(self, scope: ReadScope | WriteScope) -> bool:
        """Return whether any field is named."""
        return any(self.joined(scope).values())

    def joined(self, scope: ReadScope | WriteScope) -> ReadScope:
        """Return these fields with those of a call. Raises InvalidInput if one is bound otherwise."""
        joined: dict[str, object] = dict(self.fields)
        for name, value in scope.items():
            bound = joined.get(name)
            # What is None goes on, to be refused, as an unknown name does.
            if bound is not None and value not in (None, bound):
                raise InvalidInput(
                    f"this memory is bound to {name}={bound!r} and cannot be asked for "
                    f"{name}={value!r}; use the memory that it was made from"
                )
            joined[name] = value
        return cast(ReadScope, joined)


UNBOUND: Final = Bound()


def refuse_other_scope(id: str, actual: Scope, named: Scope) -> None:
    """Refuse to change what is only shared with the scope that was named. Raises NotFound."""
    if actual != named:
        words = [f"{name}={value}" for name, value in named_scope(actual).items()]
        raise NotFound(
            f"record {id!r} is shared with this scope but does not belong to it; to change it, "
            f"name exactly its own scope: {', '.join(words) or 'no tenant, user, agent or session'}"
        )


def record_of(journal: Store, id: str, scope: Scope) -> Record:
    """Return the live record with an id, to be changed: it must be of exactly this scope. Raises NotFound."""
    record = journal.get(check_unicode(id, "id"), view=scope.view())
    refuse_other_scope(id, record.scope, scope)
    return record
