"""Reading the text of an HTML page."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from bs4.element import CData, NavigableString, PageElement

from agentcl.errors import LoadError
from agentcl.files.source import Source, document, shorten, shown
from agentcl.files.text import decode

# What may stand between two texts, by rising width; between a table's cells it is a tab.
_GAPS: Final = ["", " ", "\t", "\n", "\n\n"]
# Elements of a page by what they mean for its text.
_NOT_CONTENT: Final = re.compile(
    "head|script|style|noscript|template|nav|svg|iframe|object|button|select|dialog"
)
_LINE: Final = re.compile(
    "address|article|aside|body|br|dd|details|div|dt|fieldset|figcaption|figure|footer|form|header|hr"
    "|li|main|section|summary|tr"
)
_PARAGRAPH: Final = re.compile("blockquote|dl|h[1-6]|ol|p|pre|table|ul")
_CELL: Final = re.compile("td|th")


def read_html(path: Path) -> Iterator[Source]:
    """Yield the text of a page, under its title."""
    raw = path.read_bytes()
    try:
        markup = decode(raw, shown(path))
    except LoadError:
        declared = _decode_as_declared(raw)
        if declared is None:
            raise
        markup = declared
    title, text = _read_page(markup)
    yield document(path, text, shorten(title), "text/html")


def _read_page(markup: str) -> tuple[str, str]:
    """Return the title of a page (empty if it has none) and its text.

    Blocks begin lines, paragraphs are set apart by an empty line, preformatted text stays as it is.
    Scripts, navigation and the like are left out; of a page with a `<main>` only that is read.
    """
    markup = re.sub(r"\A\s*<\?xml.*?\?>", "", markup, flags=re.DOTALL)
    # Without a tag the parser takes a short text for a path given by mistake, and warns.
    soup = BeautifulSoup(markup if "<" in markup else f"<p>{markup}", "html.parser")
    named = soup.title or soup.find("h1")
    text = next(filter(None, map(_render, [*soup("main", limit=1), soup.body or soup])), "")
    return named.get_text(" ", strip=True) if named else "", text


def _decode_as_declared(raw: bytes) -> str | None:
    """Return a page decoded as it says itself that it is; None if it says nothing or is not."""
    declared = EncodingDetector.find_declared_encoding(raw, is_html=True)
    try:
        name = codecs.lookup(declared or "").name
        # Browsers read Latin-1 as its superset that Windows uses, so that is what pages are in.
        return raw.decode("cp1252" if name in ("iso8859-1", "ascii") else name)
    except (LookupError, UnicodeDecodeError):
        return None


def _render(root: PageElement) -> str:
    pieces: list[str] = []
    gap = ""  # the widest that was asked for since the last text
    pending: list[tuple[PageElement | str, bool]] = [(root, False)]  # with: is it preformatted?
    while pending:
        node, is_preformatted = pending.pop()
        asked = ""
        if isinstance(node, Tag):
            if _is_boilerplate(node):
                continue
            asked = "\n\n" if node.name == "br" and gap == "\n" else _gap(node.name)
            is_preformatted = is_preformatted or node.name in ("pre", "textarea")
            pending.append((asked, False))
            pending.extend((child, is_preformatted) for child in reversed(node.contents))
        elif isinstance(node, NavigableString):
            if type(node) not in (NavigableString, CData):  # a comment or the like
                continue
            text = str(node) if is_preformatted else " ".join(node.split())
            if text:
                before = " " if node[0].isspace() and not is_preformatted else ""
                pieces.extend([max(gap, before, key=_GAPS.index), text])
                gap = ""
            asked = " " if node[-1:].isspace() and not is_preformatted else ""
        elif isinstance(node, str):
            asked = node
        gap = max(gap, asked, key=_GAPS.index)
    lines = (line.rstrip() for line in "".join(pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _gap(name: str) -> str:
    """Return what stands between an element of this name and its neighbours."""
    if _PARAGRAPH.fullmatch(name):
        return "\n\n"
    if _LINE.fullmatch(name):
        return "\n"
    return "\t" if _CELL.fullmatch(name) else ""


def _is_boilerplate(node: Tag) -> bool:
    return (
        _NOT_CONTENT.fullmatch(node.name) is not None
        or node.has_attr("hidden")
        or node.get("role") in ("navigation", "search")
        or (node.name == "footer" and node.parent is not None and node.parent.name == "body")
    )
