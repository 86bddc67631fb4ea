"""A question or situation of any length takes no more work than one of the length that is read."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.retrieval.modes import Mode
from agentcl.statements import RuleDigester
from agentcl.text.asked import MOST_READ

LONG = 200_000  # words
MODES: tuple[Mode, ...] = ("text", "dense", "hybrid", "graph")
FERRY = "The ferry sails at seven."


class Counted:
    """How often something was called."""

    calls = 0


@contextmanager
def counted() -> Iterator[Counted]:
    """Count calls, of what is written in C too: of SQLite, of expressions."""
    count = Counted()

    def note(frame: FrameType, event: str, argument: object) -> None:
        count.calls += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        yield count
    finally:
        sys.setprofile(None)


def words(count: int) -> str:
    """Return words, no two of them the same."""
    return " ".join(f"w{number}x" for number in range(count))


def asked(*, is_long: bool, beside: str = "ferry") -> str:
    count = LONG if is_long else MOST_READ // len("w1000x ")
    return f"{words(count)} {beside}"


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("long"), encoder="hashing:16") as memory:
        memory.add(FERRY, user="ada")
        memory.add("The ferry of others.", user="bob")
        for number in range(20):
            memory.lessons.add(f"When a queue is slow at gate {number}, drain it.", user="ada")
        memory.remember([{"role": "user", "content": "I live in Gent."}], user="eve")
        memory.scoped(user="eve").statements.digest(RuleDigester())
        for score in (1.0, 0.0):
            with memory.episode("t", application="ops", user="ada") as episode:
                episode.step(f"{words(LONG // 20)} a queue is slow", "drain it", "it runs")
                episode.finish(score)
        yield memory


def recalled(memory: Memory, text: str) -> object:
    with memory.episode("t", application="ops", user="ada", is_frozen=True) as episode:
        return episode.recall(text, documents=1, demonstrations=2).prompt()


def searched(memory: Memory, text: str, mode: Mode) -> object:
    recall = memory.search(text, mode=mode, user="ada")
    assert [hit.text for hit in recall] == [FERRY]
    assert recall.query == text
    return recall.prompt(), [hit.why() for hit in recall]


ACTS: dict[str, Callable[[Memory, str], object]] = {
    **{mode: partial(searched, mode=mode) for mode in MODES},
    "recall": recalled,
    "matching": lambda memory, text: memory.lessons.matching(text, user="ada"),
    "why not": lambda memory, text: memory.lessons.why_not(
        memory.lessons.list(user="ada")[0].guidance.id, text, user="ada"
    ),
    "episodes": lambda memory, text: memory.episodes.search(text, user="ada"),
    "statements": lambda memory, text: memory.statements.search(text, user="eve"),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_work_is_bounded(memory: Memory, act: str) -> None:
    work: list[int] = []
    for is_long in (False, False, True):  # the first time, indexes are opened
        text = asked(is_long=is_long, beside=f"{len(work)} ferry")  # vectors of questions are kept
        with counted() as count:
            ACTS[act](memory, text)
        work.append(count.calls)
    _, short, long = work
    assert long < 1.5 * short


def test_what_a_long_situation_ends_with_is_read(memory: Memory) -> None:
    text = asked(is_long=True, beside="a queue is slow at gate 7")
    found = [one.lesson.when for one in memory.lessons.matching(text, user="ada")]
    assert found == ["a queue is slow at gate 7"]


@pytest.mark.parametrize("command", [["search"], ["guidance", "match"]])
def test_the_work_of_a_command_is_bounded(memory: Memory, command: list[str]) -> None:
    work: list[int] = []
    for is_long in (False, False, True):
        text = asked(is_long=is_long, beside="ferry a queue is slow at gate 7")
        with counted() as count:
            ran = CliRunner().invoke(
                main, [*command, text, "--path", str(memory.path), "--user", "ada", "--json"]
            )
        assert ran.exit_code == 0, ran.output[-300:]
        assert "ferry" in ran.output or "gate 7" in ran.output
        work.append(count.calls)
    _, short, long = work
    assert long < 1.5 * short
