"""Full text tells a reader nothing of what he may not read: scores are those of his entries alone."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import ANY, Memory
from agentcl.retrieval.index import Change, Entry, Match, Query
from agentcl.retrieval.modes import Mode
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.checks import check_view
from agentcl.store.records import Scope, ScopeView

WORDS = ["queue", "cache", "disk", "queue queue", "slow", "漏洞", "漏", "zebra", "the"]
VIEWS = [
    Scope().view(), Scope(user="ada").view(), Scope(user="bob", agent="bot").view(),
    check_view({"user": ANY}), check_view({"tenant": "acme", "user": ANY}),
]  # fmt: skip

scopes = st.builds(
    Scope,
    tenant=st.sampled_from(["", "", "acme"]),
    user=st.sampled_from(["", "ada", "bob"]),
    agent=st.sampled_from(["", "bot"]),
)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
# A text of a scope, of a new record or of one that is there already.
writes = st.lists(st.tuples(scopes, texts, st.integers(0, 30)), max_size=40)


def changes_of(written: Sequence[tuple[Scope, str, int]]) -> list[tuple[Scope, Change]]:
    return [
        (scope, Change(seq, f"{number}:{scope}", seq, entry(seq, f"{number}:{scope}", scope, text)))
        for seq, (scope, text, number) in enumerate(written, start=1)
    ]


def entry(seq: int, id: str, scope: Scope, text: str) -> Entry:
    return Entry(seq, id, "passage", scope, text, None, seq, None, None, {})


def found(
    changes: Iterable[Change],
    view: ScopeView,
    text: str,
    *,
    forgotten: Sequence[str] = (),
    limit: int = 5,
    is_cleared: bool = False,
) -> list[Match]:
    with tempfile.TemporaryDirectory() as folder:
        index = FullTextIndex(Path(folder))
        index.apply(list(changes), watermark=1_000_000)
        if forgotten:
            index.remove(forgotten)
            if is_cleared:
                index.clear()
        matches = index.search(Query(view=view, text=text), limit=limit)
        index.close()
    return matches


@settings(max_examples=60, deadline=None)
@given(
    writes,
    st.sampled_from(VIEWS),
    texts,
    st.integers(1, 10),
    st.sampled_from(["", "removed", "cleared"]),
)
def test_scores_are_the_same_as_if_nobody_else_had_any_entry(
    written: list[tuple[Scope, str, int]],
    view: ScopeView,
    text: str,
    limit: int,
    forgetting: str,
) -> None:
    changes = changes_of(written)
    own = [change for scope, change in changes if view.sees(scope)]
    forgotten = sorted({change.id for _, change in changes})[::3] if forgetting else []
    how: Any = {"forgotten": forgotten, "limit": limit, "is_cleared": forgetting == "cleared"}
    alone = found(own, view, text, **how)
    together = found((one for _, one in changes), view, text, **how)
    assert [one.score for one in together] == pytest.approx([one.score for one in alone])
    worst = min((one.score for one in alone), default=0.0)
    for one, other in (
        (alone, together),
        (together, alone),
    ):  # but for the last places, if they are equal
        surely = {match.id for match in one if match.score > worst * (1 + 1e-6)}
        assert surely <= {match.id for match in other}


def test_many_scopes_and_entries_of_others_change_no_score() -> None:
    rng = random.Random(0)
    common = [f"word{int(30 * rng.random() ** 2)}" for _ in range(20_000)]
    written = [
        (Scope(tenant="acme", user=f"user{n % 90}"), " ".join(common[8 * n : 8 * n + 8]), n)
        for n in range(2_000)
    ]
    written += [(Scope(tenant="other"), "word1 word2 " * 40, n) for n in range(700)]
    changes = changes_of(written)
    for view in (
        check_view({"tenant": "acme", "user": ANY}), Scope(tenant="acme", user="user3").view(),
    ):  # fmt: skip
        own = [change for scope, change in changes if view.sees(scope)]
        for text in ("word1 word7", "word29 word28 word2", "word0"):
            alone = found(own, view, text, limit=20)
            together = found((one for _, one in changes), view, text, limit=20)
            assert [one.score for one in together] == pytest.approx([one.score for one in alone])


def test_a_score_does_not_tell_whether_another_users_document_has_the_word(tmp_path: Path) -> None:
    scores = {}
    for name, secret in (
        ("with", "The diagnosis is diabetes."),
        ("without", "The weather is fine."),
    ):
        with Memory(tmp_path / name, encoder="hashing") as memory:
            memory.add("What diabetes is.", user="mallory")
            memory.add("What a cold is.", user="mallory")
            for n in range(5):
                memory.add(f"{secret} {n}", user="bob")
            hits = memory.search("diabetes", user="mallory", mode="text")
            scores[name] = [
                (hit.text, hit.score, [part.score for part in hit.parts]) for hit in hits
            ]
    assert scores["with"] == scores["without"]


@pytest.mark.parametrize(
    ("mode", "count"), [("text", 3_000), ("hybrid", 3_000), ("graph", 3_000), ("text", 40_000)]
)
def test_a_query_may_be_as_long_as_a_document(tmp_path: Path, mode: Mode, count: int) -> None:
    with Memory(tmp_path, encoder="hashing:16") as memory:
        memory.add("A ferry sails.", user="ada")
        memory.add("A ferry of others.", user="bob")
        words = " ".join(f"w{number}" for number in range(count))
        recall = memory.search(f"{words} ferry", mode=mode, user="ada")
        assert [hit.text for hit in recall] == ["A ferry sails."]


def test_the_weights_of_a_question_tell_nothing_of_what_others_have(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        for text in (
            "the ferry leaves",
            "the boat leaves",
            "a ferry and a boat",
            "nothing",
            "rain",
        ):
            memory.add(text, user="ada")
        before = memory.search("ferry zebra boat", user="ada").weights
        assert set(before) == {"ferry", "boat"}
        for number in range(20):
            memory.add(f"zebra ferry {number}", user="bob")
        assert memory.search("ferry zebra boat", user="ada").weights == pytest.approx(before)
        assert memory.search("ferry zebra", user="bob").weights.keys() == {"ferry", "zebra"}
