"""What a user names: a record by its id, a document by its uri or its file's path, a conversation by its session."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentcl.errors import InvalidInput, NotFound
from agentcl.store.checks import ReadScope, WriteScope, check_label, check_scope, check_view
from agentcl.store.conversations import Conversation
from agentcl.store.records import SCOPE_FIELDS, Document, Scope
from agentcl.store.rows import fields_of

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.records import ScopeView
    from agentcl.store.rows import Row

_SHOWN = 3  # documents, or conversations, that an error names


def from_here(uri: str) -> str:
    """Return a path below the working folder as a path from there; any other uri as it is."""
    try:
        here = Path.cwd().as_posix()
    except FileNotFoundError:  # the folder was removed meanwhile
        return uri
    return uri.removeprefix(f"{here.rstrip('/')}/")


def whose(scope: Scope) -> str:
    """Return what a scope names, in words."""
    named = zip(SCOPE_FIELDS, fields_of(scope), strict=True)
    return " ".join(f"{name}={value}" for name, value in named if value)


def seen(
    memory: Memory, name: str, scope: dict[str, Any], *, is_ever: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return the id of the record that a name means to a reader in this scope, and the scope that he sees it from.

    Who names a session sees what is that session's own.

    Args:
        memory: where to look.
        name: an id, a uri, a path, or the name of a session; empty: that of the scope's session.
        scope: who looks.
        is_ever: also one that was deleted.

    Raises:
        NotFound: if there is none.
        InvalidInput: if it is a file of several documents, or a session of several users; or if nothing is named.
    """
    session = scope.get("session")
    if not name and not isinstance(session, str):
        raise InvalidInput(
            "nothing is named; give an id, a uri or a path, or --session NAME for a conversation"
        )
    view = check_view(cast(ReadScope, scope))
    if name:
        found = _found(memory, name, view, is_ever=is_ever)
    else:
        found = _conversation(memory, str(session), view, is_ever=is_ever)
    if not found and session is None:
        scope = {**scope, "session": name}
        found = _conversation(memory, name, check_view(cast(ReadScope, scope)), is_ever=is_ever)
    if not found:
        raise _nothing(name or str(session))
    keys = dict.fromkeys(row.key or "" for row in found)
    if len(keys) > 1:
        names = ", ".join([from_here(key) for key in keys][:_SHOWN])
        raise InvalidInput(f"{name} is {len(keys)} documents; name one of them: {names} ...")
    return _nearest(found), scope


def _nearest(found: Sequence[Row]) -> str:
    """Return the nearest, as `Memory.get` has it: a reader's own before one that is shared."""
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
    if found := _found(memory, name, view, is_ever=is_ever):
        return found
    raise _nothing(name)


def _nothing(name: str) -> NotFound:
    return NotFound(
        f"no record with the id, uri or path {name!r}, and no conversation of that session, is visible from this "
        "scope; see `agentcl list`, and check --tenant, --user, --agent and --session"
    )


def _found(memory: Memory, name: str, view: ScopeView, *, is_ever: bool) -> list[Row]:
    versions = memory.store.journal.versions(check_label(name, "the name"))
    if versions:
        return versions[-1:]  # who asks for the id says whether this scope may see it
    for uri in _uris(name):
        rows = list(_below(memory, uri, view, Document.kind, is_ever=is_ever))
        found = [row for row in rows if row.key == uri] or [
            row for row in rows if (row.key or "").startswith(f"{uri}#")
        ]
        if found:
            return found
    return _conversation(memory, name, view, is_ever=is_ever) if name else []


def _conversation(memory: Memory, session: str, view: ScopeView, *, is_ever: bool) -> list[Row]:
    """Return the row of a session's conversation, and of those of it that were deleted; none if there is none.

    Raises InvalidInput if several users or agents that the view sees have a session of that name.
    """
    rows = _below(memory, session, view, Conversation.kind, is_ever=is_ever)
    found = [row for row in rows if (row.key or "") == session]
    if view.user is not None:  # a user's own before one that is nobody's
        found = [row for row in found if row.scope.user or row.scope.agent] or found
    newest = {row.scope: row for row in found}
    if len(newest) > 1:
        told = [f"{row.id} of {whose(row.scope)}" for row in newest.values()]
        raise InvalidInput(
            f"{session!r} names {len(told)} conversations; say whose, or name one by its id: {', '.join(told[:_SHOWN])}"
        )
    return found


def _below(
    memory: Memory, prefix: str, view: ScopeView, kind: str, *, is_ever: bool
) -> Iterator[Row]:
    """Yield the records whose key begins so: those of now, or the last version of each there ever was."""
    journal, kinds = memory.store.journal, (kind,)
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
    if name.startswith("file:"):
        from urllib.request import url2pathname

        name = url2pathname(name.removeprefix("file:").removeprefix("//").removeprefix("localhost"))
    yield Path(os.path.realpath(name)).as_posix()
    file, mark, row = name.partition("#")
    if mark and file:
        yield f"{Path(os.path.realpath(file)).as_posix()}#{row}"
