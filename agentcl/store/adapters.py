"""Adapters: what is kept of weights that were trained on records.

The record names what the weights hold by ids and quotes nothing, so that nothing of a record stays in the journal when
it is forgotten. The weights lie in a folder of their own, beside the journal, and are a cache: they may be deleted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from agentcl.store.records import Record, register

AdapterState = Literal["built", "passed", "canary", "stable", "retired", "revoked"]
ADAPTER_NAME: Final = re.compile("[a-z0-9](?:[a-z0-9-]{0,94}[a-z0-9])?")
ADAPTER_STATES: Final[tuple[AdapterState, ...]] = get_args(AdapterState)


@register("adapter")
@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter(Record):
    """A LoRA adapter that was trained on records of its scope. `key` is its name, which is never used twice.

    It has no `sources`: what is derived from a record is erased with it, and of an adapter it must stay known that it
    was revoked.
    """

    base: str  # what the frozen model is called
    weights: str = ""  # hashes of the base's weights, its vocabulary, and its chat template
    vocabulary: str = ""
    template: str = ""
    holds: Mapping[str, int] = field(default_factory=dict)  # by id of a record, its version
    lineage: tuple[str, ...] = ()  # ids of what these records were made from
    parents: tuple[str, ...] = ()  # ids of the adapters that it was trained on from
    rows: str = ""  # hash of the rows
    counts: Mapping[str, int] = field(default_factory=dict)  # records by what they are
    method: Mapping[str, Any] = field(default_factory=dict)  # how it was trained
    files: Mapping[str, str] = field(default_factory=dict)  # by name, the SHA-256
    gate: Mapping[str, Any] = field(default_factory=dict)  # the report
    state: AdapterState = "built"
    share: float = 0.0  # of conversations, while it is a canary
    replaced: str = ""  # the id of the adapter that was stable before it
    reason: str = ""  # of the state

    def __post_init__(self) -> None:
        """Make the ids tuples again after JSON."""
        object.__setattr__(self, "lineage", tuple(self.lineage))
        object.__setattr__(self, "parents", tuple(self.parents))

    @property
    def name(self) -> str:
        """What a server calls it."""
        return self.key or ""

    @property
    def shards(self) -> int:
        """Of how many parts it is made, each of which was trained on its own records alone."""
        count = self.method.get("shards", 1)
        return count if isinstance(count, int) and count > 1 else 1


def shard_of(record: str, count: int) -> int:
    """Return in which of some shards a record is, from 0: by a hash of its id, so that it stays there."""
    return int.from_bytes(hashlib.blake2b(record.encode(), digest_size=8).digest()) % count
