"""The methods of continual learning by name, as a recipe lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agentcl.consolidation.methods.hooks import EWC, ExperienceReplay, L2ToStart, Method
from agentcl.consolidation.methods.masks import HalfMask, MagnitudeGate
from agentcl.consolidation.methods.slow import Interpolation, Reptile, SlowCopy
from agentcl.consolidation.methods.stacks import IncrementalLora, OrthogonalLora
from agentcl.consolidation.methods.teachers import EarlierSelf, GeneralStates, SelectedLayers
from agentcl.consolidation.rows.building import load
from agentcl.errors import InvalidInput

METHODS: Final[Mapping[str, Any]] = {
    one.name: one
    for one in (
        Method, ExperienceReplay, L2ToStart, EWC, SlowCopy, Interpolation, Reptile, MagnitudeGate, HalfMask,
        SelectedLayers, IncrementalLora, OrthogonalLora, EarlierSelf, GeneralStates,
    )
}  # fmt: skip


def open_methods(wanted: Sequence[Mapping[str, Any]]) -> list[Method]:
    """Return the methods that a recipe names: each `{"name": ..., "rows": FILE, ...}` with its own arguments.

    Raises:
        InvalidInput: if there is no such method, or an argument does not belong to it.
        LoadError: if the old rows cannot be read.
    """
    found = []
    for one in wanted:
        given = dict(one)
        kind = METHODS.get(str(given.pop("name", "")))
        if kind is None:
            raise InvalidInput(
                f"there is no method {one.get('name')!r}; known: {', '.join(METHODS)}"
            )
        if "rows" in given:
            given["rows"] = load(Path(given["rows"]))
        try:
            found.append(kind(**given))
        except TypeError as error:
            raise InvalidInput(f"the method {kind.name} cannot be made so: {error}") from error
    return found
