from pathlib import Path

from agentcl import Memory
from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.lexical import Bm25

CHATTER = "What did you do when they were there?"
ANSWER = "Ilka: the kiln is hot since June."


def test_a_question_is_not_answered_by_its_function_words(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add_many([CHATTER, ANSWER])
        (hit,) = memory.search("When did they heat Ilka's kiln?", mode="text").hits
        assert hit.text == ANSWER


def test_a_question_of_function_words_alone_is_still_asked(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add_many([CHATTER, ANSWER])
        assert memory.search("what did you do?", mode="text").hits[0].text == CHATTER


def test_the_classical_baseline_asks_for_every_term(tmp_path: Path) -> None:
    baseline = Bm25(tmp_path / "bm25")
    baseline.add([Item("chatter", CHATTER), Item("answer", ANSWER)])
    found = baseline.recall("When did they heat Ilka's kiln?", limit=5)
    assert {item.id for item in found} == {"chatter", "answer"}
    baseline.close()
