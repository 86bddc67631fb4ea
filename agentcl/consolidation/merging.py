"""Several adapters of one base as one: the exact sum, a sum cut to a rank, TIES and DARE."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Final, Literal

from agentcl.consolidation.base import load_base
from agentcl.consolidation.methods.stacks import rank_of
from agentcl.consolidation.recipes import MOST_RANK
from agentcl.consolidation.training import write_adapter
from agentcl.errors import InvalidInput, needs
from agentcl.store.checks import check_choice, check_each
from agentcl.text.paths import check_path

with needs("training adapters", "train"):
    import torch
    from peft import PeftModel

Merge = Literal["cat", "svd", "ties", "dare"]
# On the whole updates. PEFT's "linear", "ties" and "dare_linear" combine A and B apart, and so get cross terms.
_KINDS: Final = {"cat": "cat", "svd": "svd", "ties": "ties_svd", "dare": "dare_linear_svd"}


def merge_adapters(
    base: str | os.PathLike[str],
    adapters: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    how: Merge = "cat",
    weights: Sequence[float] | None = None,
    rank: int = 16,
    density: float = 0.5,
    seed: int = 0,
) -> int:
    """Write one adapter that does what several do; return its rank.

    - "cat": the weighted sum itself. The ranks add up.
    - "svd": the sum, cut to a rank by its largest singular values.
    - "ties": small entries trimmed, a sign elected for each entry (Yadav et al. 2023), then cut to a rank.
    - "dare": entries dropped by chance and the others scaled up (Yu et al. 2024), then cut to a rank.

    A merge is a new adapter: judge it by a gate of its own before it is used.

    Args:
        base: the folder of the frozen model.
        adapters: folders of adapters that were trained on it.
        folder: that is written; not there yet.
        how: see above.
        weights: of each; default: 1.
        rank: of all but "cat".
        density: which share of entries "ties" and "dare" leave.
        seed: of "dare".

    Raises:
        InvalidInput: if fewer than two are named, one is no path, a number is out of range, or the ranks add up to more than a
            server takes.
        LoadError: if a folder holds no adapter.
    """
    check_choice(how, tuple(_KINDS), "how")
    base, folder = check_path(base, "base"), check_path(folder, "folder")
    parts = [check_path(one, "an adapter") for one in check_each(adapters, "adapters", "paths")]
    given = [1.0] * len(parts) if weights is None else list(weights)
    if len(parts) < 2 or len(given) != len(parts):
        raise InvalidInput("a merge takes two adapters or more, with a weight for each")
    total = sum(rank_of(one) for one in parts) if how == "cat" else rank
    if not 1 <= total <= MOST_RANK:
        raise InvalidInput(
            f"a rank of {total}: a server is asked for ranks up to {MOST_RANK}; merge by `svd` into a lower one"
        )
    if not 0 < density <= 1:
        raise InvalidInput(f"a density is above 0 up to 1, and not {density}")
    model, _ = load_base(base)
    names = [f"part{place}" for place in range(len(parts))]
    tuned = PeftModel.from_pretrained(model, str(parts[0]), adapter_name=names[0])
    for name, one in zip(names[1:], parts[1:], strict=True):
        tuned.load_adapter(str(one), adapter_name=name)
    torch.manual_seed(seed)
    tuned.add_weighted_adapter(
        names, given, "whole", combination_type=_KINDS[how],
        **({} if how == "cat" else {"svd_rank": rank}),
        **({"density": density} if how in ("ties", "dare") else {}),
    )  # fmt: skip
    write_adapter(tuned, base, folder, name="whole")
    return int(json.loads((folder / "adapter_config.json").read_text("utf-8"))["r"])
