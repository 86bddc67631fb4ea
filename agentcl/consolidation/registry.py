"""What the job does to the record of an adapter: name it, register it before it is trained, and note what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentcl.errors import VersionConflict
from agentcl.memory.adapters.trials import become
from agentcl.store.adapters import ADAPTER_NAME, Adapter
from agentcl.store.records import Scope
from agentcl.store.writing import Writing

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


def next_name(memory: Memory, owner: Scope, digest: str) -> str:
    """Return a name that no adapter of the memory ever had: scope, number, and the beginning of a hash."""
    whose = "-".join(filter(None, (owner.tenant, owner.user, owner.agent, owner.session)))
    slug = re.sub(r"[^a-z0-9]+", "-", whose.casefold()).strip("-")[:40].strip("-") or "all"
    versions = memory.store.journal.since(0, kinds=(Adapter.kind,))
    number = 1 + len({row.id for row in versions})
    name = f"{slug}-v{number}-{digest[:8]}"
    while memory.adapters.folder(name).exists():  # left over from a memory that was deleted
        number += 1
        name = f"{slug}-v{number}-{digest[:8]}"
    assert ADAPTER_NAME.fullmatch(name)
    return name


def register(memory: Memory, adapter: Adapter) -> Adapter:
    """Store an adapter that is about to be trained, if what it holds is still there.

    Raises:
        VersionConflict: if a record was changed, deleted or forgotten since it was chosen.
    """
    with memory.store.journal.writing() as writing:
        _check_live(writing, adapter)
        stored = writing.create(adapter)
    assert isinstance(stored, Adapter)
    return stored


def judged(
    memory: Memory,
    name: str,
    *,
    gate: Mapping[str, Any],
    files: Mapping[str, str],
    method: Mapping[str, Any],
) -> Adapter:
    """Note what became of the training: the files, and the report of the gate.

    It passes only if the report says so, and nothing that it holds was forgotten meanwhile.

    Raises:
        VersionConflict: if it was revoked meanwhile, or a record is gone.
    """
    with memory.store.journal.writing() as writing:
        held = memory.adapters.get(name)
        if held.state != "built":
            raise VersionConflict(f"the adapter {name} is {held.state} by now ({held.reason})")
        _check_live(writing, held)
        noted = replace(held, gate=gate, files=files, method=method)
        if gate.get("is_passed") is True:
            return become(writing, noted, "passed", "it passed its gate")
        failed = ", ".join(str(one) for one in gate.get("failed", ())) or "no gate"
        return become(writing, noted, "built", f"its gate failed: {failed}")


def _check_live(writing: Writing, adapter: Adapter) -> None:
    live = writing.live_versions(list(adapter.holds))
    changed = [id for id, version in adapter.holds.items() if live.get(id) != version]
    if changed:
        raise VersionConflict(
            f"{changed[0]} was changed, deleted or forgotten since it was chosen; consolidate anew"
        )
