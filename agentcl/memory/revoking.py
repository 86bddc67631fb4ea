"""What forgetting does to adapters: those that hold what is forgotten are revoked, and their files erased."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from agentcl.memory.adapter_files import erase_files
from agentcl.memory.opened import Opened
from agentcl.memory.routing import all_adapters
from agentcl.store.adapters import Adapter

_FORGOTTEN: Final = "what it held was forgotten"


def revoke_holding(opened: Opened, ids: Collection[str]) -> list[Adapter]:
    """Revoke each adapter that holds one of some records, or was trained on from one that does.

    Their files are erased too. What was revoked already is returned again, and its files are looked for again: a
    forgetting that was cut off is repeated.

    Raises:
        EraseIncomplete: if files cannot be erased.
    """
    wanted = set(ids)
    found: list[Adapter] = []
    for one in all_adapters(opened.journal):  # parents come before their children
        if not wanted.isdisjoint((*one.holds, *one.lineage, *one.parents, one.id)):
            wanted.add(one.id)
            found.append(one)
    fresh = [one for one in found if one.state != "revoked"]
    if fresh:
        with opened.journal.writing() as writing:
            for one in fresh:
                writing.revise(replace(one, state="revoked", share=0.0, reason=_FORGOTTEN))
    erase_files(opened.path, [one.name for one in found])
    return found
