"""A passage of a PDF knows its page, wherever it goes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentcl import Draft, Memory
from agentcl.cli.main import main
from agentcl.files import Skipped, load


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on each page; none where it is empty."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode() if text else b"0 0 9 9 re f"
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents %d 0 R /Resources << /Font << /F1"
            b" << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>" % (len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(pages))
    out = b"%PDF-1.4\n"
    for number, content in enumerate(objects, start=1):
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n0\n%%%%EOF" % (len(objects) + 1)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.pdf"
    path.write_bytes(pdf("The harbour is deep.", "", "The ferry leaves at seven.", "", "", "Bread"))
    return path


@pytest.fixture
def memory(tmp_path: Path, book: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add_many(
            Draft(text=one.text, title=one.title, uri=one.uri, media_type=one.media_type)
            for one in load(book)
        )
        yield memory


def page_of(memory: Memory, query: str) -> object:
    return memory.search(query, limit=1).hits[0].metadata.get("page")


def test_a_hit_carries_its_page(memory: Memory) -> None:
    assert page_of(memory, "harbour") == 1
    assert page_of(memory, "when does the ferry leave") == 3
    assert page_of(memory, "bread") == 6
    assert [hit.text.strip() for hit in memory.search("ferry", filters={"page": 3})] == [
        "The ferry leaves at seven."
    ]


def test_the_page_survives_an_update_and_an_export(memory: Memory, tmp_path: Path) -> None:
    (document,) = memory.list()
    memory.update(document.id, title="A book", metadata={"year": 1871})
    hit = memory.search("ferry", limit=1).hits[0]
    assert hit.metadata == {"page": 3, "year": 1871}
    memory.store.export(tmp_path / "all.jsonl")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.store.import_(tmp_path / "all.jsonl")
        assert page_of(other, "ferry") == 3


def test_who_gives_a_page_himself_keeps_it(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as memory:
        memory.add("One.\n\fTwo.", media_type="application/pdf", metadata={"page": "iv"})
        assert page_of(memory, "two") == "iv"
        memory.add("Three.\n\fFour.", media_type="text/plain")
        assert page_of(memory, "four") is None


def test_the_end_of_a_page_is_not_written_out_in_a_prompt(memory: Memory) -> None:
    prompt = memory.search("harbour", limit=1).prompt()
    assert "The harbour is deep." in prompt
    assert "\f" not in prompt
    assert "&#12;" not in prompt


def test_pages_without_text_are_named(book: Path) -> None:
    skipped: list[Skipped] = []
    (source,) = load(book, skipped=skipped)
    (note,) = skipped
    assert note.path.endswith("book.pdf")
    assert "pages 2, 4-5 of 6 without text, perhaps scanned; run text recognition" in note.reason
    assert source.text.split("\f")[2].strip() == "The ferry leaves at seven."


def test_the_command_line_shows_pages(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "cli"))
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        return done.output

    assert "in part: pages 2, 4-5 of 6 without text" in call("add", str(book))
    assert "\u00b7 page 3" in call("search", "ferry", "-n", "1")
    (hit,) = json.loads(call("search", "ferry", "-n", "1", "--json"))["hits"]
    assert hit["metadata"]["page"] == 3
    assert '"page": 3' in call("show", hit["id"])
    shown = call("show", str(book))
    assert "--- page 3 ---\nThe ferry leaves at seven." in shown
    assert "\ufffd" not in shown


def test_the_command_line_takes_limits(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("AGENTCL_PATH", str(tmp_path / "cli"))
    refused = CliRunner().invoke(main, ["add", str(book), "--allow", "pages=5"])
    assert refused.exit_code == 1
    assert "has 6 pages; 5 pages are allowed" in refused.output
    assert CliRunner().invoke(main, ["add", str(book), "--allow", "pages=6"]).exit_code == 0
    wrong = CliRunner().invoke(main, ["add", str(book), "--allow", "page=6"])
    assert wrong.exit_code == 1
    assert "did you mean 'pages'" in wrong.output
