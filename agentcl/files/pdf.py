"""Reading the text of a PDF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pypdf
from pypdf.errors import DependencyError, PyPdfError

from agentcl.errors import LoadError
from agentcl.files.source import Source, document, shorten, shown

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


def read_pdf(path: Path) -> Iterator[Source]:
    """Yield the text of all pages, under the title that the file names."""
    where = shown(path)
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise LoadError(f"{where} is encrypted; save a copy without a password")
        text = "\n\n".join(page.extract_text().strip() for page in reader.pages)
        title = shorten(reader.metadata.title if reader.metadata else None)
    except DependencyError as error:
        raise LoadError(f"{where} is encrypted; save a copy without a password") from error
    except _PDF_ERRORS as error:
        raise LoadError(f"{where} is not a readable PDF: {error}") from error
    if not text.strip():
        raise LoadError(
            f"{where} holds no text, only pictures; run text recognition (OCR) on it first"
        )
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    yield document(path, text, title, "application/pdf")
