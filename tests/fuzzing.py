"""Mutated files for every reader: whatever they hold, an error of ours or a value comes out, and soon.

A case is a number: its random choices follow from it and the seed alone, so that it can be run again.
"""

import copy
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from agentcl import ANY, AgentclError, Memory
from agentcl.guidance import pamphlet
from agentcl.memory.settings import resolve
from agentcl.retrieval.graph import snapshot
from agentcl.retrieval.graph.names import NameExtractor
from agentcl.store.rows import Row
from agentcl.store.sqlite.store import FILE
from tests.forging import canonical, lived, signed

KINDS = ("export", "folder", "index", "pamphlet", "npz", "toml")
HANG_S = 10  # of processor time ...
WAITS_S = 300  # ... and by the clock: who waits for a lock uses no processor
MEMORY = 3 << 30  # bytes of address space that a run may take beyond what it begins with
# What an export of a part, or one that was salvaged, may lack; the doctor names it where it was taken in.
GAPS = re.compile(
    r"which does not exist|passages of (?:document|turn) \S+ do not add up to its text"
)
ODD: Sequence[Any] = (
    None, True, False, 0, 1, -1, 5, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, -1e308,
    "", " ", "x", "0", "\0", "\n", "\x1b[2J", "\u202e", "\ud7ff", "😀" * 3, "x" * 5_000, "../../x", "[]", "{}",
    "put", "delete", "erase", "rollback", "superseded_by", [], {}, [[]], [None], [1, 2], ["x"], {"x": 1},
    {"": None}, {"superseded_by": "x"}, [[["x"] * 3] * 3] * 3,
)  # fmt: skip


class HungError(BaseException):
    """A case took longer than it may."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A case that ended in what is no error of ours."""

    kind: str
    number: int
    what: str


@contextmanager
def bounded(seconds: int) -> Iterator[None]:
    """Raise HungError in what takes longer: of processor time, since others use the machine too, or very long by the clock."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise HungError(f"longer than {seconds} s")

    before = [(one, signal.signal(one, ring)) for one in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(WAITS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for one, handler in before:
            signal.signal(one, handler)


class Fuzzing:
    """Files to be mutated, and what is done with them.

    Args:
        folder: for all files; the cases of one run share the originals.
        seed: of all choices.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._work = folder / "case"
        self._export = lived(folder / "original")
        with Memory(folder / "original") as memory:
            for n in range(3):
                memory.add(f"Aurora is ferry {n} of Tessary, and Mirabel steers it.", user="ada")
            memory.search("Aurora", mode="graph", user="ada")
            memory.episodes.search("a queue", user="ada")
            snapshot.save(
                folder / "graph.npz",
                memory.store.retriever.graph.index.contents,
                memory.store.journal.last_seq(),
            )
            memory.lessons.export(folder / "p.md", with_candidates=True, user="ada")
            memory.lessons._beliefs._keep(memory.lessons.state())
        shutil.copy(folder / "graph.npz", folder / "original/indexes/graph/graph.npz")
        self._lines = self._export.read_text("utf-8").splitlines()

    def run(self, kind: str, number: int, *, is_told: bool = False) -> Fault | None:
        """Run one case; return what went wrong, and print where if `is_told`."""
        rng = random.Random(f"{self._seed} {kind} {number}")
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        act: Callable[[random.Random], None] = getattr(self, f"_run_{kind}")
        try:
            with bounded(HANG_S):
                act(rng)
        except AgentclError:
            return None
        except (Exception, HungError) as error:  # noqa: BLE001  # it is what is looked for
            if is_told:
                traceback.print_exception(error)
            frames = traceback.extract_tb(error.__traceback__)
            ours = [one for one in frames if one.filename != __file__]
            where = (ours or frames)[-1]
            told = f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
            return Fault(kind, number, told)
        return None

    def _export_file(self, rng: random.Random) -> bytes:
        if rng.random() < 0.25:
            return mutated_bytes(self._export.read_bytes(), rng)
        values = [json.loads(line) for line in self._lines[:-1]]
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            place = rng.randrange(len(values))
            values[place] = mutated_value(values[place], rng)
            if rng.random() < 0.1:
                values.insert(rng.randrange(len(values) + 1), copy.deepcopy(rng.choice(values)))
            if rng.random() < 0.1 and len(values) > 1:
                del values[rng.randrange(len(values))]
        lines = [canonical(_signed(value)) + "\n" for value in values]
        digest = hashlib.blake2b(
            "".join(lines).encode("utf-8", "replace"), digest_size=16
        ).hexdigest()
        count = sum(isinstance(value, dict) and "agentcl_export" not in value for value in values)
        lines.append(canonical({"end": count, "digest": digest}) + "\n")
        return "".join(lines).encode("utf-8", "replace")

    def _run_export(self, rng: random.Random) -> None:
        (self._work / "e.jsonl").write_bytes(self._export_file(rng))
        trusted, erasures, rollbacks = (rng.random() < 0.3 for _ in range(3))
        with Memory(self._work / "m", encoder="hashing:16", durability="normal") as memory:
            if rng.random() < 0.3:
                memory.store.import_(self._export, trusted=rng.random() < 0.5)
            before = memory.store.journal.last_seq()
            try:
                memory.store.import_(
                    self._work / "e.jsonl", trusted=trusted, erasures=erasures, rollbacks=rollbacks
                )
            except AgentclError:
                assert memory.store.journal.last_seq() == before
            exercise(memory, rng)
            problems = [p for p in memory.store.examine().problems if not GAPS.search(p.message)]
            assert not problems, problems[0].message

    def _run_folder(self, rng: random.Random) -> None:
        self._copy()
        journal = self._work / "m" / FILE
        if rng.random() < 0.4:
            journal.write_bytes(mutated_bytes(journal.read_bytes(), rng, head=rng.random() < 0.3))
        else:
            with closing(sqlite3.connect(journal)) as connection, suppress(sqlite3.Error):
                for _ in range(rng.choice([1, 1, 2, 5])):
                    mutate_rows(connection, rng)
                connection.commit()
        self._use(rng)

    def _run_index(self, rng: random.Random) -> None:
        self._copy()
        files = [f for f in (self._work / "m/indexes").rglob("*") if f.is_file()]
        for file in rng.sample(sorted(files), rng.choice([1, 2])):
            if file.suffix == ".json" and rng.random() < 0.5:
                _, _, body = file.read_bytes().partition(b"\n")
                plain = mutated_value(json.loads(body), rng) if body else {}
                body = json.dumps(plain).encode()
                file.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            else:
                file.write_bytes(mutated_bytes(file.read_bytes(), rng, head=rng.random() < 0.3))
        self._use(rng)

    def _run_pamphlet(self, rng: random.Random) -> None:
        text = (self._folder / "p.md").read_text("utf-8")
        if rng.random() < 0.4:
            data = mutated_bytes(text.encode(), rng)
        else:
            found = re.search(
                r"```json agentcl-pamphlet\n(.*?)^```", text, re.DOTALL | re.MULTILINE
            )
            assert found
            held = json.loads(found[1])
            held.pop("digest")
            held = mutated_value(held, rng)
            if isinstance(held, dict):
                held["digest"] = pamphlet._digest(held)
            block = f"```json agentcl-pamphlet\n{json.dumps(held)}\n```\n"
            data = (block * rng.choice([1, 1, 1, 2, 0])).encode("utf-8", "replace")
        (self._work / "p.md").write_bytes(data)
        with Memory(self._work / "m", encoder="hashing:16", durability="normal") as memory:
            memory.lessons.import_(self._work / "p.md", user="ada")
            exercise(memory, rng)

    def _run_npz(self, rng: random.Random) -> None:
        file = self._folder / "original/indexes/graph/graph.npz"
        made = self._work / "graph.npz"
        if rng.random() < 0.3:
            made.write_bytes(mutated_bytes(file.read_bytes(), rng))
        else:
            with np.load(file) as columns:
                arrays = mutated_arrays(dict(columns), rng)
            save = np.savez_compressed if rng.random() < 0.1 else np.savez
            save(made, **arrays)
        if snapshot.load(made, NameExtractor()) is not None:
            self._copy()
            shutil.copy(made, self._work / "m/indexes/graph/graph.npz")
            self._use(rng)

    def _run_toml(self, rng: random.Random) -> None:
        names = (
            "path",
            "encoder",
            "index",
            "durability",
            "busy_timeout_s",
            "passage_limit",
            "x",
            "",
        )
        values = [json.dumps(one) for one in ODD if not isinstance(one, dict)]
        lines = [
            f"{rng.choice(names)} = {rng.choice(values)}" for _ in range(rng.choice([1, 2, 5]))
        ]
        text = "\n".join(['path = "m"', 'encoder = "hashing:16"', *lines])
        data = text.encode("utf-8", "replace")
        if rng.random() < 0.5:
            data = mutated_bytes(data, rng)
        (self._work / "agentcl.toml").write_bytes(data)
        before = Path.cwd()
        os.chdir(self._work)
        try:
            settings = resolve({})
            if settings["path"].value in (Path("m").absolute(), self._work / "m"):
                with Memory(encoder="hashing:16", index="exact", durability="normal") as memory:
                    exercise(memory, rng)
        finally:
            os.chdir(before)

    def _copy(self) -> None:
        shutil.copytree(self._folder / "original", self._work / "m")

    def _use(self, rng: random.Random) -> None:
        with Memory(self._work / "m", encoder="hashing:16", durability="normal") as memory:
            exercise(memory, rng)
            with suppress(AgentclError):
                memory.store.export(self._work / "saved.jsonl", salvage=True)
            if rng.random() < 0.5:
                memory.store.examine()


def exercise(memory: Memory, rng: random.Random) -> None:
    """Do what everybody does with a memory; each act may raise an error of ours."""
    acts: list[Callable[[], object]] = [
        lambda: memory.search(
            "Aurora ferry", user="ada", mode=rng.choice(["hybrid", "graph", "text", "dense"])
        ),
        lambda: memory.search("ferry", user=ANY, tenant=ANY).prompt(),
        lambda: [
            memory.list(kind=k, user=ANY)
            for k in ("document", "passage", "episode", "fact", "guidance")
        ],
        lambda: memory.lessons.state().digest(),
        lambda: [
            memory.lessons.why(one.guidance.id, user="ada")
            for one in memory.lessons.list(user="ada")
        ],
        lambda: (
            memory.episode("t", application="ops", user="ada", is_frozen=True)
            .recall("a queue is slow")
            .prompt()
        ),
        lambda: list(memory.episodes.list(user="ada")),
        lambda: memory.episodes.search("a queue", user="ada"),
        lambda: memory.store.stats(),
        lambda: memory.jobs.list(),
        lambda: memory.add("New words of Tessary.", user="ada"),
        lambda: memory.graph.view(user="ada").stats(),
        lambda: [memory.history(one.id, user=ANY) for one in memory.list(user=ANY)],
        lambda: memory.forget(*(one.id for one in memory.list(user="ada")[:1]), user="ada"),
    ]
    for act in rng.sample(acts, 7):
        with suppress(AgentclError):
            act()


# Mutations


def mutated_bytes(data: bytes, rng: random.Random, *, head: bool = False) -> bytes:
    """Return bytes with a few of them changed, lost, or said again."""
    held = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        if not held:
            break
        at = rng.randrange(min(len(held), 200) if head else len(held))
        length = rng.choice([1, 1, 2, 8, 64, 4_096])
        act = rng.randrange(6)
        if act == 0:
            held[at] ^= 1 << rng.randrange(8)
        elif act == 1:
            held[at : at + length] = rng.randbytes(length)
        elif act == 2:
            del held[at : at + length]
        elif act == 3:
            held[at:at] = held[at : at + length]
        elif act == 4:
            held[at : at + length] = rng.choice([b"\0", b"\xff", b"[", b"9", b'"', b"{"]) * length
        else:
            del held[at:]
    return bytes(held)


def mutated_value(value: Any, rng: random.Random) -> Any:  # any JSON
    """Return JSON in which one value, somewhere, is another."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != name}
        if rng.random() < 0.05:
            return {**value, rng.choice(["", "x", "scope", "id"]): rng.choice(ODD)}
        return {**value, name: mutated_value(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return [*value[:place], *value[place + 1 :]]
        return [*value[:place], mutated_value(value[place], rng), *value[place + 1 :]]
    if type(value) is int and rng.random() < 0.5:
        return value + rng.choice([-1, 1, 2, -value, 10**6, 10**15])
    if type(value) is str and value and rng.random() < 0.4:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(["", "x", "\0", "<|", "9", " "]) + value[at + 1 :]
    return copy.deepcopy(rng.choice(ODD))


def _signed(value: Any) -> Any:  # any JSON
    needed = {"scope", "id", "version", "op", "kind", "created_at", "valid_from", "valid_to", "key", "sources",
              "body", "metadata", "content_hash"}  # fmt: skip
    return signed(value) if isinstance(value, dict) and needed <= value.keys() else value


def mutated_arrays(arrays: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return arrays of which some are others."""
    made = dict(arrays)
    for _ in range(rng.choice([1, 1, 2, 4])):
        name = rng.choice(sorted(made))
        array = made[name]
        act = rng.randrange(8)
        if name == "head" and act < 6:
            head = mutated_value(json.loads(arrays[name].tobytes()), rng)
            made[name] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        elif act == 0:
            del made[name]
        elif act == 1:
            made[name] = np.array([{}], dtype=object)
        elif act == 2:
            made[name] = array[: rng.randrange(len(array) + 1)]
        elif act == 3 and len(array) and array.dtype.kind in "iub":
            made[name] = array.copy()
            limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
            odd = [0, 1] if limits is None else [0, 1, limits.min, limits.max, 5]
            made[name][rng.randrange(len(array))] = rng.choice(odd)
        elif act == 4:
            made[name] = (
                array.astype(rng.choice(["f8", "i1", "U5"]), casting="unsafe")
                if array.dtype.kind in "iub"
                else array[::-1]
            )
        elif act == 5:
            made[name] = np.concatenate([array, array])
        elif act == 6:
            made[name] = array.reshape(1, -1)
        elif len(array) and array.dtype.kind == "u":
            made[name] = np.frombuffer(mutated_bytes(array.tobytes(), rng), np.uint8)
    return made


def mutate_rows(connection: sqlite3.Connection, rng: random.Random) -> None:
    """Change something in a journal by SQL."""
    if rng.random() < 0.1:
        connection.execute(
            rng.choice([
                "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
                "CREATE TABLE stash (x)",
                "CREATE VIEW v AS SELECT * FROM record",
                "DROP TABLE vector_next",
                "PRAGMA user_version = -1",
                "PRAGMA user_version = 1",
                "PRAGMA application_id = 5",
            ])
        )  # fmt: skip
        return
    tables = ["record"] * 6 + ["meta", "scope", "vector", "source", "counter", "copy", "job"]
    table = rng.choice(tables)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    keys = [row[0] for row in connection.execute(f"SELECT {columns[0]} FROM {table}")]
    if not keys:
        return
    column, key = rng.choice(columns), rng.choice(keys)
    if rng.random() < 0.1:
        connection.execute(f"DELETE FROM {table} WHERE {columns[0]} = ?", (key,))
        return
    (held,) = connection.execute(
        f"SELECT {column} FROM {table} WHERE {columns[0]} = ?", (key,)
    ).fetchone()
    value = _mutated_column(held, rng)
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {columns[0]} = ?", (value, key))
    if table == "record" and rng.random() < 0.7:
        _sign_row(connection, key)


def _mutated_column(held: object, rng: random.Random) -> object:
    if isinstance(held, bytes):
        return mutated_bytes(held, rng)
    if isinstance(held, str) and held[:1] in ("{", "[") and rng.random() < 0.8:
        with suppress(ValueError):
            return json.dumps(mutated_value(json.loads(held), rng), ensure_ascii=False)
    value = mutated_value(held, rng)
    if type(value) is int and not -(2**63) <= value < 2**63:
        return str(value)
    return json.dumps(value) if isinstance(value, list | dict) else value


def _sign_row(connection: sqlite3.Connection, seq: object) -> None:
    columns = ("r.seq, r.id, r.version, r.op, r.kind, s.tenant, s.user, s.agent, s.session, r.created_at,"
               " r.valid_from, r.valid_to, r.key, r.sources, r.body, r.metadata, r.content_hash, r.checksum")  # fmt: skip
    sql = (
        f"SELECT {columns} FROM record AS r LEFT JOIN scope AS s ON s.id = r.scope WHERE r.seq = ?"
    )
    for values in connection.execute(sql, (seq,)).fetchall():
        with suppress(TypeError):
            connection.execute(
                "UPDATE record SET checksum = ? WHERE seq = ?", (Row(*values).digest(), seq)
            )


def bound_memory() -> None:
    """Let this process take a few GB more, and no more: what takes too much is an error then."""
    import resource

    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def run(folder: Path, kind: str, numbers: range, *, seed: int) -> Iterator[Fault]:
    """Run cases of one kind; yield what went wrong."""
    one = partial(Fuzzing(folder, seed=seed).run, kind)
    yield from (fault for number in numbers if (fault := one(number)))
