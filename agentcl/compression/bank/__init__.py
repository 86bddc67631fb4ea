"""Soft tokens on the disk: shards of rows, each row checked by what the journal says of it."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.compression.bank.bank import Bank, ShardRow
    from agentcl.compression.bank.packing import FORMS, Form

__all__ = ["FORMS", "Bank", "Form", "ShardRow"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "bank": "Bank ShardRow",
        "packing": "FORMS Form",
    })  # fmt: skip
