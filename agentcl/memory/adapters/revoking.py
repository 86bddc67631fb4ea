"""What forgetting does to adapters: those that hold what is forgotten are revoked, and their files erased."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from agentcl.errors import NotFound
from agentcl.jobs.queue import Queue
from agentcl.memory.adapters.files import SHARDS, erase_files
from agentcl.memory.adapters.routing import all_adapters, became
from agentcl.memory.opened import Opened
from agentcl.store.adapters import Adapter, AdapterState, shard_of
from agentcl.store.base import Store

CONSOLIDATE: Final = "consolidate"  # the kind of job that trains adapters
_USABLE: Final[tuple[AdapterState, ...]] = ("passed", "canary", "stable")
_FORGOTTEN: Final = "what it held was forgotten"


@dataclass(slots=True)
class Revoked:
    """What a forgetting did to adapters.

    Attributes:
        adapters: by their ids, as they were before.
        files: that were erased.
        shards: of adapters that are made of parts, by their ids: those that held it.
    """

    adapters: dict[str, Adapter] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    shards: dict[str, set[int]] = field(default_factory=dict)


def revoke_holding(opened: Opened, ids: Collection[str], done: Revoked) -> None:
    """Revoke each adapter that holds one of some records, or was trained on from one that does.

    Their files are erased too, but for the shards that held none of them where the adapter is trained anew from those.
    What was revoked already is returned again, and its files are looked for again: a forgetting that was cut off is
    repeated.

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
    keeping = {}
    for one in found:
        before = done.adapters.setdefault(one.id, one)
        if one.shards > 1:
            done.shards.setdefault(one.id, set()).update(_touched(opened.journal, one, wanted))
            if before.state in _USABLE or before.reason == _FORGOTTEN:
                keeping[one.name] = clean_shards(opened.journal, one, wanted)
    done.files += erase_files(opened.path, [one.name for one in found], keeping=keeping)


def queue_rebuilds(opened: Opened, done: Revoked) -> list[str]:
    """Ask for what was in use to be trained anew from the base, without what was forgotten; return the jobs' ids.

    The job is the one that made it, without a parent. One whose job is kept no more, or whose own scope was forgotten, is
    not trained anew. One that is made of shards is trained on what is left of what it held, so that the shards that held
    none of what was forgotten are used again.

    Raises:
        EraseIncomplete: if shards that nobody needs cannot be erased.
    """
    queue, asked = Queue(opened.journal), dict[str, None]()
    for one in done.adapters.values():
        made_by = str(one.method.get("job", ""))
        left = [id for id, version in one.holds.items() if _is_known(opened.journal, id, version)]
        is_gone = one.state not in _USABLE or not made_by or opened.routes.named(one.name) is None
        try:
            spec = {**queue.get(made_by).spec, "parent": "", "at": ""} if not is_gone else None
        except NotFound:
            spec = None
        if spec is None or (one.shards > 1 and not left):
            if (
                one.reason != _FORGOTTEN
            ):  # then an earlier forgetting asked for a job that may use its shards
                done.files += erase_files(opened.path, [one.name])
            continue
        if one.shards > 1:
            spec["only"] = sorted(left)
        held = queue.unfinished(CONSOLIDATE, spec, scope=one.scope)
        asked[(held or queue.enqueue(CONSOLIDATE, spec, scope=one.scope)).id] = None
    return [*asked]


def clean_shards(journal: Store, one: Adapter, wanted: Collection[str] = ()) -> set[int]:
    """Return the shards of an adapter in which no record is forgotten, one of some, or made from one of these."""
    every = {shard_of(id, one.shards) for id in one.holds}
    forgotten = {id for id, version in one.holds.items() if not _is_known(journal, id, version)}
    return every - _touched(journal, one, wanted) - {shard_of(id, one.shards) for id in forgotten}


def told_shards(done: Revoked) -> list[str]:
    """Return the shards that held what was forgotten, each as the folder that it had below those of adapters."""
    return [
        f"{done.adapters[id].name}/{SHARDS}/{number}"
        for id, numbers in done.shards.items()
        for number in sorted(numbers)
    ]


def ancestors(journal: Store, ids: Iterable[str]) -> set[str]:
    """Return the ids of all records that some records were made from, step by step."""
    found: set[str] = set()
    waiting = list(ids)
    while waiting:
        rows = journal.versions(waiting.pop())
        for source in rows[-1].record().sources if rows and rows[-1].op == "put" else ():
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def _touched(journal: Store, one: Adapter, wanted: Collection[str]) -> set[int]:
    """Return the shards of an adapter that hold one of some records, or what was made from one."""
    return {
        shard_of(id, one.shards)
        for id in one.holds
        if id in wanted or not ancestors(journal, [id]).isdisjoint(wanted)
    }


def _is_known(journal: Store, id: str, version: int) -> bool:
    return became(journal, id, version)[1] != "forgotten"
