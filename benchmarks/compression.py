"""What a frozen model answers from memories of a few soft tokens, beside the text that they were made of.

    python benchmarks/compression.py                  # the codec in the package
    python benchmarks/compression.py --codec FOLDER   # another one of the reference model

Documents have names, sets of facts and phrasings that training never drew. Each is asked one question that it
answers. Lead tokens are the beginning of the text, as many tokens as the memory has. A bank holds all documents of a
set; a question has to find its own, by the codec's codes or by BM25.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from parts import results
from parts.recalls import interval
from rich.progress import track

from agentcl import Memory
from agentcl.compression import Codec, open_codec
from agentcl.envs.questions.grading import exact_match, token_f1
from agentcl.models import Sampling, open_reference
from agentcl.models.reference.chat import ReferenceChat
from agentcl.text.answers import final_answer
from training.compressor.data import Document, Size, made_up

SETS: Final = {"2 or 3 facts": Size(2, 3), "6 to 9 facts": Size(6, 9)}
_BEFORE: Final = "<|user|>Passage: "
_SAMPLING: Final = Sampling(max_tokens=28)
_READ: Final = 16  # slots that a bank's memories are read with

Piece = str | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of reading reached on one set.

    Attributes:
        documents: the set.
        read: the way.
        em: strict exact match in percent, with the ends of the 95 % bootstrap interval.
        f1: of the words, likewise.
        prompt_tokens: the mean.
        read_tokens: the mean of those that stand for the document.
        bytes: of what is kept of a document, the mean.
    """

    documents: str
    read: str
    em: tuple[float, float, float]
    f1: tuple[float, float, float]
    prompt_tokens: float
    read_tokens: float
    bytes: float


def draw(size: Size, count: int, seed: int) -> list[Document]:
    """Return held-out documents, each with one question that it answers."""
    rng = random.Random(f"compression:{seed}")
    make = made_up(questions=12, held_out=True)
    found: list[Document] = []
    while len(found) < count:
        document = make(rng, size)
        stated = [one for one in document.asked if "not stated" not in one.answer]
        if stated:
            found.append(replace(document, asked=(stated[0],)))
    return found


def measure(
    model: ReferenceChat, codec: Codec, name: str, documents: Sequence[Document]
) -> Iterator[Row]:
    """Yield the rows of one set."""
    texts = [one.text for one in documents]
    memories = codec.encode(texts)
    own = np.arange(len(texts))

    def row(read: str, of: Callable[[int], Piece], kept: Callable[[int], float]) -> Row:
        pairs = [_ask(model, document, of(n)) for n, document in enumerate(documents)]
        right = [final_answer(document.asked[0].answer) for document in documents]
        said = [final_answer(text) for text, _ in pairs]
        read_tokens = np.mean([_length(model, of(n)) for n in range(len(texts))])
        return Row(
            name,
            read,
            interval(np.array([exact_match(a, [b]) for a, b in zip(said, right, strict=True)])),
            interval(np.array([token_f1(a, [b]) for a, b in zip(said, right, strict=True)])),
            float(np.mean([tokens for _, tokens in pairs])),
            float(read_tokens),
            float(np.mean([kept(n) for n in range(len(texts))])),
        )

    def soft(slots: int, chosen: NDArray[np.intp]) -> Callable[[int], Piece]:
        return lambda n: memories[chosen[n], :slots]

    def soft_bytes(slots: int) -> Callable[[int], float]:
        return lambda n: slots * codec.width * 2  # float16

    def lead(tokens: int) -> Callable[[int], Piece]:
        return lambda n: _lead(codec, texts[n], tokens)

    def text_bytes(n: int) -> float:
        return len(texts[n].encode())

    yield row("nothing", lambda n: "", lambda n: 0)
    yield row("whole document", lambda n: texts[n], text_bytes)
    for slots in reversed(codec.sizes):
        yield row(f"its memory, k = {slots}", soft(slots, own), soft_bytes(slots))
    yield row(f"another's memory, k = {_READ}", soft(_READ, np.roll(own, 1)), soft_bytes(_READ))
    for slots in reversed(codec.sizes[:-1]):
        yield row(f"lead tokens, {slots}", lead(slots), text_bytes)
    codes = codec.codes(memories)
    asked = codec.questions([_question(one) for one in documents])
    by_codes, by_words = (asked @ codes.T).argmax(axis=1), _found(documents)
    for how, chosen in (("codes", by_codes), ("BM25", by_words)):
        yield row(f"memory found by {how}, k = {_READ}", soft(_READ, chosen), soft_bytes(_READ))
    yield row("document found by BM25", lambda n: texts[by_words[n]], text_bytes)


def recalls_of(
    codec: Codec, documents: Sequence[Document]
) -> dict[str, tuple[float, float, float]]:
    """Return how often a question finds its own document first, in percent, by who looks."""
    own = np.arange(len(documents))
    codes = codec.codes(codec.encode([one.text for one in documents], slots=codec.sizes[0]))
    asked = codec.questions([_question(one) for one in documents])
    found = {"codes": (asked @ codes.T).argmax(axis=1), "BM25": _found(documents)}
    return {name: interval((first == own).astype(float)) for name, first in found.items()}


def _found(documents: Sequence[Document]) -> NDArray[np.intp]:
    """Return which document BM25 finds first for each question; -1 stands for none of them."""
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder), encoder="hashing") as memory:
        place = {memory.add(one.text).id: number for number, one in enumerate(documents)}
        firsts = []
        for one in documents:
            hits = memory.search(_question(one), limit=1, mode="text").hits
            firsts.append(place[hits[0].document_id] if hits else -1)
    return np.array(firsts)


def _ask(model: ReferenceChat, document: Document, read: Piece) -> tuple[str, int]:
    """Return the answer, and how many tokens the prompt had."""
    ask = f"\n{document.asked[0].ask}<|end|><|assistant|>"
    pieces: list[Piece] = (
        [f"{_BEFORE}{read}{ask}"] if isinstance(read, str) else [_BEFORE, read, ask]
    )
    reply = model.complete(pieces, sampling=_SAMPLING)
    return reply.text, reply.usage.prompt_tokens


def _length(model: ReferenceChat, read: Piece) -> int:
    if isinstance(read, str):
        return len(model.embeddings(read)) if read else 0
    return len(read)


def _lead(codec: Codec, text: str, tokens: int) -> str:
    """Return the longest beginning of whole words that has no more tokens."""
    words = text.split(" ")
    while words and codec.count(" ".join(words)) > tokens:
        words.pop()
    return " ".join(words)


def _question(document: Document) -> str:
    return document.asked[0].ask.removeprefix("Question: ")


def encode_ms(codec: Codec, documents: Sequence[Document]) -> float:
    """Return the fastest of five encodings of these documents, in ms a passage of processor time."""
    texts = [one.text for one in documents]

    def once() -> float:
        started = time.process_time()
        codec.encode(texts, slots=_READ)
        return (time.process_time() - started) / len(texts) * 1e3

    return min(once() for _ in range(5))


def main() -> None:
    """Ask, grade, print, write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--codec", default="reference")
    options.add_argument("--documents", type=int, default=64, help="of each set")
    options.add_argument("--bank", type=int, default=256, help="documents of the larger bank")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    model, codec = open_reference(), open_codec(chosen.codec)
    assert isinstance(model, ReferenceChat)
    before = model.fingerprint()
    rows: list[Row] = []
    found: dict[str, Any] = {}
    for name, size in SETS.items():
        documents = draw(size, chosen.documents, chosen.seed)
        rows += track(measure(model, codec, name, documents), description=name, total=15)
    last = draw(SETS["6 to 9 facts"], chosen.bank, chosen.seed)
    for count in (chosen.documents, chosen.bank):
        found[str(count)] = recalls_of(codec, last[:count])
    results.table(
        ["documents", "read", "EM", "F1", "prompt tokens", "read", "bytes"],
        [
            [
                row.documents, row.read, _cell(row.em), _cell(row.f1), f"{row.prompt_tokens:.0f}",
                f"{row.read_tokens:.0f}", f"{row.bytes:,.0f}",
            ]
            for row in rows
        ],
    )  # fmt: skip
    print(found)
    results.save(
        "compression",
        {
            "machine": results.machine("numpy"),
            "codec": {"name": codec.name, "fingerprint": codec.fingerprint, "base": codec.base},
            "made": dict(codec.made) if hasattr(codec, "made") else {},
            "is_frozen": model.fingerprint() == before,
            "questions": chosen.documents,
            "seed": chosen.seed,
            "encode_ms": encode_ms(codec, last[:16]),
            "recall@1": found,
            "rows": [{name: getattr(row, name) for name in Row.__slots__} for row in rows],
        },
    )


def _cell(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.0f} [{found[1]:.0f}, {found[2]:.0f}]"


if __name__ == "__main__":
    main()
