"""Facts of other programs: read from three layouts, refused with the place when they are none."""

import gzip
import json
from pathlib import Path

import pytest

from agentcl import TransferError
from agentcl.memory.facts.files import OpenieDocument, Places, read
from agentcl.retrieval.graph.names import Extracted, Triple
from agentcl.store.records import Passage

HIPPORAG = {
    "docs": [
        {
            "idx": "chunk-1",
            "passage": "Ferry\nThe boat is steered by Ilka Renn.",
            "extracted_entities": ["Ilka Renn", 7],
            "extracted_triples": [["boat", "steered by", "Ilka Renn"], ["boat", "leaves"], "no"],
        }
    ]
}
WANTED = OpenieDocument(
    "Ferry\nThe boat is steered by Ilka Renn.",
    Extracted(("Ilka Renn",), (Triple("boat", "steered by", "Ilka Renn"),)),
    2,
)


def test_hipporags_layout_is_read_and_what_is_no_triple_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "openie.json"
    file.write_text(json.dumps(HIPPORAG))
    assert read(file) == [WANTED]
    packed = tmp_path / "openie.json.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert read(packed) == [WANTED]


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    text = "The boat\u2028 is\x85 steered\x1c by Ilka Renn."
    lines = tmp_path / "facts.jsonl"
    row = json.dumps(
        {"text": text, "facts": [["boat", "is steered by", "Ilka Renn"]]}, ensure_ascii=False
    )
    lines.write_bytes(f"{row}\r\n{row}\r\n".encode())
    (document, _) = read(lines)
    assert document.text == text
    table = tmp_path / "facts.tsv"
    table.write_bytes(f"{text}\tboat\tis steered by\tIlka Renn\r\n".encode())
    assert read(table)[0] == document


def test_json_lines_and_tsv_are_read(tmp_path: Path) -> None:
    lines = tmp_path / "facts.jsonl"
    row = {
        "title": "Ferry",
        "text": "The boat is steered by Ilka Renn.",
        "facts": [["boat", "steered by", "Ilka Renn"]],
        "phrases": ["Ilka Renn"],
    }
    lines.write_text(f"{json.dumps(row)}\n\n")
    assert [(d.text, d.found) for d in read(lines)] == [(WANTED.text, WANTED.found)]
    table = tmp_path / "facts.tsv"
    text = WANTED.text.replace("\n", "\\n")
    table.write_text(f"{text}\tboat\tsteered by\tIlka Renn\n{text}\tboat\tcrosses\tfjord\n")
    (document,) = read(table)
    assert document.text == WANTED.text
    assert len(document.found.facts) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("facts.json", '{"docs": [{"idx": 1}]}', "entry 0 of `docs` has no text"),
        ("facts.json", '{"facts": []}', "line 1 has no `text`"),
        ("facts.jsonl", '{"text": "a"}\nnot json', "line 2 is not JSON"),
        ("facts.tsv", "a\tb\tc", "line 1 has 3 columns"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_place(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(TransferError, match=message):
        read(file)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="cannot be read"):
        read(tmp_path / "absent.json")
    broken = tmp_path / "broken.json.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(TransferError, match="cannot be read"):
        read(broken)


def test_facts_of_a_long_text_go_to_the_passage_that_names_both_ends() -> None:
    texts = ("The boat is steered by Ilka Renn. ", "Ilka Renn was born in Mossling.")
    passages = [
        Passage(id=f"p{n}", sources=("d",), text=text, title="Ferry", ordinal=n)
        for n, text in enumerate(texts)
    ]
    facts = (
        Triple("Ilka Renn", "born in", "Mossling"),
        Triple("boat", "steered by", "Ilka Renn"),
        Triple("sheep", "kept in", "hills"),
    )
    whole = OpenieDocument("Ferry\n" + "".join(texts), Extracted(("Mossling",), facts))
    (first, of_first), (second, of_second) = Places(passages).find(whole)
    assert (first.id, second.id) == ("p0", "p1")
    assert of_first.facts == (facts[1], facts[2])
    assert of_second == Extracted(("Mossling",), (facts[0],))
    assert Places(passages).find(OpenieDocument("other", Extracted(()))) == []
