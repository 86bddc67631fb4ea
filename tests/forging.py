"""Forged exports: rows changed at will, with checksums and a digest that fit again."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from agentcl import Memory
from agentcl.lessons import Lesson
from agentcl.statements import RuleDigester
from agentcl.store.rows import Row, content_hash

Value = dict[str, Any]
Forgery = Callable[[list[Value]], list[Value] | None]


def canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def signed(value: Value) -> Value:
    """Return a row with the checksum that fits it, as far as it can have one."""
    owner = value["scope"] if isinstance(value["scope"], dict) else {}
    nobody = value["scope"] is None
    names = ("tenant", "user", "agent", "session")
    tenant, user, agent, session = (None if nobody else owner.get(name, "") for name in names)
    try:
        hash = None if value["content_hash"] is None else bytes.fromhex(value["content_hash"])
        row = Row(
            0, value["id"], value["version"], value["op"], value["kind"], tenant, user, agent, session,
            value["created_at"], value["valid_from"], value["valid_to"], value["key"],
            canonical(value["sources"]), canonical(value["body"]), canonical(value["metadata"]),
            hash, b"",
        )  # fmt: skip
        return {**value, "checksum": row.digest().hex()}
    except (TypeError, ValueError, UnicodeError):
        return value


def lived(folder: Path) -> Path:
    """Return an export of a memory in which everything happened once."""
    with Memory(folder, encoder="hashing:16") as memory:
        note = memory.add("The ferry leaves at seven.", uri="ferry", user="ada", metadata={"n": 1})
        (passage,) = memory.store.passages(note.id, user="ada")
        memory.facts.add(passage.id, [("the ferry", "leaves at", "seven")], user="ada")
        memory.remember(
            [
                {"role": "user", "content": "I moved to Oslo.", "id": "m1", "time": "2025-03-29T10:00:00+01:00"},
                {"role": "user", "content": "Forget that.", "id": "m2", "time": "2025-03-29T10:01:00+01:00"},
            ],
            user="ada", session="s", title="Moving",
        )  # fmt: skip
        memory.statements.digest(RuleDigester(), user="ada")
        gone = memory.add("Rye bread.", user="ada")
        memory.delete(gone.id, user="ada")
        for _ in range(2):
            with memory.episode("a queue is slow", application="ops", user="ada") as episode:
                episode.recall("a queue is slow")
                episode.step("a queue is slow", "drain it", "it runs")
                played = episode.finish(1.0)
            told = memory.lessons.reflect(
                [Lesson("a queue is slow", "do", "drain it")], episode=played
            )
        memory.lessons.retire(told.stated[0].guidance, user="ada")
        memory.lessons.restore(told.stated[0].guidance, user="ada")
        memory.store.credit(note.id, uses=1, user="ada")
        memory.store.export(folder.with_suffix(".jsonl"))
    return folder.with_suffix(".jsonl")


def read(file: Path) -> tuple[Value, list[Value], list[Value]]:
    """Return the header, the rows and the counters of an export."""
    head, *lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()[:-1]]
    return head, [v for v in lines if "op" in v], [v for v in lines if "counter" in v]


def write(file: Path, head: object, values: Iterable[object]) -> Path:
    """Write an export whose last line fits."""
    lines = [f"{one if isinstance(one, str) else canonical(one)}\n" for one in (head, *values)]
    digest = hashlib.blake2b("".join(lines).encode("utf-8", "replace"), digest_size=16).hexdigest()
    lines.append(canonical({"end": len(lines) - 1, "digest": digest}) + "\n")
    file.write_text("".join(lines), "utf-8", errors="replace")
    return file


def of_kind(rows: Iterable[Value], kind: str) -> Value:
    return next(row for row in rows if row["kind"] == kind and row["op"] == "put")


def text_hash(value: Value) -> str:
    body = value["body"]
    return content_hash(f"{body['when']}: {body['what']}").hex()
