"""The exact judge: which answers are the same, and what the way to a wrong one is worth."""

import pytest

from agentcl.envs.domains.excytin.cases import Case
from agentcl.envs.domains.excytin.grading import Verdict, is_same, judge_exactly, normalised
from agentcl.envs.domains.excytin.sql import QueryResult

PROCESS = "7472__2024-06-26t15:49:15.7860486z__powershell.exe -enc x"
QUESTION = Case(
    context="The host `ws-1` raised an alert.",
    question="Which file was encrypted?",
    answer="plan.docx",
    solution=(
        "On `ws-1` the account `ada` signed in from `10.0.0.7`.",
        "The account `ada` ran `tool.exe` at `2024-06-26T15:49:15.786Z`.",
        "It encrypted `plan.docx`.",
    ),
)


@pytest.mark.parametrize(
    ("submitted", "answer"),
    [
        ("Tool.EXE", "tool.exe"),
        ("  'tool.exe'. ", "tool.exe"),
        ("The file is `tool.exe`, run twice.", "tool.exe"),
        ("Answer: tool.exe", "tool.exe"),
        ("http://Evil.example/", "https://evil.example"),
        ("hxxps://evil[.]example", "evil.example"),
        ("c:\\\\x\\\\y.exe", "C:\\x\\y.exe"),
        ("2024-06-26 15:49:15", "2024-06-26T15:49:15.7860486Z"),
        ("06/26/2024 15:49:15 UTC", "2024-06-26t15:49:15+00:00"),
        ("b.exe and a.exe", "a.exe, b.exe"),
        (
            "7472, 2024-06-26 15:49:15",
            "Process ID: 7472, Created Time: 2024-06-26t15:49:15.7860486z",
        ),
        (PROCESS.upper(), PROCESS),
        ('"powershell.exe" -enc x', PROCESS),
        ("...", "..."),
    ],
)
def test_the_same_answer_in_other_words_is_right(submitted: str, answer: str) -> None:
    assert is_same(submitted, answer)


@pytest.mark.parametrize(
    ("submitted", "answer"),
    [
        ("", "tool.exe"),
        ("tool", "tool.exe"),
        ("tool.exe other.exe", "tool.exe"),
        ("tool.exe, other.exe", "tool.exe"),
        ("`tool.exe` or `other.exe`", "tool.exe"),
        ("7472", PROCESS),
        ("2024-06-26 15:49:16", "2024-06-26T15:49:15.99Z"),
        ("a.exe", "a.exe, b.exe"),
        (", ".join(map(str, range(12))), ", ".join(map(str, reversed(range(12))))),
        ("", "..."),
    ],
)
def test_another_answer_is_wrong(submitted: str, answer: str) -> None:
    assert not is_same(submitted, answer)


def test_normalising_twice_changes_nothing() -> None:
    for text in (PROCESS, "hxxp://A[.]b/", "06/26/2024 1:02:03", "\u201cx\u201d  y.", ""):
        assert normalised(normalised(text)) == normalised(text)


def found(*rows: tuple[str, ...], is_complete: bool = True) -> list[QueryResult]:
    return [QueryResult(rows, is_complete=is_complete)]


SECOND = ("Ada", "TOOL.exe", "2024-06-26 15:49:15")
FIRST = ("10.0.0.7", "ada")


@pytest.mark.parametrize(
    ("seen", "steps", "value"),
    [
        ([], (False, False), 0.0),
        (found(SECOND), (False, True), 0.4),
        (found(FIRST), (True, False), 0.16),
        (found(FIRST) + found(SECOND), (True, True), 0.56),
        (found(("ws-1", "10.0.0.77", "ada")), (False, False), 0.0),
        (found(("10.0.0.7",), ("ada",)), (False, False), 0.0),  # not in one row
        (found(SECOND, *[("x",)] * 9), (False, True), 0.4),
        (found(SECOND, *[("x",)] * 10), (False, False), 0.0),  # an enumeration
        (found(SECOND, is_complete=False), (False, False), 0.0),
    ],
)
def test_the_way_to_a_wrong_answer_earns_what_its_rows_show(
    seen: list[QueryResult], steps: tuple[bool, ...], value: float
) -> None:
    verdict = judge_exactly(QUESTION, "other.docx", seen)
    assert verdict == Verdict(False, steps)
    assert verdict.value == pytest.approx(value)


def test_the_right_answer_is_worth_all_and_none_nothing() -> None:
    assert judge_exactly(QUESTION, "Plan.docx", []).value == 1
    for none in (None, ""):
        assert judge_exactly(QUESTION, none, found(SECOND)).value == 0


def test_what_the_question_tells_already_is_no_finding() -> None:
    told = Case("The account `ada` is on `ws-1`.", "?", "x", ("`ada` used `ws-1`.", "`x`"))
    assert judge_exactly(told, "y", found(("ada", "ws-1"))).steps == (False,)


def test_credit_decays_from_the_answer_backwards() -> None:
    values = [Verdict(False, (True,) * count).value for count in range(4)]
    assert values == pytest.approx([0, 0.4, 0.56, 0.624])
