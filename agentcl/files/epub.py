"""Reading an EPUB book: its chapters, in the order in which they are read."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as XML

from agentcl.errors import LoadError
from agentcl.files.html import read_page
from agentcl.files.limits import ReadLimits
from agentcl.files.office import check_archive
from agentcl.files.source import Parsed, shorten
from agentcl.text.pages import join_pages

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTED: Final = "META-INF/encryption.xml"
_PAGES: Final = frozenset({"application/xhtml+xml", "text/html"})
_ERRORS: Final = (
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,  # an entry that needs a password
    SyntaxError,  # of XML
    ValueError,
)


def parse_epub(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return the chapters of a book, each a page (EPUB 3.3, sections 4.2 and 5).

    Raises:
        LoadError: if it is none, is protected, has no text, or unpacks to more than is allowed.
    """
    check_archive(raw, where, "an EPUB book", limits)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            if _ENCRYPTED in book.namelist():
                raise LoadError(f"{where} is protected against copying, and so against reading")
            package = _package(book)
            root = XML.fromstring(book.read(package))
            named = root.find("{*}metadata/{*}title")
            chapters = [read_page(_decoded(book.read(name)))[1] for name in _spine(root, package)]
    except _ERRORS as error:
        raise LoadError(
            f"{where} is not a readable EPUB book: {error or type(error).__name__}"
        ) from error
    if not any(chapters):
        raise LoadError(f"{where} holds no text: its pages are pictures")
    return Parsed(shorten("" if named is None else named.text), join_pages(filter(None, chapters)))


def _package(book: zipfile.ZipFile) -> str:
    """Return the name of the file that lists what is in the book. Raises LookupError."""
    for entry in XML.fromstring(book.read(_CONTAINER)).iterfind(".//{*}rootfile"):
        if path := entry.get("full-path"):
            return path
    raise LookupError("it does not say where its contents are listed")


def _spine(root: XML.Element, package: str) -> list[str]:
    """Return the names of the chapters in order. Raises KeyError if one is not listed."""
    items = {item.get("id"): item for item in root.iterfind("{*}manifest/{*}item")}
    chapters = [items[one.get("idref")] for one in root.iterfind("{*}spine/{*}itemref")]
    folder = posixpath.dirname(package)
    return [
        posixpath.normpath(posixpath.join(folder, unquote(one.get("href") or "")))
        for one in chapters
        if one.get("media-type") in _PAGES
    ]


def _decoded(page: bytes) -> str:
    is_wide = page.startswith((b"\xff\xfe", b"\xfe\xff"))
    return page.decode("utf-16" if is_wide else "utf-8-sig", "replace").replace("\0", "")
