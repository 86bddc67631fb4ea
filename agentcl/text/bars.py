"""Loading without the progress bars of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_bars() -> Iterator[None]:
    """Load without the bars that transformers draws on standard error, unless they are off already.

    Raises:
        ImportError: if transformers is not installed.
    """
    from transformers.utils import logging as untyped

    drawn: Any = untyped
    if not drawn.is_progress_bar_enabled():
        yield
        return
    drawn.disable_progress_bar()
    try:
        yield
    finally:
        drawn.enable_progress_bar()
