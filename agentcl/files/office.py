"""Reading the text of Word, PowerPoint and Excel files, as their readers see it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, Final

from agentcl.errors import LoadError
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Parsed, shorten
from agentcl.text.pages import join_pages
from agentcl.text.visible import paired

# What the parsers are known to raise for files that are damaged.
_ERRORS: Final = (
    zipfile.BadZipFile,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    SyntaxError,  # of XML
    TypeError,
    ValueError,
)
_EXTRA: Final = "pip install 'agentcl[office]'"
_GROUP: Final = 6  # a shape that holds others, as PowerPoint numbers it


def parse_word(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return the paragraphs and tables of a Word document, in order; text that it hides is left out.

    Raises:
        LoadError: if it is none, or unpacks to more than is allowed, or its parser is not installed.
    """
    try:
        import docx
        from docx.table import Table
    except ImportError as error:
        raise _missing(where, "Word", "python-docx") from error
    check_archive(raw, where, "a Word document", limits)
    try:
        document = docx.Document(io.BytesIO(raw))
        blocks = [
            _table([[cell.text for cell in row.cells] for row in block.rows])
            if isinstance(block, Table)
            else _paragraph(block)
            for block in document.iter_inner_content()
        ]
        title = shorten(document.core_properties.title)
    except _ERRORS as error:
        raise _damaged(where, "Word document", error) from error
    return Parsed(title or _first_heading(blocks), _clean("\n\n".join(filter(None, blocks))))


def _paragraph(paragraph: Any) -> str:  # noqa: ANN401  # of the parser, as all here
    text = "".join(
        run.text for run in paragraph.iter_inner_content() if not _is_hidden(run)
    ).strip()
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    level = style.removeprefix("Heading ")
    if text and style == "Title":
        return f"# {text}"
    return f"{'#' * int(level)} {text}" if text and level in set("123456") else text


def _is_hidden(run: Any) -> bool:  # noqa: ANN401
    font = getattr(run, "font", None)  # a link has none
    return font is not None and bool(font.hidden)


def _first_heading(blocks: Iterable[str]) -> str:
    return next((shorten(block.lstrip("# ")) for block in blocks if block.startswith("#")), "")


def parse_slides(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return what the slides of a presentation say, each a page, with its notes; hidden ones are named.

    Raises:
        LoadError: as `parse_word`.
    """
    try:
        import pptx
    except ImportError as error:
        raise _missing(where, "PowerPoint", "python-pptx") from error
    check_archive(raw, where, "a PowerPoint presentation", limits)
    try:
        slides = pptx.Presentation(io.BytesIO(raw))
        pages, hidden = list[str](), list[int]()
        for number, slide in enumerate(slides.slides, start=1):
            if slide.element.get("show") == "0":
                hidden.append(number)
                pages.append("")
            else:
                pages.append(_clean("\n\n".join(filter(None, _said(slide)))))
        title = shorten(slides.core_properties.title)
    except _ERRORS as error:
        raise _damaged(where, "PowerPoint presentation", error) from error
    left_out = (f"slide{'s' * (len(hidden) > 1)} {', '.join(map(str, hidden))} hidden",)
    return Parsed(title, join_pages(pages), left_out if hidden else ())


def _said(slide: Any) -> Iterator[str]:  # noqa: ANN401
    yield from _texts(slide.shapes)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        if notes:
            yield f"Notes: {notes}"


def _texts(shapes: Any) -> Iterator[str]:  # noqa: ANN401
    for shape in shapes:
        if shape.shape_type == _GROUP:
            yield from _texts(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text.strip()
        elif shape.has_table:
            yield _table([[cell.text for cell in row.cells] for row in shape.table.rows])


def parse_workbook(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return the cells of a workbook: each sheet a page, each row a line; hidden sheets are named.

    Formulas are read as the values that the last program to save them computed.

    Raises:
        LoadError: as `parse_word`, and if a sheet has too many columns.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise _missing(where, "Excel", "openpyxl") from error
    check_archive(raw, where, "an Excel workbook", limits)
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        pages, hidden = list[str](), list[str]()
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                hidden.append(sheet.title)
                continue
            text = _table(_rows(sheet, where, limits))
            pages.append(_clean(f"# {sheet.title}\n\n{text}") if text else "")
        title = shorten(book.properties.title)
    except _ERRORS as error:
        raise _damaged(where, "Excel workbook", error) from error
    left_out = (f"sheet{'s' * (len(hidden) > 1)} {', '.join(hidden)} hidden",)
    return Parsed(title, join_pages(pages), left_out if hidden else ())


def _rows(sheet: Any, where: str, limits: ReadLimits) -> Iterator[list[str]]:  # noqa: ANN401
    sheet.reset_dimensions()  # what it says of its size may be far from what it holds
    for row in sheet.iter_rows(values_only=True):
        if len(row) > limits.columns:
            limits.refuse(where, "columns", f"has {len(row):,} columns")
        yield [_shown(cell) for cell in row]


def _shown(value: object) -> str:
    """Return a cell's value as it is read: whole numbers without a point, days without a time."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).removesuffix(" 00:00:00")


def _table(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as lines, with a tab between cells; empty rows and empty ends are left out."""
    lines = ("\t".join(" ".join(cell.split()) for cell in row).rstrip() for row in rows)
    return "\n".join(line for line in lines if line.strip())


def check_archive(raw: bytes, where: str, what: str, limits: ReadLimits) -> None:
    """Refuse an archive that unpacks to more than is allowed, by what it says itself.

    Raises:
        LoadError: naming the limit, or that it is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise LoadError(f"{where} is not {what} that can be read: {error}") from error
    if size > limits.bytes:
        limits.refuse(where, "megabytes", f"unpacks to {size:,} bytes")


def _clean(text: str) -> str:
    return paired(text).replace("\0", "")


def _missing(where: str, program: str, package: str) -> LoadError:
    return LoadError(f"{where} is a file of {program}; to read it, install {package}: {_EXTRA}")


def _damaged(where: str, what: str, error: Exception) -> LoadError:
    return LoadError(f"{where} is not a readable {what}: {error or type(error).__name__}")
