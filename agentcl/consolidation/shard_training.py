"""Training the shards of an adapter, each from the base, and joining them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agentcl.consolidation.merging import merge_adapters
from agentcl.consolidation.recipes import Recipe
from agentcl.consolidation.rows.building import TrainingRow, rehearsal_of, shards_of, write
from agentcl.consolidation.saying import rehearsed
from agentcl.consolidation.sharding import SHARD, shard_told
from agentcl.consolidation.training import Trained, train
from agentcl.memory.adapters.files import SHARDS


def train_shards(
    base: Path,
    rows: Sequence[TrainingRow],
    folder: Path,
    recipe: Recipe,
    *,
    keys: Mapping[str, str],
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    answered: Callable[[int], None] = lambda done: None,
) -> Trained:
    """Train each shard that is not there yet, and write their sum as the adapter.

    Args:
        base: the folder of the frozen model.
        rows: of all shards.
        folder: of the adapter; its shards are in `shards`, by number.
        recipe: of the adapter.
        keys: by the number of a shard, what is noted with it.
        progress: told after each step its number, how many there are, and the loss.
        answered: told how many of a shard's general prompts the base has answered.

    Returns:
        What was trained now: shards that were there already count no step.

    Raises:
        InvalidInput: if a shard has no row that can be learned.
        StorageFull: if the disk is full; what is trained stays.
    """
    parts, own = shards_of(rows, recipe.shards), recipe.of_shard()
    homes = {number: folder / SHARDS / str(number) for number in parts}
    missing = [number for number, home in homes.items() if shard_told(home) is None]
    done: list[Trained] = []
    for number in missing:
        home = homes[number]
        home.mkdir(parents=True, exist_ok=True)
        before = sum(one.steps for one in done)
        wanted = rehearsal_of(parts[number], share=own.general, seed=own.seed)
        general = rehearsed(base, home, wanted, progress=answered)

        def tell(step: int, _: int, loss: float, before: int = before) -> None:
            progress(before + step, own.steps * len(missing), loss)

        trained = train(base, [*parts[number], *general], home, own, progress=tell)
        told = {"key": keys[str(number)], "is_cut_short": trained.is_cut_short}
        write(home / SHARD, json.dumps(told) + "\n")
        done.append(trained)
    if len(homes) > 1:
        merge_adapters(base, list(homes.values()), folder)
    else:
        (only,) = homes.values()
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(only / name, folder / name)
    return Trained(
        steps=sum(one.steps for one in done),
        losses=tuple(loss for one in done for loss in one.losses),
        left_out=sum(one.left_out for one in done),
        is_cut_short=any(one.is_cut_short for one in done),
        shards=tuple(missing),
    )
