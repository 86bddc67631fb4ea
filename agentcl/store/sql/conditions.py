"""Conditions in SQL that more than one table is asked with."""

from __future__ import annotations

from typing import Final

from agentcl.store.records import SCOPE_FIELDS, ScopeView
from agentcl.store.sql.tables import marks

_LAST_CHARACTER: Final = chr(0x10FFFF)
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000


def view_sql(view: ScopeView, alias: str = "s") -> tuple[str, list[object]]:
    """Return an SQL condition on a scope table, and its parameters, that lets `view` through."""
    conditions, parameters = ["1 = 1"], list[object]()
    for name in SCOPE_FIELDS:
        allowed: frozenset[str] | None = getattr(view, name)
        if allowed is not None:
            conditions.append(f'{alias}."{name}" IN ({marks(allowed)})')
            parameters.extend(sorted(allowed))
    return " AND ".join(conditions), parameters


def prefix_range(prefix: str) -> tuple[str, str | None]:
    """Return the least text with a prefix, and the least above all of them: None where there is none.

    Texts are compared by code points, which is also the order of their bytes in UTF-8.
    """
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return prefix, None
    after = ord(kept[-1]) + 1
    if after == _FIRST_SURROGATE:  # surrogates are no characters
        after = _AFTER_SURROGATES
    return prefix, kept[:-1] + chr(after)
