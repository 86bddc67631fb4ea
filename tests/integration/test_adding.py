"""Adding and remembering much with a slow encoder: little is lost when it is cut off, and nobody waits for it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentcl import Draft, Memory
from agentcl.errors import InvalidInput
from agentcl.memory.documents.pacing import batches
from agentcl.retrieval.encoders import Encoder, HashingEncoder
from agentcl.retrieval.encoders.base import Role
from agentcl.store.noting import noting
from agentcl.store.writing import Writing

_SLOW = """
import sys, time
from agentcl import Memory
from agentcl.retrieval.encoders import HashingEncoder

class Slow(HashingEncoder):
    def encode(self, texts, *, role):
        time.sleep(0.02 * len(texts))
        return super().encode(texts, role=role)

def told(done, total=0):
    print(done, flush=True)

texts = [f"note {n} " * 80 for n in range(5_000)]
with Memory(sys.argv[1], encoder=Slow(32)) as memory:
    print("ready", flush=True)
    if sys.argv[2] == "add":
        memory.add_many(texts, progress=told)
    else:
        memory.remember(texts[:600], progress=told, user="ada", session="s")
"""


class _Recorded:
    """An encoder that says what it is asked, and does something else before it answers."""

    is_lexical = True

    def __init__(self, inner: Encoder) -> None:
        self.name, self.dim = inner.name, inner.dim
        self._inner = inner
        self.asked: list[int] = []
        self.lengths: list[int] = []

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        self.asked.append(len(texts))
        self.lengths += map(len, texts)
        return self._inner.encode(texts, role=role)


def _killed(folder: Path, verb: str) -> int:
    """Add or remember much, kill that once some is stored, and return how much it said was."""
    command = [sys.executable, "-c", _SLOW, str(folder), verb]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    told = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return told


def test_what_was_encoded_before_a_kill_is_stored(tmp_path: Path) -> None:
    told = _killed(tmp_path, "add")
    assert 0 < told < 256  # so many take more than the seconds after which what is done is stored
    with Memory(tmp_path, encoder="hashing:32") as memory:
        stored = len(memory.list(limit=10_000))
        assert told <= stored < 1_000
        assert memory.store.examine().problems == ()
        assert memory.search("note 7", limit=3).hits


def test_a_conversation_that_a_kill_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    told = _killed(tmp_path / "cut", "remember")
    texts = [f"note {n} " * 80 for n in range(600)]
    with Memory(tmp_path / "cut", encoder="hashing:32") as cut:
        begun = [turn.text for turn in cut.conversations.turns(user="ada", session="s")]
        assert told <= len(begun) < len(texts)
        assert begun == texts[: len(begun)]
        assert cut.store.examine().problems == ()
        done = cut.remember(texts, user="ada", session="s")
        assert (len(done.turns), done.known) == (len(texts) - len(begun), len(begun))
        with Memory(tmp_path / "whole", encoder="hashing:32") as whole:
            whole.remember(texts, user="ada", session="s")
            assert _held(cut) == _held(whole)
            assert cut.store.stats().records == whole.store.stats().records


def _held(memory: Memory) -> list[tuple[object, ...]]:
    """Return what a memory holds of its conversation, without what depends on when it was stored."""
    turns = memory.conversations.turns(user="ada", session="s")
    passages = [memory.store.passages(turn.id, user="ada") for turn in turns]
    return [
        (turn.role, turn.text, turn.ordinal, [(one.text, one.ordinal) for one in some])
        for turn, some in zip(turns, passages, strict=True)
    ]


_LONG = [f"{n} " * 1_000 for n in range(100)]  # more than is stored at once


class _Between:
    """An encoder before whose second answer somebody else does something."""

    is_lexical = True

    def __init__(self, act: Callable[[], object]) -> None:
        self._inner = HashingEncoder(32)
        self.name, self.dim = self._inner.name, self._inner.dim
        self._act, self._asked = act, 0

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        self._asked += 1
        if self._asked == 2:
            self._act()
        return self._inner.encode(texts, role=role)


def _remembered_while(folder: Path, act: Callable[[Memory], object]) -> list[str]:
    """Remember a long list, let another process do something in the middle, and return what is stored."""
    with Memory(folder, encoder="hashing:32") as other:
        encoder = _Between(lambda: act(other))
        with Memory(folder, encoder=encoder) as memory:
            done = memory.remember(_LONG, session="s")
            assert memory.store.examine().problems == ()
            assert done.known + len(done.turns) == len(_LONG)
            return [turn.text for turn in memory.conversations.turns(session="s")]


def test_who_hands_over_the_same_list_meanwhile_doubles_nothing(tmp_path: Path) -> None:
    assert _remembered_while(tmp_path, lambda other: other.remember(_LONG, session="s")) == _LONG


def test_what_is_said_meanwhile_stands_between_the_parts(tmp_path: Path) -> None:
    stored = _remembered_while(tmp_path, lambda other: other.remember("Hello?", session="s"))
    assert 0 < stored.index("Hello?") < len(_LONG)
    assert [text for text in stored if text != "Hello?"] == _LONG


def test_a_conversation_that_is_forgotten_meanwhile_gets_the_rest_alone(tmp_path: Path) -> None:
    stored = _remembered_while(tmp_path, lambda other: other.forget(session="s", everything=True))
    assert 0 < len(stored) < len(_LONG)
    assert stored == _LONG[-len(stored) :]


def test_an_id_that_somebody_else_takes_meanwhile_is_refused_and_says_how_far_it_is(
    tmp_path: Path,
) -> None:
    said = [{"role": "user", "content": text, "id": f"m{n}"} for n, text in enumerate(_LONG)]
    taken = {"role": "user", "content": "Hello?", "id": "m99"}
    with Memory(tmp_path, encoder="hashing:32") as other:
        encoder = _Between(lambda: other.remember(taken, session="s"))
        with Memory(tmp_path, encoder=encoder) as memory:
            with pytest.raises(InvalidInput, match=r"message 100 has the id 'm99'") as refused:
                memory.remember(said, session="s")
            stored = [turn.text for turn in memory.conversations.turns(session="s")]
    kept = len(stored) - 1  # and what was said meanwhile
    assert 0 < kept < len(_LONG)
    assert f"Message {kept} was the last to be stored" in str(refused.value)


def test_little_is_one_transaction_and_so_is_a_request_that_is_noted(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    noted: list[tuple[int, int]] = []

    def note(writing: Writing, before: int, after: int) -> None:
        noted.append((before, after))

    with Memory(tmp_path, encoder="hashing:32") as memory, noting(note):
        memory.remember(_LONG[:7], session="little", progress=lambda *far: told.append(far))
        memory.remember(_LONG, session="noted", progress=lambda *far: told.append(far))
    assert told == [(7, 7), (100, 100)]
    assert len(noted) == 2
    with Memory(tmp_path, encoder="hashing:32") as memory:
        memory.remember(_LONG[:7], session="small", progress=lambda *far: told.append(far))
        memory.remember(_LONG, session="much", progress=lambda *far: told.append(far))
    assert told[2] == (7, 7)
    assert [total for _, total in told[3:]] == [100] * len(told[3:])
    assert [done for done, _ in told[3:]] == sorted({done for done, _ in told[3:]})
    assert len(told[3:]) > 1


def test_batches_hold_all_drafts_in_order_and_grow_while_it_goes_fast() -> None:
    given = [Draft(text="x" * 1_000 * (n % 7)) for n in range(2_000)]
    found = list(batches(iter(given)))
    assert [draft for batch in found for draft in batch] == given
    assert max(map(len, found)) == 256
    assert len(found[0]) < 256
    assert list(batches([])) == []


def test_a_draft_that_is_longer_than_a_batch_is_one() -> None:
    long, short = Draft(text="x" * 10_000_000), Draft(text="y")
    assert next(batches([short, long, short])) == [short, long]


def test_while_another_thread_encodes_much_a_note_is_added_and_found(tmp_path: Path) -> None:
    begun, stored = threading.Event(), threading.Event()

    class Waiting(_Recorded):
        def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
            if len(texts) > 1:
                begun.set()
                assert stored.wait(60), "a small add waited for the encoding of a large one"
            return super().encode(texts, role=role)

    with Memory(tmp_path, encoder=Waiting(HashingEncoder(32))) as memory:
        adding = threading.Thread(target=memory.add_many, args=([f"note {n}" for n in range(500)],))
        adding.start()
        assert begun.wait(60)
        memory.add("a heron", user="ada")
        assert memory.search("heron", user="ada").hits[0].text == "a heron"
        stored.set()
        adding.join()
        assert len(memory.list(limit=1_000)) == 500


def test_progress_tells_passages_while_they_are_encoded(tmp_path: Path) -> None:
    encoder = _Recorded(HashingEncoder(32))
    far: list[tuple[int, int]] = []
    with Memory(tmp_path, encoder=encoder) as memory:
        memory.add("known already")
        texts = ["known already", *(f"note {n} " * (1 + n % 90) for n in range(600))]
        memory.add_many(texts, duplicates="keep", encoded=lambda *told: far.append(told))
        assert len(far) > 3
        assert far == sorted(far)
        assert all(done <= known for done, known in far)
        assert far[-1] == (600, 600)
        assert sum(encoder.asked) == 601


def test_a_long_text_is_encoded_in_parts(tmp_path: Path) -> None:
    encoder = _Recorded(HashingEncoder(32))
    text = "".join(f"Paragraph {n} {'long ' * (n % 50)}.\n\n" for n in range(3_000))
    with Memory(tmp_path, encoder=encoder, passage_limit=200) as memory:
        document = memory.add(text)
        passages = memory.store.passages(document.id)
        assert max(encoder.asked) < len(passages)
        vectors = encoder.encode([p.search_text() or "" for p in passages], role="passage")
        journal = memory.store.journal
        seqs = [journal.seq_of(passage) for passage in passages]
        held = journal.vectors(seqs)
        assert [held[seq] for seq in seqs] == vectors


@pytest.mark.parametrize("wrong", [0, 2])
def test_an_encoder_that_gives_too_few_or_too_many_is_refused(tmp_path: Path, wrong: int) -> None:
    from agentcl import InvalidInput

    class Wrong(_Recorded):
        def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
            return super().encode(texts, role=role)[:1] * wrong

    with (
        Memory(tmp_path, encoder=Wrong(HashingEncoder(32))) as memory,
        pytest.raises(InvalidInput, match=f"returned {wrong} vectors for 1 texts"),
    ):
        memory.add("one")
