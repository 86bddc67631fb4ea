"""Reading the text of a PDF, page by page."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import pypdf
from pypdf.errors import DependencyError, PyPdfError

from agentcl.errors import LoadError
from agentcl.files.limits import ReadLimits
from agentcl.files.source import Parsed, shorten
from agentcl.text.pages import join_pages
from agentcl.text.visible import paired

# What pypdf is known to raise, beside its own errors, for files that are damaged.
_PDF_ERRORS: Final = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_OCR: Final = "run text recognition (OCR) on it first"
_SHOWN: Final = 20  # runs of pages in a message


def parse_pdf(raw: bytes, where: str, limits: ReadLimits) -> Parsed:
    """Return the text of all pages, under the title that the file names; pages without text are named.

    Raises:
        LoadError: if it is no PDF, is encrypted, has no text, or takes more than is allowed.
    """
    try:
        reader = pypdf.PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            raise LoadError(f"{where} is encrypted; save a copy without a password")
        count = len(reader.pages)
        if count > limits.pages:
            limits.refuse(where, "pages", f"has {count:,} pages")
        pages = list(_texts(reader, where, limits))
        title = shorten(reader.metadata.title if reader.metadata else None)
    except DependencyError as error:
        raise LoadError(f"{where} is encrypted; save a copy without a password") from error
    except _PDF_ERRORS as error:
        raise LoadError(f"{where} is not a readable PDF: {error}") from error
    empty = [number for number, text in enumerate(pages, start=1) if not text]
    if len(empty) == len(pages):
        raise LoadError(
            f"{where} holds no text: its pages are blank, or pictures; if they are pictures, {_OCR}"
        )
    left_out = (f"{_named(empty)} of {count:,} without text, perhaps scanned; {_OCR}",)
    return Parsed(title, join_pages(pages), left_out if empty else ())


def _texts(reader: pypdf.PdfReader, where: str, limits: ReadLimits) -> Iterator[str]:
    unpacked = 0
    for page in reader.pages:
        contents = page.get_contents()
        unpacked += 0 if contents is None else len(contents.get_data())
        if unpacked > limits.bytes:
            fault = f"unpacks to more than {limits.megabytes:,} megabytes"
            limits.refuse(where, "megabytes", fault)
        text = page.extract_text()
        yield paired(text).replace("\0", "")


def _named(pages: Sequence[int]) -> str:
    """Return "page 2" or "pages 2, 5-7"."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][-1] == page - 1:
            runs[-1][1:] = [page]
        else:
            runs.append([page])
    shown = [*("-".join(map(str, run)) for run in runs[:_SHOWN]), *["..."] * (len(runs) > _SHOWN)]
    return f"page{'s' * (len(pages) > 1)} {', '.join(shown)}"
