"""Deleting hides, forgetting erases: the bytes are gone from every file, and a receipt says so."""

import tempfile
from pathlib import Path

from agentcl import Memory


def holds(folder: str, secret: bytes) -> bool:
    """Return whether any file of the folder has these bytes."""
    return any(secret in file.read_bytes() for file in Path(folder).rglob("*") if file.is_file())


with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    record = memory.add("The door code is 4711-zebra.", user="ada")
    memory.search("door code", user="ada")

    memory.delete(record.id, user="ada")
    print("deleted: found", len(memory.search("door code", user="ada")), "times,",
          "still on disk:", holds(folder, b"4711-zebra"))  # fmt: skip

    receipt = memory.forget(record.id, user="ada")
    print("forgotten: still on disk:", holds(folder, b"4711-zebra"))
    print(f"receipt {receipt.id}: {len(receipt.removed)} records, {receipt.vectors} vectors;")
    print("cleared:", ", ".join(receipt.cleared))
