"""Real MiniLM embeddings of the real corpora, as many as asked for, kept between runs in `.bench/`.

The corpora have some 11,000 passages. To reach more, the text of each passage is also taken sentence by
sentence, then by two and by three sentences in a row, each with the passage's title: real text at every
length at which people cut documents, and near-duplicates as real memories have them.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval.encoders import open_encoder
from agentcl.retrieval.encoders.base import Role

sys.path.insert(0, str(Path(__file__).parent))
from parts.corpora import load
from parts.results import CACHE

_SHARD = 5_000
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SHORTEST = 20  # characters of a sentence
_WHOLE = 100_000  # texts of which the first are taken, so that these are kept once
_NEAR = 20
_NOISE = 0.1
SEED = 0


def texts(data: Path, count: int) -> list[str]:
    """Return `count` distinct texts in a random order that is always the same."""
    passages = {document: None for corpus in load(data) for document in corpus.documents}
    found = {f"{title}\n{text}": None for title, text in passages}
    for width in (1, 2, 3):
        found.update((text, None) for text in _windows(list(passages), width))
    distinct = list(found)
    if len(distinct) < count:
        raise SystemExit(f"the corpora give {len(distinct):,} texts, {count:,} were asked for")
    whole = distinct[: len(passages)]
    rest = distinct[len(passages) :]
    chosen = [*whole, *rest[: max(0, count - len(whole))]][:count]
    random.Random(SEED).shuffle(chosen)
    return chosen


def vectors(data: Path, count: int) -> NDArray[np.float32]:
    """Return the embeddings of `texts(data, count)`: shape (count, 384), rows of length 1."""
    return _encode(f"texts-{count}", texts(data, count), "passage")


def augmented(data: Path, count: int, *, real: int) -> NDArray[np.float32]:
    """Return `count` vectors, shape (count, 384): `real` embeddings of texts, and others made from these.

    Each of the others is the mean of a real one and one of its 20 nearest, in random shares, with noise of a tenth of
    its length. It takes a model an hour to encode 100,000 texts on one processor.
    """
    held = _encode(f"texts-{_WHOLE}-{real}", texts(data, _WHOLE)[:real], "passage")
    rng = np.random.default_rng(SEED)
    near = np.concatenate(
        [
            np.argpartition(-(held[start : start + _SHARD] @ held.T), _NEAR, axis=1)[:, :_NEAR]
            for start in range(0, real, _SHARD)
        ]
    )
    rows = np.empty((count, held.shape[1]), np.float32)
    rows[:real] = held[:count]
    for start in range(real, count, _SHARD):
        stop = min(start + _SHARD, count)
        one = rng.integers(real, size=stop - start)
        other = near[one, rng.integers(_NEAR, size=stop - start)]
        share = rng.uniform(0.2, 0.8, (stop - start, 1)).astype(np.float32)
        made = share * held[one] + (1 - share) * held[other]
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        made += rng.normal(0, _NOISE / np.sqrt(made.shape[1]), made.shape).astype(np.float32)
        rows[start:stop] = made / np.linalg.norm(made, axis=1, keepdims=True)
    rng.shuffle(rows)
    return rows


def questions(data: Path) -> NDArray[np.float32]:
    """Return the embeddings of all questions of the corpora: shape (n, 384)."""
    asked = [question for corpus in load(data) for question in corpus.questions]
    return _encode("questions", asked, "query")


def _windows(passages: list[tuple[str, str]], width: int) -> Iterator[str]:
    for title, text in passages:
        sentences = [s for s in _SENTENCE_END.split(text) if len(s) > _SHORTEST]
        for start in range(len(sentences) - width + 1):
            yield f"{title}\n{' '.join(sentences[start : start + width])}"


def _encode(name: str, some: list[str], role: Role) -> NDArray[np.float32]:
    encoder = open_encoder("minilm")
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for start in range(0, len(some), _SHARD):
        file = folder / f"{start}.npy"
        if not file.exists():
            print(f"embedding {name}: {start:,} of {len(some):,}", file=sys.stderr)
            packed = encoder.encode(some[start : start + _SHARD], role=role)
            rows = np.frombuffer(b"".join(packed), "<f4").reshape(len(packed), -1)
            np.save(file.with_suffix(".part.npy"), rows)
            file.with_suffix(".part.npy").rename(file)
        shards.append(np.load(file))
    return np.concatenate(shards)


if __name__ == "__main__":
    vectors(Path(sys.argv[1]), int(sys.argv[2]))
    questions(Path(sys.argv[1]))
