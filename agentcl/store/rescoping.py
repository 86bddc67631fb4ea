"""Bringing the records of an export into another scope."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from agentcl.store.border import Coming
from agentcl.store.checks import canonical_json
from agentcl.store.conversations import Conversation, Digestion, Turn, conversation_id
from agentcl.store.records import Scope
from agentcl.store.rows import Row, fields_of
from agentcl.store.ulid import derived_ulid

_KEYED_BY_ID: Final = (Turn.kind, Digestion.kind)  # their keys begin with a conversation's id
_SIGN: Final = "\0"  # between the parts of what an id is derived from: no field of a scope has it


def rescope(
    coming: Sequence[Coming], fields: Mapping[str, str]
) -> tuple[list[Coming], dict[str, str]]:
    """Return rows with some fields of their scopes replaced, and the new ids by the old ones.

    A record in another scope is another record. Its id is derived from the old one and the scope, so that
    bringing it there twice brings it once. Traces of forgotten records have no scope and are left out.
    """
    ids: dict[str, str] = {}
    for row, _, _ in coming:
        if row.op != "erase" and (scope := replace(row.scope, **fields)) != row.scope:
            ids.setdefault(row.id, derived_ulid(row.id, _SIGN.join(fields_of(scope))))
            if row.id == _own_id(row, row.scope):
                ids[row.id] = _own_id(row, scope)
    return [
        (_rescoped(row, fields, ids), vector, is_given)
        for row, vector, is_given in coming
        if row.op != "erase"
    ], ids


def _own_id(row: Row, scope: Scope) -> str:
    """Return the id that follows from what a row is, in a scope; empty if its kind has none."""
    is_conversation = row.kind == Conversation.kind and row.key is not None
    return conversation_id(scope, row.key or "") if is_conversation else ""


def _rescoped(row: Row, fields: Mapping[str, str], ids: Mapping[str, str]) -> Row:
    tenant, user, agent, session = fields_of(replace(row.scope, **fields))
    moved = row._replace(
        id=ids.get(row.id, row.id),
        tenant=tenant,
        user=user,
        agent=agent,
        session=session,
        key=_key(row, ids),
        sources=_renamed(row.sources, ids),
        body=_renamed(row.body, ids),
        metadata=_renamed(row.metadata, ids) if row.op == "delete" else row.metadata,
    )
    return moved._replace(checksum=moved.digest())


def _key(row: Row, ids: Mapping[str, str]) -> str | None:
    """Return a key in which an id is the new one: it is all of the key, or the first part."""
    if row.key is None:
        return None
    head, slash, rest = row.key.partition("/") if row.kind in _KEYED_BY_ID else (row.key, "", "")
    return ids.get(head, head) + slash + rest


def _renamed(text: str, ids: Mapping[str, str]) -> str:
    """Return JSON in which whole values that are ids are the new ids."""

    def walk(value: Any) -> Any:  # noqa: ANN401  # any JSON
        match value:
            case str():
                return ids.get(value, value)
            case list():
                return [walk(one) for one in value]
            case dict():
                return {name: walk(one) for name, one in value.items()}
        return value

    return canonical_json(walk(json.loads(text)))
