"""Threads, processes, event loops and openings that come and go leave no open file behind."""

import asyncio
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from agentcl import AsyncMemory, Document, Memory
from agentcl.models import CachedModel, Ledger, Message, RecordedModel, ScriptedModel

OPEN_FILES = Path("/proc/self/fd")
MANY = 1_000
MOST = 20  # more open files than before that are still no leak
pytestmark = pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="the system lists no open files")


def open_files() -> int:
    return len(list(OPEN_FILES.iterdir()))


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing:64", durability="normal") as memory:
        memory.add("The ferry leaves at seven.", uri="ferry")
        memory.search("ferry")
        yield memory


def in_threads(act: Callable[[int], object], count: int) -> None:
    """Act in threads of which each ends before the next begins; raise what one of them raised."""
    for number in range(count):
        with ThreadPoolExecutor(1) as one:
            one.submit(act, number).result()


@pytest.mark.parametrize(
    "act",
    [
        lambda memory, number: memory.search("ferry"),
        lambda memory, number: memory.add(f"note {number}"),
        lambda memory, number: memory.get(uri="ferry"),
        lambda memory, number: memory.store.stats(),
    ],
    ids=["search", "add", "get", "stats"],
)
def test_threads_that_ended_hold_nothing(
    memory: Memory, act: Callable[[Memory, int], object]
) -> None:
    in_threads(lambda number: act(memory, number), 50)
    files, held = open_files(), resident()
    in_threads(lambda number: act(memory, number), MANY)
    assert open_files() - files < MOST
    assert resident() - held < 40_000_000


def test_threads_at_the_same_time_share_a_few_files(memory: Memory) -> None:
    files, most = open_files(), 0
    begin = threading.Barrier(100)

    def act(number: int) -> None:
        nonlocal most
        begin.wait()
        memory.search(f"ferry {number}")
        most = max(most, open_files())
        memory.add(f"note {number}")

    with ThreadPoolExecutor(100) as threads:
        list(threads.map(act, range(100)))
    assert most - files < 100
    assert open_files() - files < MOST


def test_a_thread_reads_what_it_is_writing(memory: Memory) -> None:
    journal = memory.store.journal
    with journal.writing() as writing:
        writing.set_meta("test", "mine")
        assert journal.meta("test") == "mine"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(journal.meta, "test").result() is None
    assert journal.meta("test") == "mine"


def test_model_files_are_not_held_by_threads(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    cached = CachedModel(ScriptedModel(["yes"] * 400), tmp_path / "cache.db")
    model = RecordedModel(cached, ledger)
    files = open_files()
    in_threads(lambda number: model.chat([Message("user", f"{number}?")]), 300)
    assert open_files() - files < MOST
    cached.close()
    ledger.close()


def test_event_loops_that_ended_hold_nothing(tmp_path: Path) -> None:
    async def one(memory: AsyncMemory) -> None:
        await asyncio.gather(*(memory.search("ferry") for _ in range(4)))

    async def opened() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing:64") as memory:
            await memory.search("ferry")

    shared = AsyncMemory(tmp_path / "m", encoder="hashing:64")
    asyncio.run(one(shared))
    files = open_files()
    for _ in range(100):
        asyncio.run(one(shared))
        asyncio.run(opened())
    assert open_files() - files < MOST
    asyncio.run(shared.close())


def test_openings_that_were_closed_hold_nothing(tmp_path: Path, memory: Memory) -> None:
    files, held = open_files(), resident()
    for _ in range(MANY):
        with Memory(tmp_path / "m", encoder="hashing:64") as again:
            again.search("ferry")
    assert open_files() - files < MOST
    assert resident() - held < 80_000_000


def test_openings_that_nobody_closed_go_with_their_last_reference(tmp_path: Path) -> None:
    Memory(tmp_path / "m", encoder="hashing:64").add("The ferry leaves at seven.")
    files = open_files()
    gc.disable()
    try:
        for _ in range(100):
            Memory(tmp_path / "m", encoder="hashing:64").search("ferry")
        assert open_files() - files < MOST
    finally:
        gc.enable()


def _use(path: Path) -> int:
    with Memory(path, encoder="hashing:64") as memory:
        memory.add(f"from {os.getpid()}", duplicates="keep")
        memory.search("ferry")
    return open_files()


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_processes_of_a_pool_hold_nothing(tmp_path: Path, memory: Memory, how: str) -> None:
    files = open_files()
    context = multiprocessing.get_context(how)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        counts = list(pool.map(_use, [tmp_path / "m"] * 40))
        memory.search("ferry")
    assert max(counts) - min(counts) < MOST
    assert open_files() - files < MOST
    assert len(memory.list()) == 41


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_forked_process_opens_files_of_its_own(tmp_path: Path, memory: Memory) -> None:
    def of_memory() -> list[str]:
        links = (str(entry.readlink()) for entry in OPEN_FILES.iterdir() if entry.is_symlink())
        return [name for name in links if name.startswith(str(tmp_path))]

    child = os.fork()
    if child == 0:
        status = 1
        try:
            inherited = of_memory()
            memory.add("from the child")
            memory.search("child")
            memory.close()
            status = 0 if not inherited and not of_memory() else 2
        finally:
            os._exit(status)
    memory.add("from the parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {d.text for d in memory.list() if isinstance(d, Document)} >= {
        "from the child",
        "from the parent",
    }
    assert memory.store.examine().is_healthy


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_process_forked_while_others_write_can_write(tmp_path: Path, memory: Memory) -> None:
    done = threading.Event()

    def busy() -> None:
        number = 0
        while not done.is_set():
            with memory.store.journal.writing() as writing:
                writing.set_meta("busy", str(number := number + 1))

    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(busy)
        for _ in range(10):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    with memory.store.journal.writing() as writing:
                        writing.set_meta("child", str(os.getpid()))
                    memory.close()
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        done.set()
    assert memory.store.examine().is_healthy
