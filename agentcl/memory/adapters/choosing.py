"""Which of several stable adapters answers what is asked, or none: a linear choice, as ConPET's and SLM's with k = 1.

Where a user has an adapter of his own and his tenant has one, both can answer him. Each adapter's folder has the vectors of
the prompts that it learned, and of general ones, which are the bare model's. Ridge regression from a prompt's vector to the
adapters chooses. The adapter of the narrowest scope answers unless another one is the better choice by a margin, so that a
doubt costs nothing. An encoder that compares spelling alone does not choose: it took two of three questions from the adapter
that could answer them. What is forgotten revokes its adapter, whose vectors go with its folder: a choice is made of what is
there, as if the rest had never been.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import AgentclError
from agentcl.store.vectors import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentcl.memory.adapters.ridge import ExactRidge
    from agentcl.store.adapters import Adapter

VECTORS: Final = "choosing.npz"  # in an adapter's folder
_MARGIN: Final = 0.2  # of two scores, of which the right one is 1 and the others 0
_RIDGE: Final = 1.0
_READ: Final = 2_000  # characters of what is asked
_FITTED: Final = 32  # sets of adapters whose weights are kept
_CONVERSATIONS: Final = 10_000  # whose choices are kept
_NOBODY: Final = ""  # the label of general prompts

# Few memories have several adapters that are stable: numpy is imported where there are.
logger = logging.getLogger(__name__)


class AdapterChooser:
    """Chooses among stable adapters of one base. Safe for threads.

    Args:
        home: the folder of the adapters' folders.
        encoder: returns the name of the memory's encoder; empty if it compares spelling alone.
        encode: returns the packed vector of a text.
    """

    def __init__(
        self, home: Path, *, encoder: Callable[[], str], encode: Callable[[str], bytes]
    ) -> None:
        self._home, self._encoder, self._encode = home, encoder, encode
        self._lock = threading.Lock()
        self._fitted: OrderedDict[tuple[str, ...], ExactRidge | None] = OrderedDict()
        self._kept: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def __call__(
        self, stable: Sequence[Adapter], asked: str, key: str
    ) -> tuple[Adapter | None, str]:
        """Return who answers, or None for the bare model, and why.

        Args:
            stable: two at least, the narrowest scope first.
            asked: by what is chosen.
            key: of a conversation, which keeps its choice while the same adapters are stable; empty for none.
        """
        ids = tuple(one.id for one in stable)
        with self._lock:
            held = self._kept.get((key, *ids)) if key else None
        if held is None:
            held = self._choice(stable, asked)
            if key:
                with self._lock:
                    self._kept[key, *ids] = held
                    while len(self._kept) > _CONVERSATIONS:
                        self._kept.popitem(last=False)
        id, why = held
        return next((one for one in stable if one.id == id), None), why

    def _choice(self, stable: Sequence[Adapter], asked: str) -> tuple[str, str]:
        from agentcl.memory.adapters.ridge import features_of

        narrowest = stable[0]
        try:
            ridge = self._ridge(stable)
            if ridge is None:
                return narrowest.id, f"{narrowest.name} is of the narrowest scope"
            scores = ridge.scores(features_of([unpack(self._encode(asked[:_READ]))]))[0]
        except AgentclError as error:  # an encoder that does not answer, or gives other vectors
            logger.warning("no adapter was chosen: %s", error)
            return narrowest.id, f"{narrowest.name} is of the narrowest scope"
        names = {one.id: one.name for one in stable} | {_NOBODY: "the bare model"}
        found = dict(zip(ridge.labels, map(float, scores), strict=True))
        best = best_of(found, narrowest.id)
        told = ", ".join(f"{names[label]} {score:.2f}" for label, score in found.items())
        if best == narrowest.id:
            return narrowest.id, f"{narrowest.name} is of the narrowest scope ({told})"
        return best, f"{names[best]} is for what is asked ({told})"

    def _ridge(self, stable: Sequence[Adapter]) -> ExactRidge | None:
        """Return the regression on what some adapters learned; None where one of them has no vectors of this encoder."""
        from agentcl.memory.adapters.ridge import ExactRidge, features_of

        encoder = self._encoder()
        if not encoder:
            return None
        ids = (encoder, *sorted(one.id for one in stable))
        with self._lock:
            if ids in self._fitted:
                self._fitted.move_to_end(ids)
                return self._fitted[ids]
        parts = {one.id: learned_vectors(self._home / one.name, one, encoder) for one in stable}
        ridge = None
        if all(part is not None for part in parts.values()):
            for id, part in sorted(parts.items()):
                assert part is not None
                vectors, is_general = part
                ridge = ridge or ExactRidge(vectors.shape[1] + 1, ridge=_RIDGE)
                ridge.add(features_of(vectors[~is_general]), id)
                ridge.add(features_of(vectors[is_general]), _NOBODY)
        with self._lock:
            self._fitted[ids] = ridge
            while len(self._fitted) > _FITTED:
                self._fitted.popitem(last=False)
        return ridge


def best_of(scores: Mapping[str, float], narrowest: str) -> str:
    """Return the label that answers: the best one, if it is better than the narrowest scope's by the margin."""
    best = max(scores, key=lambda label: scores[label])
    return best if scores[best] - scores[narrowest] >= _MARGIN else narrowest


def learned_vectors(
    folder: Path, one: Adapter, encoder: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return vectors (prompts, width) of what an adapter learned, and which are of general prompts.

    Args:
        folder: of the adapter.
        one: the adapter.
        encoder: that the vectors have to be of.

    Returns:
        None if there are none, they are of another encoder, or the file is not what was written.
    """
    import numpy as np

    try:
        data = (folder / VECTORS).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != one.files.get(VECTORS):
        return None
    held: Any = np.load(io.BytesIO(data), allow_pickle=False)
    if str(held["encoder"]) != encoder:
        return None
    return held["vectors"], held["is_general"]


def vector_file(encoder: str, vectors: NDArray[np.float32], is_general: NDArray[np.bool_]) -> bytes:
    """Return the bytes of the file that `learned_vectors` reads."""
    import numpy as np

    out = io.BytesIO()
    np.savez(out, encoder=np.array(encoder), vectors=vectors, is_general=is_general)
    return out.getvalue()
