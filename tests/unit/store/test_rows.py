"""What a row of the journal is made of."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentcl.store.checks import canonical_json
from agentcl.store.records import Extraction, Fact, Record, body
from agentcl.store.rows import body_json

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing(Record):
    """A record with fields of every kind that JSON has."""

    zeal: str = ""
    count: int = 0
    parts: list[Any] = field(default_factory=list)
    is_old: bool = False
    weight: float | None = None


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_the_body_of_a_fact_is_canonical_json(s: str, p: str, o: str, by: str) -> None:
    fact = Fact(id="x", subject=s, predicate=p, object=o, extractor=by)
    assert body_json(fact) == canonical_json(body(fact))


@given(TEXTS, st.integers(), st.lists(TEXTS), st.booleans(), st.none() | st.floats(0, 1))
def test_the_body_of_any_record_is_canonical_json(
    zeal: str, count: int, parts: list[str], is_old: bool, weight: float | None
) -> None:
    thing = Thing(id="x", zeal=zeal, count=count, parts=parts, is_old=is_old, weight=weight)
    assert body_json(thing) == canonical_json(body(thing))
    read = Extraction(id="x", extractor=zeal, text_hash="", phrases=tuple(parts))
    assert body_json(read) == canonical_json(body(read))
    assert body_json(Record(id="x")) == "{}"
