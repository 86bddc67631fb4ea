"""The vectors by which a memory chooses between several adapters, written beside each of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from agentcl.consolidation.rows.building import ROWS, load, write
from agentcl.consolidation.rows.rehearsing import general_prompts
from agentcl.memory.adapters.choosing import VECTORS, vector_file
from agentcl.store.vectors import unpack

if TYPE_CHECKING:
    from agentcl.retrieval import Encoder

_MOST: Final = 1_000  # prompts of an adapter
_GENERAL: Final = 0.25  # general prompts among them, as a share of all
_ASKED: Final = (
    "recall",
    "use",
    "act",
)  # what somebody would ask; the others have memory in them, or nobody


def write_choosing(folder: Path, encoder: Encoder) -> None:
    """Write the vectors of prompts that an adapter learned, and of general ones, into its folder.

    Args:
        folder: of the adapter, with its rows.
        encoder: of the memory.

    Raises:
        EncoderUnavailable: if it does not answer.
        StorageFull: if the disk is full.
    """
    rows = [row for row in load(folder / ROWS) if row.split == "train" and row.part in _ASKED]
    own = list(dict.fromkeys(row.prompt for row in rows))
    own = own[:: len(own) // _MOST + 1]  # of all records alike
    general = general_prompts(max(1, round(len(own) * _GENERAL / (1 - _GENERAL))))
    packed = encoder.encode([*own, *general], role="query")
    vectors = np.stack([unpack(one) for one in packed]).astype(np.float32)
    is_general = np.arange(len(vectors)) >= len(own)
    write(folder / VECTORS, vector_file(encoder.name, vectors, is_general))
