"""Files of other programs are named as what they are, whatever they are called."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from agentcl import LoadError
from agentcl.files import Skipped, load, load_stream


def zipped(*names: str, first: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in ("[Content_Types].xml", *names):
            archive.writestr(name, "<x/>" * 50_000)
    return out.getvalue()


def ole(stream: str) -> bytes:
    """Return the beginning of an OLE file whose directory stands in its third sector."""
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504)
    header[30:32], header[48:52] = (9).to_bytes(2, "little"), (2).to_bytes(4, "little")
    names = "".join(name.ljust(64, "\0") for name in ("Root Entry", stream))
    return bytes(header) + b"\0" * 1_024 + names.encode("utf-16-le") + b"\0" * 512


READ = {
    ".docx": zipped("docProps/app.xml", "word/document.xml"),
    ".xlsx": zipped("xl/workbook.xml"),
    ".pptx": zipped("ppt/slides/slide1.xml"),
    ".epub": zipped(first="application/epub+zip"),
}
FILES = {
    "an OpenDocument text": zipped(first="application/vnd.oasis.opendocument.text"),
    "an OpenDocument spreadsheet": zipped(first="application/vnd.oasis.opendocument.spreadsheet"),
    "an OpenDocument presentation": zipped(first="application/vnd.oasis.opendocument.presentation"),
    "a Pages document": zipped("Index/Document.iwa"),
    "an encrypted Office document": ole("EncryptedPackage"),
    "an RTF document": b"{\\rtf1\\ansi The ferry leaves.}",
    "a zip archive": zipped("notes.txt"),
    "a gzip archive": gzip.compress(b"text", mtime=0),
    "a PNG picture": b"\x89PNG\r\n\x1a\n\0",
}
OLD = {
    "a Word document": ole("WordDocument"),
    "an Excel workbook": ole("Workbook"),
    "a PowerPoint presentation": ole("PowerPoint Document"),
}


@pytest.mark.parametrize(
    "name", ["file.txt", "file.md", "file.csv", "file.jsonl", "file.html", "file.pdf", "file"]
)
@pytest.mark.parametrize(("what", "content"), [*FILES.items(), *OLD.items()])
def test_a_file_is_named_by_its_bytes(tmp_path: Path, name: str, what: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LoadError, match=rf"is {what}, which agentcl cannot read; "):
        list(load(path))


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("name", ["file.txt", "file.pdf", "file.doc", "file"])
def test_what_can_be_read_under_its_own_name_is_told_so(
    tmp_path: Path, name: str, suffix: str
) -> None:
    path = tmp_path / name
    path.write_bytes(READ[suffix])
    with pytest.raises(LoadError, match=rf"that is not called so; rename it to end in \{suffix}"):
        list(load(path))


@pytest.mark.parametrize(("what", "content"), [*FILES.items()])
def test_a_stream_is_too(what: str, content: bytes) -> None:
    with pytest.raises(LoadError, match=rf"standard input is {what}"):
        load_stream(io.BytesIO(content), "-")


@pytest.mark.parametrize(
    "suffix",
    [
        "doc",
        "xls",
        "ppt",
        "odt",
        "ods",
        "odp",
        "rtf",
        "pages",
        "numbers",
        "key",
        "msg",
    ],
)
def test_in_a_folder_they_are_named_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix.upper()}").write_bytes(b"x")
    skipped: list[Skipped] = []
    assert list(load(tmp_path, skipped=skipped)) == []
    assert "which agentcl cannot read; save it as" in skipped[0].reason


def test_a_pdf_that_is_not_called_so_is_told(tmp_path: Path) -> None:
    path = tmp_path / "paper.txt"
    path.write_bytes(b"%PDF-1.4\n...")
    with pytest.raises(
        LoadError, match=r"is a PDF that is not called so; rename it to end in \.pdf"
    ):
        list(load(path))


def test_text_under_an_unknown_suffix_is_still_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.odt"
    path.write_text("The ferry leaves at seven.")
    (source,) = load(path)
    assert source.text == "The ferry leaves at seven."


def test_what_other_programs_save_under_an_office_suffix_is_told(tmp_path: Path) -> None:
    path = tmp_path / "table.xls"
    path.write_text("<html xmlns:x='urn:x'><table><tr><td>1</table>")
    with pytest.raises(
        LoadError, match=r"is a page that is called \.xls; rename it to end in \.html"
    ):
        list(load(path))
    path.write_text('<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><Workbook/>')
    with pytest.raises(LoadError, match="is an Excel workbook"):
        list(load(path))


def test_an_archive_of_files_in_a_folder_called_xl_is_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "source.bin"
    path.write_bytes(zipped("src/xl/notes.txt"))
    with pytest.raises(LoadError, match="is a zip archive"):
        list(load(path))
