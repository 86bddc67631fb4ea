"""Files as people have them: every kind that is read, and what is said of those that cannot be."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import LoadError
from agentcl.files import Skipped, Source, count, load, load_stream

KEPT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(KEPT, min_size=1).filter(lambda text: bool(text.strip()))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def one(path: Path) -> Source:
    (source,) = load(path)
    return source


def test_plain_text_is_kept_exactly_and_named_after_its_file(write: Any) -> None:
    path = write("notes.txt", "  first\r\n\tsecond \n")
    assert one(path) == Source("  first\r\n\tsecond \n", "notes", path.as_posix(), "text/plain")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT.filter(lambda text: text.removeprefix("\ufeff").strip()))
def test_any_text_comes_back_from_a_file(write: Any, text: str) -> None:
    path = write("any.txt", text)
    assert one(path).text == text.removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood_and_left_out(write: Any, encoding: str) -> None:
    assert one(write("bom.txt", "Zoë's ferry".encode(encoding))).text == "Zoë's ferry"
    assert one(write("bom.csv", "text\nZoë\n".encode(encoding))).text == "Zoë"


def test_bytes_that_are_no_text_are_named_with_their_place(write: Any) -> None:
    path = write("latin.txt", "caf\xe9".encode("latin-1"))
    with pytest.raises(LoadError, match=r"latin\.txt is not UTF-8 text: .* at byte 3; convert"):
        list(load(path))
    with pytest.raises(LoadError, match="NUL at byte 2"):
        list(load(write("nul.txt", b"ab\0c")))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The *old* mole #\n\ntext", "The old mole"),
        ("intro\n\n## See [the map](map.md)\n", "See the map"),
        ("Harbour\n=======\n\ntext", "Harbour"),
        ("```\n# a comment in code\n```\n# Real\n", "Real"),
        ("---\ntitle: 'From the front'\ntags: [a]\n---\n# Other\n", "From the front"),
        ('+++\ntitle = "Toml"\n+++\ntext', "Toml"),
        ("no heading at all", "page"),
    ],
)
def test_the_title_of_markdown_is_its_first_heading(write: Any, text: str, title: str) -> None:
    source = one(write("page.md", text))
    assert (source.title, source.text, source.media_type) == (title, text, "text/markdown")


def test_restructured_text_has_a_title_too(write: Any) -> None:
    source = one(write("page.rst", "Harbour\n~~~~~~~\n\ntext"))
    assert (source.title, source.media_type) == ("Harbour", "text/x-rst")


PAGE = """<!doctype html><html><head><title>The  ferry
 times</title><style>p {color: red}</style></head><body>
<nav>Home | About</nav><main><h1>Ferry</h1><p>Leaves at&nbsp;<b>seven</b>.<br>Daily &amp; on time.</p>
<ul><li>bread</li><li>salt</li></ul><table><tr><td>a</td><td>b</td></tr></table>
<pre>  kept
    as it is</pre><script>alert(1)</script><!-- secret --></main><footer>(c)</footer></body></html>"""


def test_of_a_page_the_main_text_is_read(write: Any) -> None:
    source = one(write("page.html", PAGE))
    assert source.title == "The ferry times"
    assert source.media_type == "text/html"
    assert "Leaves at seven.\nDaily & on time." in source.text
    assert "bread\nsalt" in source.text
    assert "a\tb" in source.text
    assert "  kept\n    as it is" in source.text
    for left_out in ("Home", "alert", "secret", "color", "(c)"):
        assert left_out not in source.text


def test_a_page_that_declares_its_encoding_is_believed(write: Any) -> None:
    page = '<meta charset="windows-1252"><p>caf\xe9 \x93quoted\x94'.encode("latin-1")
    assert one(write("old.html", page)).text == "café “quoted”"


def test_markup_nested_without_end_does_not_harm(write: Any) -> None:
    assert one(write("deep.html", "<div>" * 5_000 + "bottom")).text == "bottom"


def pdf(text: str) -> bytes:
    """Return a PDF of one page with one line of text."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def rewritten(content: bytes, change: Callable[[pypdf.PdfWriter], object]) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_the_text_and_title_of_a_pdf(write: Any) -> None:
    content = rewritten(pdf("The ferry"), lambda w: w.add_metadata({"/Title": "Times"}))
    source = one(write("times.pdf", content))
    assert (source.text, source.title, source.media_type) == (
        "The ferry", "Times", "application/pdf",
    )  # fmt: skip


def test_a_pdf_that_cannot_be_read_says_why(write: Any) -> None:
    blank = pypdf.PdfWriter()
    blank.add_blank_page(100, 100)
    out = io.BytesIO()
    blank.write(out)
    with pytest.raises(
        LoadError, match="pages are blank, or pictures; if they are pictures, run text recognition"
    ):
        list(load(write("scan.pdf", out.getvalue())))
    with pytest.raises(LoadError, match="not a readable PDF"):
        list(load(write("torn.pdf", pdf("x")[:60])))
    locked = rewritten(pdf("x"), lambda w: w.encrypt("secret", algorithm="RC4-128"))
    with pytest.raises(LoadError, match="encrypted; save a copy without a password"):
        list(load(write("locked.pdf", locked)))


def test_each_json_line_is_a_document_and_the_rest_is_metadata(write: Any) -> None:
    rows = [
        {"text": "one", "title": "First", "id": "a", "year": 2020, "tags": ["x"]},
        {"Body": "two", "url": "http://x/y"},
        {"content": "three"},
    ]
    path = write("rows.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    first, second, third = load(path)
    assert (first.text, first.title, first.uri) == ("one", "First", f"{path.as_posix()}#a")
    assert first.metadata == {"year": 2020, "tags": ["x"]}
    assert (second.text, second.uri) == ("two", f"{path.as_posix()}#http://x/y")
    assert third.uri == f"{path.as_posix()}#row-3"


def test_two_rows_with_one_id_stay_two_documents(write: Any) -> None:
    path = write("rows.jsonl", '{"text": "a", "id": 7}\n{"text": "b", "id": 7}\n')
    assert len({source.uri for source in load(path)}) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, st.dictionaries(st.sampled_from(["a", "b"]), st.integers(-(2**53), 2**53)))
def test_any_row_comes_back_from_json_lines(
    write: Any, text: str, metadata: dict[str, int]
) -> None:
    source = one(write("any.jsonl", json.dumps({"text": text, **metadata})))
    assert (source.text, source.metadata) == (text, metadata)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{broken", "line 2 is not JSON"),
        ("[1]", "line 2 is a list"),
        ('{"title": "x"}', "line 2 has no string under text or content or body; it has: title"),
        ('{"text": 5}', "line 2 has no string"),
        ('{"text": "x", "n": NaN}', "NaN is not a JSON value"),
        ('{"text": "\\ud800"}', "line 2 cannot be kept"),
        ("[" * 100_000, "line 2 is not JSON"),
    ],
)
def test_a_bad_row_names_its_line(write: Any, line: str, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        list(load(write("rows.jsonl", f'{{"text": "fine"}}\n{line}\n')))


def test_a_table_with_a_text_column(write: Any) -> None:
    path = write("t.csv", 'title,text,year\nA,"two\nlines, ""quoted""",2020\nB,plain,2021\n')
    first, second = load(path)
    assert (first.text, first.title) == ('two\nlines, "quoted"', "A")
    assert second.metadata == {"year": "2021"}


def test_a_table_without_one_is_read_as_records(write: Any) -> None:
    assert (
        one(write("t.tsv", "name\tport\nPetrel\tTessary\n")).text == "name: Petrel\nport: Tessary"
    )
    assert one(write("s.csv", "name;price\nbread;1,20\n")).text == "name: bread\nprice: 1,20"
    assert one(write("tabs.csv", "name\tprice\nbread\t1,20\n")).text == "name: bread\nprice: 1,20"


@pytest.mark.parametrize("told", ["sep=;", "SEP=;", "sep=|"])
def test_a_line_for_the_spreadsheet_is_no_header(write: Any, told: str) -> None:
    row = told[-1].join
    table = f"{told}\r\n{row(['name', 'price'])}\r\n{row(['bread', '1,20'])}\r\n"
    assert one(write("told.csv", table)).text == "name: bread\nprice: 1,20"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2,3\n", r"row 1 \(line 2\) has 3 columns, and the header 2: a, b"),
        ("a,a\n1,2\n", "names a column twice: a"),
        ("", "first line must name the columns"),
        ('a,b\n1,"open\n', "not a valid table"),
    ],
)
def test_a_table_that_is_none_says_where(write: Any, text: str, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        list(load(write("t.csv", text)))


def test_a_very_long_cell_is_read(write: Any) -> None:
    long = "word " * 100_000
    out = io.StringIO()
    csv.writer(out).writerows([["text"], [long]])
    assert one(write("long.csv", out.getvalue())).text == long


def test_a_folder_is_read_in_order_and_what_is_left_out_is_said(write: Any, tmp_path: Path) -> None:
    write("in/b.md", "# B\n\ntext")
    write("in/a.txt", "a")
    write("in/deep/c.txt", "c")
    write("in/.hidden.txt", "hidden")
    write("in/.git/config.txt", "hidden")
    write("in/photo.png", b"\x89PNG")
    write("in/empty.txt", " \n")
    write("in/bad.txt", b"\xff\xfe\xff")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "gone.txt").symlink_to(tmp_path / "nowhere")
    skipped: list[Skipped] = []
    found = [source.text for source in load(tmp_path / "in", skipped=skipped)]
    assert found == ["a", "# B\n\ntext", "c"]
    reasons = {Path(note.path).name: note.reason for note in skipped}
    assert {Path(one.path).name for one in skipped if one.sort == "hidden"} == {
        ".git",
        ".hidden.txt",
    }
    assert set(reasons) - {".git", ".hidden.txt"} == {
        "photo.png", "empty.txt", "bad.txt", "loop", "gone.txt",
    }  # fmt: skip
    assert "no reader for .png" in reasons["photo.png"]
    assert reasons["empty.txt"] == "holds no text"
    assert reasons["bad.txt"].startswith("is ")  # its path is said once
    assert "link to a folder" in reasons["loop"]
    assert "does not exist" in reasons["gone.txt"]


def test_a_file_that_is_named_is_read_whatever_its_suffix(write: Any) -> None:
    assert one(write("Makefile.weird", "all: demo")).media_type == "text/plain"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"absent\.txt does not exist; check the path"):
        list(load(tmp_path / "absent.txt"))
    with pytest.raises(LoadError, match="does not exist"):
        count([tmp_path / "absent.csv"])


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_file_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    try:
        (tmp_path / "in" / os.fsdecode(b"caf\xe9.txt")).write_text("text")
    except OSError:
        pytest.skip("the file system refuses such a name")
    skipped: list[Skipped] = []
    assert list(load(tmp_path / "in", skipped=skipped)) == []
    assert "not UTF-8; rename the file" in skipped[0].reason


def test_standard_input_is_one_text_without_a_uri() -> None:
    source = load_stream(io.BytesIO(b"from a pipe\n"), "-")
    assert (source.text, source.uri) == ("from a pipe\n", "")
    with pytest.raises(LoadError, match="standard input holds no text"):
        load_stream(io.BytesIO(b" "), "-")


def test_the_count_for_progress_is_close(write: Any, tmp_path: Path) -> None:
    write("in/a.txt", "a")
    write("in/t.csv", "text\n1\n2\n")
    write("in/r.jsonl", '{"text": "x"}\n\n{"text": "y"}\n')
    assert count([tmp_path / "in", Path("-")]) == 6


def test_a_folder_is_not_left_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("a secret")
    (tmp_path / "in/deep/own.txt").write_text("mine")
    (tmp_path / "in/out.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "in/own.txt").symlink_to(tmp_path / "in/deep/own.txt")
    skipped: list[Skipped] = []
    texts = {source.text for source in load(tmp_path / "in", skipped=skipped)}
    assert texts == {"mine"}
    assert ["outside of the folder" in one.reason for one in skipped] == [True]
    assert next(load(tmp_path / "in/out.txt")).text == "a secret"
