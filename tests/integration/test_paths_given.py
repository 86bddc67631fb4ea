"""Paths that the public doors are given: text is as good as a `Path`, and what is no path is refused in our words."""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import agentcl
from agentcl import ConfigError, InvalidInput, Memory, MissingExtra
from agentcl.bench import (
    RunFolder,
    TaskSettings,
    begin,
    compare_tasks,
    load_settings,
    open_baseline,
    read_trajectories,
)
from agentcl.bench.settings import RunSettings
from agentcl.compression import open_codec
from agentcl.consolidation import AdapterResolver, AdapterServer, load_task, task_names
from agentcl.envs import (
    Arrival,
    QuestionStream,
    TaskStream,
    TauBenchDomain,
    hotpotqa_stream,
    load_histories,
    load_stream,
    longmemeval_streams,
    memory_agent_bench_streams,
    paragraphs_stream,
    read_locomo,
    save_histories,
    save_stream,
    squad_stream,
)
from agentcl.files import count, load
from agentcl.models import CachedModel, Ledger, LlamaCppServer, Prices, ScriptedModel, VllmServer
from agentcl.retrieval import FullTextIndex
from agentcl.server import Keys
from agentcl.store import holds_store, open_store
from agentcl.text.paths import check_path

# What agentcl makes and hands out; what only agentcl calls; suites that pytest calls.
_NOT_CALLED_BY_USERS = {"Copy", "KeptModel", "Stats", "Writing", "IndexContract", "StoreContract"}
_PATH_ONLY = re.compile(r"\b(Path|Place)\b")

SETTINGS = RunSettings(tasks=TaskSettings(domain="sandbox"))
QUESTIONS = QuestionStream("made", "CC0", (Arrival("1", "The ferry leaves at seven."),))
TASKS = TaskStream("made", (), "as given", 0)
MODEL = ScriptedModel(["yes"])
HELD: Any = None  # an adapter, which is not looked at before its folder


def doors() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield what the faces export that can be called, and the methods of classes among it."""
    rooms = [f"agentcl.{found.name}" for found in pkgutil.iter_modules(agentcl.__path__)]
    for room in ("agentcl", *rooms):
        face = importlib.import_module(room)
        for name in getattr(face, "__all__", ()):
            try:
                value = getattr(face, name)
            except MissingExtra:
                continue
            if callable(value):
                yield name, value
            if inspect.isclass(value):
                for method, found in inspect.getmembers(value, callable):
                    if not method.startswith("_"):
                        yield f"{name}.{method}", found


def test_no_public_door_takes_a_path_and_no_text() -> None:
    narrow = set()
    for name, door in doors():
        try:
            parameters = inspect.signature(door).parameters.values()
        except ValueError:  # one of Python's own, and an alias of types
            continue
        if any(_PATH_ONLY.search(str(one.annotation)) for one in parameters):
            narrow.add(name.partition(".")[0])
    assert narrow == _NOT_CALLED_BY_USERS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of each kind that is read."""
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("The ferry leaves at seven.")
    (tmp_path / "prices.toml").write_text('["model*"]\nprompt = 1\ncompletion = 2\n')
    (tmp_path / "run.toml").write_text('[tasks]\ndomain = "sandbox"\n')
    RunFolder.create(tmp_path / "run", SETTINGS, {})
    Memory(tmp_path / "memory").close()
    QUESTIONS.save(tmp_path / "questions.jsonl")
    save_stream(TASKS, tmp_path / "tasks.jsonl")
    save_histories((), tmp_path / "people.json")
    (tmp_path / "locomo.json").write_text("[]")
    written: dict[str, Any] = {
        "squad.json": {"data": [{"title": "Kyr", "paragraphs": []}]},
        "hops.json": [{"_id": "h", "question": "Who?", "answer": "Tavo", "type": "bridge",
                       "supporting_facts": [["Medom", 0]], "context": [["Medom", ["Tavo."]]]}],
        "marked.json": [{"id": "2hop__1", "question": "Who?", "answer": "Tavo", "paragraphs":
                         [{"title": "Medom", "paragraph_text": "Tavo.", "is_supporting": True}]}],
        "corpus.json": [{"title": "Brosan", "text": "A ship."}],
        "long.json": [{"question_id": "q", "question_type": "t", "question": "Who?", "answer": "Tavo",
                       "question_date": "2024/01/02 (Tue) 10:00", "haystack_session_ids": ["s"],
                       "haystack_dates": ["2024/01/01 (Mon) 10:00"], "answer_session_ids": ["s"],
                       "haystack_sessions": [[{"role": "user", "content": "I am Tavo."}]]}],
        "pieces.json": [{"context": "Tavo is mayor.", "questions": ["Who?"], "answers": [["Tavo"]],
                         "metadata": {"source": "facts", "qa_pair_ids": ["a"]}}],
        "cases/shop/1-return.json": {"conversation": [{"role": "user", "content": "Hello."}]},
        "scored/run1/1.json": {"task_id": "1", "task_completion_pass": True},
        "sst2.labels.json": ["Good"],
    }  # fmt: skip
    for name, held in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(held))
    for split in ("train", "test"):
        row = json.dumps({"sentence": "A text", "label": "Good"}).encode()
        (tmp_path / f"sst2.{split}.jsonl.gz").write_bytes(gzip.compress(row))
    return tmp_path


def _snapshot(place: Any) -> str:
    with closing(open_store("memory")) as store:
        return store.snapshot(place).name


def _closed(opened: Any) -> bool:
    opened.close()
    return True


def _optional(name: str) -> Any:
    """Return what a face exports if what it needs is installed."""
    room, _, name = name.rpartition(".")
    try:
        return getattr(importlib.import_module(room), name)
    except MissingExtra as error:
        pytest.skip(str(error))


def _tried(folder: Any) -> None:
    pytest.importorskip("openai")
    with AdapterServer("http://localhost:1/v1") as server, server.trying(HELD, folder):
        pass


# By name, what is called, a path that it can be called with, and what comes of that.
DOORS: dict[str, tuple[Callable[[Any], object], str, object]] = {
    "CachedModel": (lambda path: _closed(CachedModel(MODEL, path)), "new/answers.db", True),
    "Ledger": (lambda path: _closed(Ledger(path)), "new/ledger.db", True),
    "Prices.load": (lambda path: bool(Prices.load(path)), "prices.toml", True),
    "VllmServer": (lambda path: VllmServer("model", log=path).name, "vllm.log", "model"),
    "RunFolder": (lambda path: RunFolder(path).path, "run", Path("run")),
    "RunFolder.create": (lambda path: RunFolder.create(path, SETTINGS, {}).path, "other", Path("other")),
    "RunFolder.check_free": (lambda path: RunFolder.check_free(path), "free", None),
    "load_settings": (lambda path: load_settings(path).tasks.domain, "run.toml", "sandbox"),
    "open_baseline": (lambda path: _closed(open_baseline("bm25", encoder="hashing", folder=path)), "bm25", True),
    "read_trajectories": (lambda path: len(read_trajectories(path)), "cases", 1),
    "compare_tasks": (lambda path: compare_tasks("scored", path).tasks, "scored", 1),
    "QuestionStream.save": (lambda path: QUESTIONS.save(path), "copy.jsonl", None),
    "QuestionStream.load": (QuestionStream.load, "questions.jsonl", QUESTIONS),
    "squad_stream": (lambda path: squad_stream(path, licence="CC0").name, "squad.json", "squad"),
    "hotpotqa_stream": (lambda path: len(hotpotqa_stream(path).events), "hops.json", 2),
    "its corpus": (lambda path: len(hotpotqa_stream("hops.json", corpus=path).events), "corpus.json", 3),
    "paragraphs_stream": (lambda path: len(paragraphs_stream(path, licence="").events), "marked.json", 2),
    "longmemeval_streams": (lambda path: len(list(longmemeval_streams(path))), "long.json", 1),
    "memory_agent_bench_streams": (lambda path: len(list(memory_agent_bench_streams(path))), "pieces.json", 1),
    "read_locomo": (lambda path: read_locomo(path).streams, "locomo.json", ()),
    "its faults": (lambda path: read_locomo("locomo.json", faults=path).streams, "locomo.json", ()),
    "save_histories": (lambda path: save_histories((), path), "new.json", None),
    "load_histories": (load_histories, "people.json", ()),
    "save_stream": (lambda path: save_stream(TASKS, path), "new.jsonl", None),
    "load_stream": (load_stream, "tasks.jsonl", TASKS),
    "load": (lambda path: [one.text for one in load(path)], "notes.txt", ["The ferry leaves at seven."]),
    "what load leaves out": (lambda path: list(load("cases", leave_out=[path])), "cases", []),
    "count": (lambda path: count([path]), "notes.txt", 1),
    "FullTextIndex": (lambda path: _closed(FullTextIndex(path)), "words", True),
    "open_store": (lambda path: _closed(open_store(path, read_only=True)), "memory", True),
    "holds_store": (holds_store, "memory", True),
    "Store.snapshot": (_snapshot, "kept", "journal.db"),
    "Keys": (lambda path: _closed(Keys(path, file="keys.db")), "memory", True),
    "its file": (lambda path: Keys("memory", file=path).file, "keys.db", Path("keys.db")),
    "Keys.of_file": (lambda path: Keys("memory", file="keys.db").of_file(path).name, "key", "of key"),
    "task_names": (task_names, ".", ["sst2"]),
    "load_task": (lambda path: len(load_task(path, "sst2").rows), ".", 2),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_a_path_is_given_as_text(home: Path, door: str) -> None:
    call, place, expected = DOORS[door]
    assert call(place) == expected


@pytest.mark.parametrize(
    "call",
    [
        *(call for call, _, _ in DOORS.values()),
        lambda path: begin(path, SETTINGS),
        lambda path: open_codec(path),
        TauBenchDomain,
        AdapterResolver,
        _tried,
        lambda path: _optional("agentcl.retrieval.ChromaIndex")("one", folder=path),
        lambda path: _optional("agentcl.consolidation.merge_adapters")("base", ["a", path], "new"),
        lambda path: _optional("agentcl.consolidation.IncrementalLora")([path]),
        lambda path: LlamaCppServer(path),
        lambda path: LlamaCppServer("model.gguf", python=path),
        lambda path: VllmServer("model", python=path),
    ],
    ids=[
        *DOORS,
        "begin",
        "open_codec",
        "TauBenchDomain",
        "AdapterResolver",
        "trying",
        "ChromaIndex",
        "merge_adapters",
        "IncrementalLora",
        "LlamaCppServer",
        "its python",
        "vllm's python",
    ],
)
def test_what_is_no_path_is_refused(home: Path, call: Callable[[Any], object]) -> None:
    before = sorted(home.rglob("*"))
    for wrong in (5, b"notes.txt", "", "notes\0.txt"):
        with pytest.raises(InvalidInput, match=r"must be a string or a Path|is no path"):
            call(wrong)
    assert sorted(home.rglob("*")) == before


def test_several_paths_are_no_single_one(home: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^paths must be a list of paths, not str"):
        count("notes.txt")


def test_what_is_no_path_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^log must be a string or a Path, not int 5$"):
        check_path(5, "log")
    with pytest.raises(InvalidInput, match=r"^a path must be a string or a Path, not None$"):
        check_path(None)
    with pytest.raises(
        ConfigError, match=r"^path = 5 \(from constructor\): a path must be a string"
    ):
        Memory(5)  # type: ignore[arg-type]  # what it is for
    with pytest.raises(InvalidInput, match=r"^a path is '', which is no path; name a file"):
        check_path("")
