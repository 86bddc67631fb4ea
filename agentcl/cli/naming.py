"""What a user names: a record by its id, a document by its uri, or by the path of its file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.store.checks import ReadScope, WriteScope, check_label, check_scope, check_view
from agentcl.store.records import Document
from agentcl.store.rows import fields_of

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.records import ScopeView
    from agentcl.store.rows import Row

_SHOWN = 3  # documents that an error names


def from_here(uri: str) -> str:
    """Return a path below the working folder as a path from there; any other uri as it is."""
    try:
        here = Path.cwd().as_posix()
    except FileNotFoundError:  # the folder was removed meanwhile
        return uri
    return uri.removeprefix(f"{here.rstrip('/')}/")


def one(memory: Memory, name: str, scope: dict[str, Any], *, is_ever: bool = False) -> str:
    """Return the id of the record that a name means to a reader in this scope.

    Args:
        memory: where to look.
        name: an id, a uri or a path.
        scope: who looks.
        is_ever: also one that was deleted.

    Raises:
        NotFound: if there is none.
        InvalidInput: if it is a file of several documents.
    """
    found = _find(memory, name, check_view(cast(ReadScope, scope)), is_ever=is_ever)
    keys = dict.fromkeys(row.key or "" for row in found)
    if len(keys) > 1:
        names = ", ".join([from_here(key) for key in keys][:_SHOWN])
        raise InvalidInput(f"{name} is {len(keys)} documents; name one of them: {names} ...")
    # The nearest, as `Memory.get` has it: a reader's own before one that is shared.
    return max(found, key=lambda row: (sum(map(bool, fields_of(row.scope))), row.seq)).id


def owned(
    memory: Memory, names: Sequence[str], scope: dict[str, Any], *, is_ever: bool = False
) -> list[str]:
    """Return the ids of the records of exactly this scope that names mean; of a table, all rows.

    Args:
        memory: where to look.
        names: ids, uris or paths.
        scope: whose records.
        is_ever: also those that were deleted.

    Raises:
        NotFound: if one of the names means nothing.
    """
    view = check_scope(cast(WriteScope, scope)).exactly()
    rows = [row for name in names for row in _find(memory, name, view, is_ever=is_ever)]
    return list(dict.fromkeys(row.id for row in rows))


def _find(memory: Memory, name: str, view: ScopeView, *, is_ever: bool) -> list[Row]:
    """Return the newest rows of what a name means. Raises NotFound."""
    versions = memory.store.journal.versions(check_label(name, "the name"))
    if versions:
        return versions[-1:]  # who asks for the id says whether this scope may see it
    for uri in _uris(name):
        rows = list(_documents(memory, uri, view, is_ever=is_ever))
        found = [row for row in rows if row.key == uri] or [
            row for row in rows if (row.key or "").startswith(f"{uri}#")
        ]
        if found:
            return found
    raise NotFound(
        f"no record with the id, uri or path {name!r} is visible from this scope; see `agentcl list`, "
        "and check --tenant, --user, --agent and --session"
    )


def _documents(memory: Memory, prefix: str, view: ScopeView, *, is_ever: bool) -> Iterator[Row]:
    """Yield the documents below a prefix: those of now, or the last version of each there ever was."""
    journal, kinds = memory.store.journal, (Document.kind,)
    if not is_ever:
        yield from journal.live(view=view, kinds=kinds, prefix=prefix)
        return
    last = {row.id: row for row in journal.since(0, kinds=kinds) if row.op == "put"}
    for row in last.values():
        if (row.key or "").startswith(prefix) and view.sees(row.scope):
            yield row


def _uris(name: str) -> Iterator[str]:
    """Yield the uris that a name can stand for: itself, a file's, a row's of a file."""
    if not name:
        return
    yield name
    yield Path(os.path.realpath(name)).as_posix()
    file, mark, row = name.partition("#")
    if mark and file:
        yield f"{Path(os.path.realpath(file)).as_posix()}#{row}"
