"""Which codec is meant: one that was handed over, by its name or by the model that it was made for."""

from __future__ import annotations

from typing import Final

from agentcl.compression.base import Codec
from agentcl.errors import InvalidInput, ModelUnavailable, NotEquipped
from agentcl.memory.opened import Opened
from agentcl.models.reference.shipped import REFERENCE_NAME
from agentcl.text.suggesting import did_you_mean

_NAMES: Final = ("name", "base", "fingerprint", "width", "sizes", "limit", "encode", "count")


def as_codec(given: Codec) -> Codec:
    """Return a codec. Raises InvalidInput for anything else."""
    missing = [name for name in _NAMES if not hasattr(given, name)]
    if missing:
        raise InvalidInput(
            f"a codec is needed, as `agentcl.compression.Codec` describes it, not {given!r}: it has no {missing[0]}"
        )
    return given


def shipped_codec() -> Codec | None:
    """Return the codec of the reference model that comes with the package; None if none does."""
    from agentcl.compression.codecs.opening import open_codec

    try:
        return open_codec(REFERENCE_NAME)
    except (InvalidInput, ModelUnavailable):
        return None


def codec_named(opened: Opened, named: str | Codec | None) -> Codec:
    """Return the codec that is meant.

    Args:
        opened: the memory, with the codecs that were handed over.
        named: a codec, its name, the fingerprint of its base, or "reference" for the one that comes with the package;
            None: the only one that was handed over.

    Raises:
        NotEquipped: if there is none.
    """
    if named is not None and not isinstance(named, str):
        return as_codec(named)
    known = opened.codecs
    if named is None and len(known) == 1:
        return next(iter(known.values()))
    if named is not None and named in known:
        return known[named]
    if named == REFERENCE_NAME:
        shipped = shipped_codec()
        known.update({} if shipped is None else {named: shipped})
        if shipped is not None:
            return shipped
    for one in known.values():
        if named in (one.name, one.base):
            return one
    if named is None:
        has = f"there are several: {', '.join(sorted(known))}" if known else "none is at hand"
        raise NotEquipped(f"name the codec that soft tokens are read with: {has}")
    meant = did_you_mean(named[:60], known, f"known: {', '.join(sorted(known)) or 'none'}")
    raise NotEquipped(
        f"nobody here has the codec {named[:60]!r}{meant}; hand it over with `memory.jobs.add_codec(...)`"
    )
