"""What `get` and `list` return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from agentcl.errors import InvalidInput, NotFound
from agentcl.memory.opened import Opened
from agentcl.store.checks import check_a, check_count, check_label, check_micros, check_unicode
from agentcl.store.records import KINDS, Document, Record, ScopeView
from agentcl.store.rows import fields_of, readable


def get(
    opened: Opened, id: str | None, uri: str | None, view: ScopeView, as_of: datetime | None
) -> Record:
    """Return a record by its id, or a document by its uri; `Memory.get` documents the arguments."""
    at, named = check_micros(as_of, "as_of"), one_of(id, uri)
    if id is None:
        return at_uri(opened, named, view, at)
    return opened.journal.get(check_unicode(named, "id"), view=view, at=at)


def listed(
    opened: Opened,
    view: ScopeView,
    *,
    kind: str,
    prefix: str,
    limit: int,
    after: Record | None,
    as_of: datetime | None,
) -> Sequence[Record]:
    """Return records in the order of their last change; `Memory.list` documents the arguments."""
    if check_unicode(kind, "kind") not in KINDS:
        raise InvalidInput(f"unknown kind {kind!r}; known kinds: {', '.join(sorted(KINDS))}")
    if prefix and kind != Document.kind:
        raise InvalidInput(f"a {kind} has no uri; only documents are listed by prefix")
    limit = check_count(limit, "limit")
    if after is not None:
        check_a(after, Record, "after")
    rows = opened.journal.live(
        view=view,
        kinds=(kind,),
        prefix=check_label(prefix, "prefix"),
        at=check_micros(as_of, "as_of"),
        after=0 if after is None else opened.journal.seq_of(after),
    )
    return [*islice(readable(rows), limit)]


def at_uri(opened: Opened, uri: str, view: ScopeView, at: int | None) -> Record:
    """Return the document with a uri that is nearest to a view."""
    check_label(uri, "uri")
    kinds = (Document.kind,)
    found = [*opened.journal.live(view=view, kinds=kinds, key=uri, at=at)]
    if not found:
        raise NotFound(
            f"no document with the uri {uri!r} is visible from this scope; see `list` for what "
            "is, and check tenant, user, agent and session"
        )
    return max(found, key=lambda row: (sum(map(bool, fields_of(row.scope))), row.seq)).record()


def one_of(id: str | None, uri: str | None) -> str:
    """Return the one name that was given. Raises InvalidInput for none or both."""
    if (id is None) == (uri is None):
        raise InvalidInput("name a record by its id, or a document by its uri: one of them")
    return id if uri is None else uri  # type: ignore[return-value]  # one is there
