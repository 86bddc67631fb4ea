"""What a file may take, and that one which takes more is refused with the limit that it met."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, LoadError
from agentcl.files import ReadLimits, Skipped, load, load_stream
from agentcl.files.limits import read_limits

Write = Callable[[str, str | bytes], Path]
PAGE = b"BT /F1 12 Tf 72 700 Td (Hello) Tj ET\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def pdf(content: bytes, *, pages: int = 1, count: int | None = None) -> bytes:
    """Return a PDF whose pages all show the same packed content."""
    packed = zlib.compress(content, 9)
    kids = b" ".join(b"3 0 R" for _ in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages if count is None else count),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    for number, held in enumerate(objects, start=1):
        out += b"%d 0 obj\n%s\nendobj\n" % (number, held)
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n0\n%%EOF"


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(LoadError) as caught:
        list(load(path, limits=ReadLimits(**limits)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "limits", "fault"),
    [
        ("a.txt", "x" * 1_000_001, {"megabytes": 1}, "has more than 1 megabytes"),
        ("a.md", "x" * 1_000_001, {"megabytes": 1}, "has more than 1 megabytes"),
        ("a.html", "x" * 1_000_001, {"megabytes": 1}, "has more than 1 megabytes"),
        ("a.eml", "Subject: a\n\n" + "x" * 1_000_001, {"megabytes": 1}, "has more than 1 mega"),
        (
            "a.jsonl",
            '{"text": "a"}\n"' + "x" * 1_000_001,
            {"megabytes": 1},
            "a line of more than 1",
        ),
        ("a.csv", "text\n" + "x" * 1_000_001, {"megabytes": 1}, "has a line of more than 1"),
        ("a.csv", "a,b,c\n", {"columns": 2}, "line 1 has 3 columns"),
        ("a.csv", 'a,b\n"x,y,z",' + "," * 9, {"columns": 2}, "line 2 has 11 columns"),
        ("a.pdf", pdf(PAGE, pages=3), {"pages": 2}, "has 3 pages"),
        ("a.pdf", pdf(PAGE * 9_000, pages=9), {"megabytes": 1}, "unpacks to more than 1 mega"),
        ("a.pdf", pdf(PAGE * 99_000, pages=20), {"seconds": 1}, "took more than 1 seconds"),
    ],
)
def test_what_takes_more_is_refused_with_its_limit_and_how_to_raise_it(
    write: Write, name: str, content: str | bytes, limits: dict[str, int], fault: str
) -> None:
    said = refusal(write(name, content), **limits)
    (limit,) = limits
    assert fault in said
    assert f"--allow {limit}=NUMBER" in said
    assert f"ReadLimits({limit}=NUMBER)" in said


def test_a_file_that_takes_too_much_memory_is_refused(write: Write) -> None:
    said = refusal(write("big.pdf", pdf(b" " * 70_000_000)), memory=150)
    assert "took more than 150 megabytes of memory" in said
    assert "--allow memory=NUMBER" in said


def test_one_bomb_in_a_folder_is_left_out_and_the_rest_is_read(write: Write) -> None:
    write("a.html", "<p>before")
    write("b.pdf", pdf(PAGE * 99_000, pages=20))
    write("c.html", "<p>after")
    skipped: list[Skipped] = []
    folder = write("d.txt", "text").parent
    found = [one.text for one in load(folder, skipped=skipped, limits=ReadLimits(seconds=5))]
    assert found == ["before", "after", "text"]
    assert "took more than 5 seconds" in skipped[0].reason


@pytest.mark.parametrize(
    "content",
    [
        pdf(b" " * 100_000_000),
        pdf(PAGE, count=999_999_999),
        pdf(PAGE).replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
        pdf(PAGE).replace(b"/FlateDecode", b"[" + b"/FlateDecode " * 20 + b"]"),
        pdf(PAGE)[:200],
    ],
)
def test_a_damaged_pdf_is_read_or_refused(write: Write, content: bytes) -> None:
    try:
        texts = [one.text for one in load(write("odd.pdf", content))]
    except LoadError:
        return
    assert texts == ["Hello"]


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<a ", "<a b='", "</", "<![CDATA[", "&#", "<script>", "<textarea>", "<p>", "<!", "<?"],
)
def test_unfinished_markup_takes_linear_time(write: Write, unit: str) -> None:
    (source,) = load(write("m.html", "<p>hi" + unit * 50_000))
    assert source.text.startswith("hi")


def test_a_cell_may_hold_more_commas_than_a_table_has_columns(write: Write) -> None:
    path = write("t.csv", 'a,text\n1,"' + "x, " * 50 + "\n" + "y, " * 50 + '"\n')
    (source,) = load(path, limits=ReadLimits(columns=3))
    assert source.text.count(",") == 100


@pytest.mark.parametrize("text", ["[" * 200_000, '{"text": "x", "n": ' + "9" * 100_000 + "}"])
def test_json_that_is_a_bomb_names_its_line(write: Write, text: str) -> None:
    assert "line 1 is not JSON" in refusal(write("a.jsonl", text))


def test_what_comes_through_a_pipe_is_bounded_too() -> None:
    with pytest.raises(LoadError, match="standard input has more than 1 megabytes"):
        load_stream(io.BytesIO(b"x" * 1_000_001), "-", limits=ReadLimits(megabytes=1))


def test_limits_are_named_and_are_whole_numbers() -> None:
    assert read_limits(("pages=20000", "seconds=60")) == ReadLimits(pages=20_000, seconds=60)
    for wrong in ("page=3", "pages", "pages=many", "pages=-1", "pages=0"):
        with pytest.raises(InvalidInput, match="pages"):
            read_limits((wrong,))
    negative: Any = {"seconds": 1.5}
    with pytest.raises(InvalidInput, match="seconds must be a whole number"):
        ReadLimits(**negative)
