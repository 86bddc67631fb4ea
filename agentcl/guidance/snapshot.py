"""A folded state in a file, so that a start need not fold the whole history again.

A cache like every index. A file that is damaged, of another format, of other rules, of another memory or
ahead of the journal is passed over, and the state is folded from the journal. The file holds ids, labels and
counts. What lessons say is read from the journal.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from agentcl.errors import InvalidInput
from agentcl.guidance.kept import is_kept_state, seqs_of
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.state import GuidanceState
from agentcl.store.base import Store
from agentcl.store.episodes import Guidance
from agentcl.store.rows import readable
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import make_folder, saving
from agentcl.text.terms import ANALYSIS

logger = logging.getLogger(__name__)
# Raise it with every change of what a fold of the same rows gives, or of how it is written.
FORMAT: Final = 7


def save(path: Path, state: GuidanceState, journal: Store) -> None:
    """Write a state to a file, wholly or not at all; a full disk leaves the one before."""
    head = _head(journal, state.watermark, state.tenant, state.rules)
    if head is None:
        return
    body = json.dumps({"head": head, "state": state.to_plain()}, separators=(",", ":")).encode()
    try:
        make_folder(path.parent)
        with saving(path, mode=journal.mode()) as file:
            file.write(_sum(body) + b"\n" + body)
    except OSError as error:
        logger.warning("what is believed of lessons is not kept in %s: %s", path, error)


def load(path: Path, journal: Store, *, tenant: str, rules: GuidanceRules) -> GuidanceState | None:
    """Return the state in a file; None when it cannot be used."""
    try:
        written, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("%s cannot be read (%s); the history is folded anew", path, error)
        return None
    if written != _sum(body):
        logger.warning("%s is damaged; the history is folded anew", path)
        return None
    try:
        kept = parsed_json(body)
        plain = kept["state"]
        if not is_kept_state(plain):
            raise InvalidInput("no state has written that")
        if kept["head"] != _head(journal, plain["watermark"], tenant, rules):
            return None
        versions = _versions(journal, seqs_of(plain))
        return GuidanceState.from_plain(plain, versions, tenant=tenant, rules=rules)
    except (InvalidInput, AttributeError, KeyError, TypeError, ValueError) as error:
        logger.info("%s cannot be used (%r); the history is folded anew", path, error)
        return None


def _head(
    journal: Store, watermark: int, tenant: str, rules: GuidanceRules
) -> dict[str, Any] | None:
    """Return what a state depends on besides its rows; None where the journal lacks its last row.

    The checksum of that row tells a journal that was replaced by another one.
    """
    row = journal.rows([watermark]).get(watermark)
    if row is None:
        return None
    return {
        "format": FORMAT,
        "analysis": ANALYSIS,
        "memory": journal.meta("id"),
        "tenant": tenant,
        "rules": asdict(rules),
        "last": row.checksum.hex(),
    }


def _versions(journal: Store, seqs: list[int]) -> dict[int, Guidance]:
    rows = journal.rows(seqs).items()
    records = ((seq, record) for seq, row in rows for record in readable([row]))
    return {seq: record for seq, record in records if isinstance(record, Guidance)}


def _sum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
