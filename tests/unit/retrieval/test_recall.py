import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from agentcl import Hit, InvalidInput, Recall, Scope
from agentcl.retrieval.recall import ScorePart
from agentcl.text.tokens import estimate_tokens

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


def hit(text: str, title: str = "", uri: str = "") -> Hit:
    return Hit(
        id="p",
        document_id="d",
        text=text,
        title=title,
        uri=uri,
        score=1.0,
        parts=(ScorePart("text", 1, 3.5, 1.0),),
        scope=Scope(),
        metadata={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        valid_from=None,
        valid_to=None,
        seq=1,
        query="ferry times",
    )


def recall(*hits: Hit) -> Recall:
    return Recall("ferry times", hits, "text", "none", True, ("fulltext",), None)


@given(st.lists(TEXT, max_size=5), st.integers(0, 400))
def test_a_block_never_exceeds_its_budget(texts: list[str], budget: int) -> None:
    block = recall(*map(hit, texts)).prompt(budget_tokens=budget)
    assert estimate_tokens(block) <= budget or block == ""
    assert len(recall(*map(hit, texts)).prompt(budget_tokens=budget, count_tokens=len)) <= budget


@given(TEXT, TEXT, TEXT)
def test_stored_text_can_neither_leave_its_element_nor_change(
    text: str, title: str, uri: str
) -> None:
    block = recall(hit(text, title, uri), hit("second")).prompt(budget_tokens=1_000_000)
    assert block.count("<memory ") == block.count("</memory>") == 2
    assert block.count("<memories") == block.count("</memories>") == 1
    first = re.search(r"<memory [^>]*>\n(.*?)\n</memory>", block, re.DOTALL)
    assert first is not None
    shown = first.group(1)
    assert "<" not in shown
    # XML itself forbids most control characters, so those are compared by the escaping's own inverse.
    if all(char.isprintable() or char in "\n\t" for char in text + title + uri):
        (element, _) = ET.fromstring(block)
        assert element.text == f"\n{text}\n"
        assert element.get("title", "") == re.sub(r"[\n\t]", " ", title)


def test_a_hit_that_does_not_fit_is_cut_at_a_word() -> None:
    block = recall(hit("one two three " * 200)).prompt(budget_tokens=120)
    assert block.endswith("</memories>")
    assert " […]" in block
    assert re.search(r"(one|two|three) \[…\]\n</memory>", block)


def test_nothing_fits_nothing_is_said() -> None:
    assert recall(hit("text")).prompt(budget_tokens=3) == ""
    assert recall().prompt(budget_tokens=1_000) == ""
    with pytest.raises(InvalidInput, match="negative"):
        recall().prompt(budget_tokens=-1)


def test_a_hit_says_why() -> None:
    assert hit("The ferry leaves.").why() == "text #1 (3.500, adds 1.000); matched ferry"


@given(TEXT)
def test_the_estimate_errs_on_the_high_side(text: str) -> None:
    """Byte-pair tokenizers never make more tokens than bytes; spaces join the word after them."""
    assert estimate_tokens(text) <= len(text.encode()) + 1
    assert estimate_tokens(text * 2) >= estimate_tokens(text)


@given(TEXT, TEXT, TEXT)
def test_a_representation_is_short_and_a_table_in_a_notebook_is_inert(
    text: str, title: str, uri: str
) -> None:
    found = recall(hit(text, title, uri), hit("second"))
    assert len(repr(found.hits[0])) < 250
    assert len(repr(found).splitlines()) == 1
    page = BeautifulSoup(found._repr_html_(), "html.parser")
    assert {tag.name for tag in page.find_all()} == {"p", "table", "tr", "th", "td"}
    assert len(page.find_all("td")) == 10


def test_a_representation_says_what_was_asked_and_found() -> None:
    assert repr(recall(hit("x", "Times"))) == "Recall('ferry times': 1 hit, text, best 'Times')"
    assert repr(recall()) == "Recall('ferry times': 0 hits, text)"
    assert repr(hit("at seven")) == "Hit('at seven', score=1.000, id='p')"
    assert "ferry times" in recall(hit("at seven"))._repr_html_()
