"""What a file is by its first bytes, whatever it is called: those that no reader here can read are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from agentcl.errors import LoadError

HEAD: Final = 4_096  # bytes at the beginning that tell what a file is
_TAIL: Final = 65_536  # bytes at the end, where an archive lists what is in it
_SAVE: Final = "save it as PDF, HTML or text and add that"
_UNPACK: Final = "unpack it and add what is in it"
_PICTURE: Final = "run text recognition (OCR) on it and add the text"

# What a file called so is, in words, and what to do with it.
_OFFICE: Final = {
    ".doc": "a Word document",
    ".docx": "a Word document",
    ".docm": "a Word document",
    ".dotx": "a Word template",
    ".xls": "an Excel workbook",
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".xlsb": "an Excel workbook",
    ".ppt": "a PowerPoint presentation",
    ".pptx": "a PowerPoint presentation",
    ".pptm": "a PowerPoint presentation",
    ".odt": "an OpenDocument text",
    ".ods": "an OpenDocument spreadsheet",
    ".odp": "an OpenDocument presentation",
    ".rtf": "an RTF document",
    ".pages": "a Pages document",
    ".numbers": "a Numbers spreadsheet",
    ".key": "a Keynote presentation",
    ".msg": "an Outlook message",
    ".epub": "an EPUB book",
}
_MAILBOX: Final = ("a mailbox", "save each of its messages as .eml and add those")
_READ: Final = frozenset({".docx", ".xlsx", ".pptx", ".epub"})  # by what they are called
# What an archive is by the name of a file in it; the first that is found counts.
_IN_ZIP: Final = (
    (b"mimetypeapplication/vnd.oasis.opendocument.text", ".odt"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", ".ods"),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", ".odp"),
    (b"mimetypeapplication/epub+zip", ".epub"),
    (b"word/document", ".docx"),
    (b"xl/workbook", ".xlsx"),
    (b"xl/sharedStrings", ".xlsx"),
    (b"xl/worksheets/", ".xlsx"),
    (b"ppt/presentation", ".pptx"),
    (b"ppt/slides/", ".pptx"),
    (b"Index/Slide", ".key"),
    (b"Index/CalculationEngine", ".numbers"),
    (b"Index/Document.iwa", ".pages"),
)
# What an OLE file is by the name of a stream in it.
_IN_OLE: Final = (
    ("EncryptedPackage", "an encrypted Office document"),
    ("WordDocument", _OFFICE[".doc"]),
    ("Workbook", _OFFICE[".xls"]),
    ("Book", _OFFICE[".xls"]),
    ("PowerPoint Document", _OFFICE[".ppt"]),
    ("__substg1.0_", _OFFICE[".msg"]),
)
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS: Final = (
    (b"{\\rtf", _OFFICE[".rtf"], _SAVE),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89PNG", "a PNG picture", _PICTURE),
    (b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    (b"GIF8", "a GIF picture", _PICTURE),
    (b"II*\0", "a TIFF picture", _PICTURE),
    (b"MM\0*", "a TIFF picture", _PICTURE),
    (b"SQLite format 3\0", "an SQLite database", "export its tables as CSV and add those"),
)
_OFFICE_XML: Final = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?<\?xml[^<>]{0,200}>\s{0,99}<\?mso-application"
)
_HTML: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?<(?:!doctype )?html\b", re.IGNORECASE)
_PDF: Final = re.compile(rb"\s*%PDF-")
_MOST_SECTORS: Final = 1 << 20


def named_as(suffix: str) -> str | None:
    """Return what is said of a file that has such a suffix and no reader; None if it may be text."""
    office = {} if suffix in _READ else _OFFICE
    what, advice = _MAILBOX if suffix == ".mbox" else (office.get(suffix), _SAVE)
    return what and f"is {what} by its suffix, which agentcl cannot read; {advice}"


def refuse_foreign(file: BinaryIO, head: bytes, where: str, suffix: str = "") -> None:
    """Raise the error of a file that is of another kind than text, by its first bytes.

    Args:
        file: where it can be moved, it stands afterwards where it stood.
        head: its first bytes.
        where: its name.
        suffix: of its name, in small letters.

    Raises:
        LoadError: saying what it is, and what to do.
    """
    own = _zipped(file, head, suffix) if head.startswith(_ZIP) else ""
    if own in _READ and own != suffix:
        raise LoadError(
            f"{where} is {_OFFICE[own]} that is not called so; rename it to end in {own}"
        )
    for what, advice in () if own in _READ else _found(file, head, suffix, own):
        raise LoadError(f"{where} is {what}, which agentcl cannot read; {advice}")
    if suffix != ".pdf" and _PDF.match(head):
        raise LoadError(f"{where} is a PDF that is not called so; rename it to end in .pdf")
    if suffix in _OFFICE and _HTML.match(head):
        raise LoadError(f"{where} is a page that is called {suffix}; rename it to end in .html")


def _zipped(file: BinaryIO, head: bytes, suffix: str) -> str:
    """Return what an archive should be called by what is in it; what it is called, where that tells nothing."""
    names = head + _end(file)
    return next((kind for mark, kind in _IN_ZIP if mark in names), suffix)


def _found(file: BinaryIO, head: bytes, suffix: str, own: str) -> Iterator[tuple[str, str]]:
    """Yield what a file is, if it is known, and what to do with it."""
    if head.startswith(_ZIP):
        yield (_OFFICE[own], _SAVE) if own in _OFFICE else ("a zip archive", _UNPACK)
    if head.startswith(_OLE):
        names = head + _directory(file, head)
        found = (what for mark, what in _IN_OLE if mark.encode("utf-16-le") in names)
        yield next(found, _OFFICE.get(suffix, "an Office document of before 2007")), _SAVE
    if _OFFICE_XML.match(head):
        yield _OFFICE.get(suffix, "an Office document in XML"), _SAVE
    if suffix == ".mbox":
        yield _MAILBOX
    for mark, what, advice in _OTHERS:
        if head.startswith(mark):
            yield what, advice


def _end(file: BinaryIO) -> bytes:
    """Return the end of a file; of one that cannot be moved, what comes next."""
    if not file.seekable():
        return file.read(_TAIL)
    place = file.tell()
    file.seek(max(0, file.seek(0, 2) - _TAIL))
    end = file.read(_TAIL)
    file.seek(place)
    return end


def _directory(file: BinaryIO, head: bytes) -> bytes:
    """Return the names of the streams of an OLE file: from the sector that its header names."""
    shift, sector = head[30:31], int.from_bytes(head[48:52], "little")
    if not file.seekable() or shift not in (b"\x09", b"\x0c") or sector > _MOST_SECTORS:
        return b""
    place = file.tell()
    file.seek((sector + 1) << shift[0])
    names = file.read(HEAD)
    file.seek(place)
    return names
