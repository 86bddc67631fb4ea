"""Identifiers and numbers whose order matters: how often the passage that holds the one asked for comes first.

    python benchmarks/identifiers.py --encoder hashing minilm

Texts are made by code, from a seed. Each identifier asked for stands in one passage; beside it stand passages
with others that are easily taken for it: parts in another order, a digit more, a part less, another spelling.
Half of the questions are the bare identifier, half have it in a sentence, whose words some of the confusable
passages share and the right one does not. Intervals are 95% by bootstrap over the questions.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl import Draft, Memory
from agentcl.retrieval.modes import Mode

sys.path.insert(0, str(Path(__file__).parent))
from parts.kept_vectors import KeptVectors
from parts.recalls import SEED, interval
from parts.results import machine, save, table

MODES: Final[tuple[Mode, ...]] = ("text", "hybrid", "graph", "dense")
EACH: Final = 20  # identifiers of each kind
Made = tuple[str, list[str]]  # an identifier, and others that are taken for it
Maker = Callable[[random.Random], Made]

WORDS: Final = """
    user order item file path cache token queue index batch event table cart page job node route state event
    config session account invoice report export import filter buffer stream thread worker client server
""".split()  # noqa: SIM905  # as a list it takes 30 lines
ACTS: Final = (
    "get set load save parse find list make drop read send check build fetch merge split".split()  # noqa: SIM905
)
LINKS: Final = "by for from with to of".split()  # noqa: SIM905
# Sentences around an identifier, each with a question in which only the identifier is the same.
CARRIERS: Final = (
    ("The entry {} was seen after the deploy.", "What do we know about {}?"),
    ("We had {} in the log this morning.", "Who reported {} first?"),
    ("Mara changed {} before the release.", "When did somebody touch {}?"),
    ("{} is described on the second page.", "Where can I read about {}?"),
    ("The report mentions {} twice.", "Is {} still a problem?"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the passage that should come first."""

    kind: str
    form: str  # "bare", "in a question"
    text: str
    wanted: int


def _shuffled(rng: random.Random, parts: list[str], joint: str) -> str:
    """Return the parts in another order."""
    other = parts[:]
    while other == parts:
        rng.shuffle(other)
    return joint.join(other)


def _digits(rng: random.Random, count: int) -> str:
    return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(count - 1))


def _swapped(rng: random.Random, text: str) -> str:
    """Return a text in which two neighbouring letters or digits, that differ, have changed places."""
    places = [
        n for n in range(len(text) - 1) if text[n] != text[n + 1] and text[n : n + 2].isalnum()
    ]
    n = rng.choice(places)
    return text[:n] + text[n + 1] + text[n] + text[n + 2 :]


def date(rng: random.Random) -> Made:
    """A date, with month and day that may change places."""
    year, month, day = rng.randint(2001, 2030), *rng.sample(range(1, 13), 2)
    return f"{year}-{month:02}-{day:02}", [
        f"{year}-{day:02}-{month:02}",
        f"{year}-{month:02}-{day + 13:02}",
        f"{year + 1}-{month:02}-{day:02}",
        f"{year}-{month:02}",
        f"{month:02}-{day:02}-{year % 100}{month:02}",
    ]


def version(rng: random.Random) -> Made:
    """A version, among longer, shorter and turned ones."""
    a, b, c = rng.sample(range(1, 40), 3)
    if rng.random() < 0.5:
        return f"{a}.{b}", [f"{a}.{b}0", f"{a}.{b}.{c}", f"{b}.{a}", f"{a}{b}.0", f"{c}.{a}.{b}"]
    own = f"{a}.{b}.{c}"
    return own, [f"{a}.{c}.{b}", f"{a}.{b}.{c}{b}", f"{a}.{b}", f"{own}.{b}", f"{own}-rc1"]


def address(rng: random.Random) -> Made:
    """An IP address."""
    a, b, c, d = (rng.randint(1, 99) for _ in range(4))
    return f"{a}.{b}.{c}.{d}", [
        f"{a}.{b}.{c}.{d}{rng.randint(0, 9)}",
        f"{a}.{b}.{d + 1}.{c}",
        f"{b}.{a + 1}.{c}.{d}",
        f"1{a}.{b}.{c}.{d}",
        f"{a}.{b}.{c}.{d}:8080",
        f"{a}.{b}.{c}",
    ]


def uuid(rng: random.Random) -> Made:
    """A UUID, among some with the same parts."""
    parts = ["".join(rng.choices("0123456789abcdef", k=k)) for k in (8, 4, 4, 4, 12)]
    middle = _shuffled(rng, parts[1:4], "-")
    return "-".join(parts), [
        f"{parts[0]}-{middle}-{parts[4]}",
        "-".join(parts[:4]),
        "-".join([*parts[:4], _swapped(rng, parts[4])]),
        "-".join([_swapped(rng, parts[0]), *parts[1:]]),
    ]


def constant(rng: random.Random) -> Made:
    """A name in capitals, as errors have."""
    parts = ["ERR", *(word.upper() for word in rng.sample(WORDS, 2))]
    own = "_".join(parts)
    return own, [
        _shuffled(rng, parts, "_"),
        f"{own}_{rng.choice(ACTS).upper()}",
        "_".join(parts[:2]),
        " ".join(parts).lower() + f", and {parts[2].lower()} {parts[1].lower()}",
    ]


def camel(rng: random.Random) -> Made:
    """A name of a function in camel case."""
    parts = [rng.choice(ACTS), rng.choice(WORDS), rng.choice(LINKS), rng.choice(WORDS)]
    own = _camel(parts)
    return own, [
        _camel([parts[0], parts[3], parts[2], parts[1]]) + "Of",
        _camel([*parts, rng.choice(WORDS)]),
        _camel(parts[:2]),
        "_".join(parts),
        " ".join([*parts[1:], *parts[:2]]),
    ]


def _camel(parts: list[str]) -> str:
    return parts[0] + "".join(part.capitalize() for part in parts[1:])


def snake(rng: random.Random) -> Made:
    """A name in snake case."""
    parts = [rng.choice(ACTS), *rng.sample(WORDS, 2)]
    own = "_".join(parts)
    return own, [
        _shuffled(rng, parts, "_"),
        f"{own}_{rng.choice(LINKS)}",
        "-".join(parts),
        _camel(parts),
        "_".join(parts[:2]),
    ]


def kebab(rng: random.Random) -> Made:
    """A name in kebab case."""
    parts = rng.sample(WORDS, 3)
    own = "-".join(parts)
    return own, [
        _shuffled(rng, parts, "-"),
        f"{own}-{rng.choice(ACTS)}",
        "_".join(parts),
        "-".join(parts[1:]),
        " ".join(reversed(parts)),
    ]


def file(rng: random.Random) -> Made:
    """A path of a file."""
    parts = rng.sample(WORDS, 3)
    own = f"/{'/'.join(parts)}.conf"
    return own, [
        f"/{_shuffled(rng, parts, '/')}.conf",
        f"{own}.bak",
        f"/{'/'.join(parts[:2])}.conf",
        f"/{'/'.join(parts)}/conf",
        f"/srv{own}",
    ]


def flag(rng: random.Random) -> Made:
    """A flag of a command."""
    act, word = rng.choice(ACTS), rng.choice(WORDS)
    own = f"--{act}-{word}"
    return own, [f"--{word}-{act}", f"--no-{act}-{word}", f"{own}-all", f"--{act}", f"{act} {word}"]


def part_number(rng: random.Random) -> Made:
    """A number of a part, or of a ticket."""
    letters = "".join(rng.sample("ABCDEFGHKLMNPRST", rng.choice((2, 3))))
    number = _digits(rng, 4)
    while len(set(number)) < 3:
        number = _digits(rng, 4)
    own = f"{letters}-{number}"
    return own, [
        f"{letters}-{_swapped(rng, number)}",
        f"{letters[::-1]}-{number}",
        f"{own}-B",
        f"{letters}-{number}{rng.randint(0, 9)}",
        f"{letters}-{number[:3]}",
    ]


def phone(rng: random.Random) -> Made:
    """A telephone number."""
    number = _digits(rng, 7)
    while len(set(number)) < 4:
        number = _digits(rng, 7)
    own = f"+49 30 {number}"
    return own, [f"+49 30 {_swapped(rng, number)}", f"+30 49 {number}", f"+49 30 {number}0", f"+49 {number}"]  # fmt: skip


def hexadecimal(rng: random.Random) -> Made:
    """A number in base 16."""
    number = "0x" + "".join(rng.sample("123456789abcdef", 6))
    return number, [_swapped(rng, number[2:]), "0x" + _swapped(rng, number[2:]), f"{number}0", number[:-1]]  # fmt: skip


def amount(rng: random.Random) -> Made:
    """A sum of money, with a sign for thousands."""
    a, b, c = rng.randint(1, 99), rng.randint(100, 999), rng.randint(10, 99)
    return f"{a},{b}.{c}", [f"{b}.{c}", f"{a},{b}.{c + 1}", f"{a}.{b},{c}", f"{a},{b},{c}0.00", f"{a}.{c}"]  # fmt: skip


def mail(rng: random.Random) -> Made:
    """A mail address."""
    a, b, c = rng.sample(WORDS, 3)
    own = f"{a}.{b}@{c}.org"
    return own, [f"{b}.{a}@{c}.org", f"{a}.{c}@{b}.org", f"{a}@{c}.org", f"{a}.{b}@{c}.org.uk", f"{a}.{b}@{c}.com"]  # fmt: skip


KINDS: Final[dict[str, Maker]] = {
    "date": date, "version": version, "IP address": address, "UUID": uuid, "ERROR_NAME": constant,
    "camelCase": camel, "snake_case": snake, "kebab-case": kebab, "path": file, "flag": flag,
    "part number": part_number, "telephone": phone, "hex": hexadecimal, "amount": amount, "mail": mail,
}  # fmt: skip


def made(seed: int, each: int) -> tuple[list[str], list[Question]]:
    """Return texts, and questions about them."""
    rng = random.Random(seed)
    texts: list[str] = []
    questions: list[Question] = []
    for kind, maker in KINDS.items():
        asked: set[str] = set()
        held: set[str] = set()
        while len(asked) < each:
            own, others = maker(rng)
            if own in held.union(others) or asked.intersection(others):
                continue  # each identifier asked for stands in one passage
            asked.add(own)
            held.update([own, *others])
            questions += _asked(rng, kind, own, others, texts)
    return texts, questions


def _asked(
    rng: random.Random, kind: str, own: str, others: list[str], texts: list[str]
) -> Iterator[Question]:
    """Yield the questions about one identifier, and add its passages, in any order."""
    sentence, question = rng.choice(CARRIERS)
    passages = [sentence.format(own)]
    for other in others:
        passages.append(sentence.format(other))
        # As an answer to the question would look, but for what is asked about.
        passages.append(question.rstrip("?").format(other) + ", as asked here, is this.")
    order = rng.sample(range(len(passages)), len(passages))
    wanted = len(texts) + order.index(0)
    texts += [passages[n] for n in order]
    yield Question(kind, "bare", own, wanted)
    yield Question(kind, "in a question", question.format(own), wanted)


def measure(encoder: str, texts: list[str], questions: list[Question]) -> dict[Mode, list[bool]]:
    """Return by mode whether the right passage came first, by question."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(folder, encoder=KeptVectors(encoder)) as memory,
    ):
        stored = memory.add_many([Draft(text=text) for text in texts], duplicates="keep")
        position = {document.id: number for number, document in enumerate(stored)}

        def is_first(question: Question, mode: Mode) -> bool:
            hits = memory.search(question.text, limit=1, mode=mode).hits
            return bool(hits) and texts[position[hits[0].document_id]] == texts[question.wanted]

        return {mode: [is_first(question, mode) for question in questions] for mode in MODES}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--encoder", nargs="+", default=["hashing", "minilm"])
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--before", type=Path, help="the result of an earlier version, kept beside")
    arguments = parser.parse_args()
    texts, questions = made(arguments.seed, arguments.each)
    rows: list[dict[str, Any]] = []
    for encoder in arguments.encoder:
        for mode, first in measure(encoder, texts, questions).items():
            row: dict[str, Any] = {"encoder": encoder, "mode": mode}
            for form in ("bare", "in a question"):
                some = [float(f) for q, f in zip(questions, first, strict=True) if q.form == form]
                row[form] = interval(np.array(some))
            row["kinds"] = {
                kind: 100 * float(np.mean([f for q, f in zip(questions, first, strict=True) if q.kind == kind]))
                for kind in KINDS
            }  # fmt: skip
            rows.append(row)
    table(
        ["encoder", "mode", "bare", "in a question", *KINDS],
        [
            [
                row["encoder"],
                row["mode"],
                *(f"{row[f][0]:.1f} [{row[f][1]:.0f}, {row[f][2]:.0f}]" for f in ("bare", "in a question")),
                *(f"{row['kinds'][kind]:.0f}" for kind in KINDS),
            ]
            for row in rows
        ],
    )  # fmt: skip
    before = json.loads(arguments.before.read_text("utf-8"))["rows"] if arguments.before else []
    save("identifiers", {"machine": machine("numpy", "torch"), "seed": arguments.seed, "texts": len(texts),
                         "questions": len(questions), "rows": rows, "before": before})  # fmt: skip


if __name__ == "__main__":
    main()
