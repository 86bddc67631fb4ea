"""Adapters that are made of shards, so that to forget a record trains one of them anew (SISA, Bourtoule et al. 2021).

Each record belongs to one shard, by a hash of its id. A shard is an adapter of its own, trained from the base on its own
records and nothing else; the adapter is their sum (`cat`). So a shard whose rows, recipe and base are as they were is used
again, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.recipes import Recipe
from agentcl.consolidation.rows.building import ROWS, TrainingRow, load, rows_text, shards_of
from agentcl.errors import StorageFull
from agentcl.memory.adapters.files import SHARDS, hashes_of
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import make_folder

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.adapters import Adapter

SHARD: Final = "shard.json"  # in the folder of a shard that is trained to its end
_IN_PASSING: Final = ("budget_s", "checkpoint_every")  # of a recipe: they change no weight


def key_of(rows: Sequence[TrainingRow], recipe: Recipe, base: Sequence[str]) -> str:
    """Return by what a shard is known: a hash of all that its weights follow from.

    Args:
        rows: of the shard.
        recipe: of the whole adapter.
        base: hashes of the base's weights, vocabulary and template.
    """
    how = {k: v for k, v in asdict(recipe.of_shard()).items() if k not in _IN_PASSING}
    told = json.dumps([rows_text(rows), how, *base], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def shard_told(folder: Path) -> Mapping[str, Any] | None:
    """Return what is noted of a shard that is trained to its end; None of another one."""
    try:
        told = parsed_json((folder / SHARD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def reuse_shards(memory: Memory, held: Adapter, recipe: Recipe) -> dict[str, str]:
    """Copy into an adapter's folder the shards of other ones that would be trained to the same.

    A shard whose files are not those that were trained is left alone.

    Args:
        memory: that the adapters are of.
        held: whose rows are written.
        recipe: by which it is trained.

    Returns:
        By the number of each shard of the adapter, its key.

    Raises:
        StorageFull: if there is no room for a copy.
    """
    folder = memory.adapters.folder(held.name)
    parts = shards_of(load(folder / ROWS), recipe.shards)
    base = (held.weights, held.vocabulary, held.template)
    keys = {number: key_of(rows, recipe, base) for number, rows in parts.items()}
    others = {
        told["key"]: found
        for one in memory.adapters.list()
        if one.id != held.id and one.shards > 1
        for found in sorted((memory.adapters.folder(one.name) / SHARDS).glob("*"))
        if (told := shard_told(found)) and _is_whole(one, found) and not told["is_cut_short"]
    }
    for number, key in keys.items():
        own = folder / SHARDS / str(number)
        if key in others and shard_told(own) is None:
            _copy(others[key], own)
    return {str(number): key for number, key in keys.items()}


def _is_whole(one: Adapter, shard: Path) -> bool:
    within = f"{SHARDS}/{shard.name}/"
    wanted = {
        name.removeprefix(within): digest
        for name, digest in one.files.items()
        if name.startswith(within)
    }
    try:
        return not shard.is_symlink() and bool(wanted) and hashes_of(shard) == wanted
    except OSError:
        return False


def _copy(shard: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    try:
        make_folder(target.parent)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(shard, partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except OSError as error:
        raise StorageFull(f"cannot copy {shard} to {target}: {error}") from error
