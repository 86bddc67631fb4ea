"""Reading the text of an HTML page: what a reader of the page would see of it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from justhtml import JustHTML

from agentcl.errors import LoadError
from agentcl.files.hidden import background, is_hidden
from agentcl.files.limits import ReadLimits
from agentcl.files.sheets import Sheets, is_sheet
from agentcl.files.source import Parsed, shorten
from agentcl.files.text import decode

Node = Any  # of the parser, which names no type for it
# What may stand between two texts, by rising width; between a table's cells it is a tab.
_GAPS: Final = ["", " ", "\t", "\n", "\n\n"]
# Elements of a page by what they mean for its text.
_NOT_CONTENT: Final = frozenset(
    "head script style noscript template nav svg iframe object button select dialog".split()  # noqa: SIM905
)
_LINE: Final = frozenset(
    """
    address article aside body br dd details div dt fieldset figcaption figure footer form header hr li main
    section summary tr
    """.split()  # noqa: SIM905
)
_PARAGRAPH: Final = frozenset(
    "blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul".split()  # noqa: SIM905
)
_CELL: Final = frozenset(("td", "th"))
_DECLARED: Final = re.compile(
    rb"(?:<\?xml[^<>]{0,200}\bencoding|<meta[^<>]{0,200}\bcharset)\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})",
    re.IGNORECASE,
)
_DECLARATIONS: Final = 4_096  # bytes in which a page says what it is encoded in


def parse_html(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return the text of a page, under its title. Raises LoadError if its bytes are no text."""
    try:
        markup = decode(raw, where)
    except LoadError:
        declared = _decode_as_declared(raw)
        if declared is None:
            raise
        markup = declared
    return Parsed(*read_page(markup))


def read_page(markup: str) -> tuple[str, str]:
    """Return the title of a page (empty if it has none) and its text.

    Blocks begin lines, paragraphs are set apart by an empty line, preformatted text stays as it is.
    Left out are scripts, navigation and the like, and what the page hides from its readers; of a page with
    a `<main>` only that is read. Of a page that its style sheets hide altogether, until a script shows it, all is read.
    """
    root = JustHTML(markup, sanitize=False).root
    body = next(_elements(root, "body"), root)
    named = next(_elements(root, "title"), None) or next(_elements(body, "h1"), None)
    sheets = Sheets(_sheets(root))
    ways = [sheets, Sheets()] if sheets else [sheets]
    text = next(filter(None, (_render(one, way) for way in ways for one in _roots(body, way))), "")
    return "" if named is None else shorten(_title(named)), text


def _title(node: Node) -> str:
    return _render(node, Sheets()) or ""


def _roots(body: Node, sheets: Sheets) -> Iterator[Node]:
    """Yield what is read of a page, the next one if there is no text in it."""
    mains = _elements(body, "main")
    yield from islice((one for one in mains if not (is_hidden(one) or sheets.hides(one))), 1)
    yield body


def _sheets(root: Node) -> Iterator[str]:
    """Yield the style sheets that stand in a page, but those for readers without scripts."""
    for node in _elements(root, "style"):
        if is_sheet(node.attrs or {}) and (node.parent is None or node.parent.name != "noscript"):
            yield "".join(one.data or "" for one in node.children or () if one.name == "#text")


def _elements(root: Node, name: str) -> Iterator[Node]:
    """Yield the elements of a name, in their order in the page."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.name == name:
            yield node
        if node.name not in ("svg", "template"):
            pending.extend(reversed(node.children or ()))


def _decode_as_declared(raw: bytes) -> str | None:
    """Return a page decoded as it says itself that it is; None if it says nothing or is not."""
    declared = _DECLARED.search(raw[:_DECLARATIONS])
    try:
        name = codecs.lookup(declared[1].decode("ascii") if declared else "").name
        # Browsers read Latin-1 as its superset that Windows uses, so that is what pages are in.
        return raw.decode("cp1252" if name in ("iso8859-1", "ascii") else name)
    except (LookupError, UnicodeError):
        return None


def _render(root: Node, sheets: Sheets) -> str:
    pieces: list[str] = []
    gap = ""  # the widest that was asked for since the last text
    # A gap, or a node with: is it preformatted, and what is the colour behind it?
    pending: list[tuple[Node | str, bool, str]] = [(root, False, "")]
    while pending:
        node, is_preformatted, behind = pending.pop()
        asked = ""
        if isinstance(node, str):
            asked = node
        elif node.name == "#text":
            data = node.data or ""
            text = data if is_preformatted else " ".join(data.split())
            if text:
                before = " " if data[0].isspace() and not is_preformatted else ""
                pieces.extend([max(gap, before, key=_GAPS.index), text])
                gap = ""
            asked = " " if data[-1:].isspace() and not is_preformatted else ""
        elif node.name[0] not in "#!" or node.name.startswith("#document"):
            if _is_boilerplate(node) or is_hidden(node, behind) or sheets.hides(node):
                continue
            asked = "\n\n" if node.name == "br" and gap == "\n" else _gap(node.name)
            is_preformatted = is_preformatted or node.name in ("pre", "textarea")
            behind = background(node) or behind
            pending.append((asked, False, ""))
            children = reversed(node.children or ())
            pending.extend((child, is_preformatted, behind) for child in children)
        gap = max(gap, asked, key=_GAPS.index)
    lines = (line.rstrip() for line in "".join(pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _gap(name: str) -> str:
    """Return what stands between an element of this name and its neighbours."""
    if name in _PARAGRAPH:
        return "\n\n"
    if name in _LINE:
        return "\n"
    return "\t" if name in _CELL else ""


def _is_boilerplate(node: Node) -> bool:
    return (
        node.name in _NOT_CONTENT
        or (node.attrs or {}).get("role") in ("navigation", "search")
        or (node.name == "footer" and node.parent is not None and node.parent.name == "body")
    )
