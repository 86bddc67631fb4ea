"""Texts that have pages: each page but the last ends with a form feed, as programs for PDF write it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PAGE_END: Final = "\f"
PDF: Final = "application/pdf"
SLIDES: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
WORKBOOK: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EPUB: Final = "application/epub+zip"
MEDIA_TYPES: Final = frozenset({PDF, SLIDES, WORKBOOK, EPUB})  # of texts that have pages


def join_pages(pages: Iterable[str]) -> str:
    """Return the texts of pages as one text."""
    return f"\n{PAGE_END}".join(page.replace(PAGE_END, "\n").strip() for page in pages)


def with_numbers(text: str) -> str:
    """Return a text of several pages to be shown: a line with its number begins each."""
    pages = text.split(PAGE_END)
    if len(pages) == 1:
        return text
    return "".join(f"--- page {number} ---\n{page}" for number, page in enumerate(pages, start=1))
