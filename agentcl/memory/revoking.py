"""What forgetting does to adapters: those that hold what is forgotten are revoked, and their files erased."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

from agentcl.errors import NotFound
from agentcl.jobs.queue import Queue
from agentcl.memory.adapter_files import erase_files
from agentcl.memory.opened import Opened
from agentcl.memory.routing import all_adapters
from agentcl.store.adapters import Adapter, AdapterState

CONSOLIDATE: Final = "consolidate"  # the kind of job that trains adapters
_USABLE: Final[tuple[AdapterState, ...]] = ("passed", "canary", "stable")
_FORGOTTEN: Final = "what it held was forgotten"


@dataclass(slots=True)
class Revoked:
    """What a forgetting did to adapters.

    Attributes:
        adapters: by their ids, as they were before.
        files: that were erased.
    """

    adapters: dict[str, Adapter] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


def revoke_holding(opened: Opened, ids: Collection[str], done: Revoked) -> None:
    """Revoke each adapter that holds one of some records, or was trained on from one that does.

    Their files are erased too. What was revoked already is returned again, and its files are looked for again: a
    forgetting that was cut off is repeated.

    Args:
        opened: the memory.
        ids: of the records.
        done: is told what was done.

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
    for one in found:
        done.adapters.setdefault(one.id, one)
    done.files += erase_files(opened.path, [one.name for one in found])


def queue_rebuilds(opened: Opened, done: Revoked) -> list[str]:
    """Ask for what was in use to be trained anew from the base, without what was forgotten; return the jobs' ids.

    The job is the one that made it, without a parent. One whose job is kept no more, or whose own scope was forgotten, is
    not trained anew.
    """
    queue, asked = Queue(opened.journal), dict[str, None]()
    for one in done.adapters.values():
        made_by = str(one.method.get("job", ""))
        if one.state not in _USABLE or not made_by or opened.routes.named(one.name) is None:
            continue
        try:
            spec = {**queue.get(made_by).spec, "parent": "", "at": ""}
        except NotFound:
            continue
        held = queue.unfinished(CONSOLIDATE, spec, scope=one.scope)
        asked[(held or queue.enqueue(CONSOLIDATE, spec, scope=one.scope)).id] = None
    return [*asked]
