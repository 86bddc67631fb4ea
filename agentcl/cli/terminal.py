"""What the command line puts on a terminal: styled words, tables, and bars that say how far work is."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final, Self, TextIO

import click

from agentcl.text.visible import visible

_GAP: Final = "  "  # between columns
_BAR: Final = 40  # columns of a bar
_FRESH_S: Final = 0.25  # how old what a bar shows may be


def styled(text: str, *, color: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """Return a text in a style; what in the text itself would style or steer a terminal is replaced."""
    return click.style(visible(text), fg=color, bold=bold or None, dim=dim or None)


def write(text: str = "", *, is_error: bool = False) -> None:
    """Print a line; a stream that is no terminal gets it without styles, as does a user who wants none."""
    wanted = True if os.environ.get("FORCE_COLOR") else None
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    # The stream is named: one that is left to click turns into UTF-8, whatever the console can show.
    stream = sys.stderr if is_error else sys.stdout
    click.echo(text, file=stream, color=False if is_plain else wanted)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, most: int | None) -> str:
    """Return rows under the names of their columns, without lines.

    An id is never broken: it is what the next command takes.

    Args:
        columns: the names; where all are empty, there is no header.
        rows: a text for each column.
        most: how wide a line may be, in columns of a terminal. Cells are broken between words to keep it,
            the widest first. None: no cell is broken.
    """
    cells = [[visible(cell).split("\n") for cell in row] for row in rows]
    header = [[name] for name in columns]
    widths = [
        max((_width(line) for row in [header, *cells] for line in row[at]), default=0)
        for at in range(len(columns))
    ]
    if most is not None:
        widths = _narrowed(columns, widths, most - len(_GAP) * (len(columns) - 1))
        cells = [
            [[part for line in cell for part in _broken(line, width)] for cell, width in zip(row, widths, strict=True)]
            for row in cells
        ]  # fmt: skip
    lines = [line for row in cells for line in _lines(row, widths)]
    if any(columns):
        lines[:0] = [click.style(line, bold=True) for line in _lines(header, widths)]
    return "\n".join(lines)


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Return the lines of a row; a cell may have several."""
    return [
        _GAP.join(
            line + " " * (width - _width(line))
            for line, width in zip(
                (cell[at] if at < len(cell) else "" for cell in row), widths, strict=True
            )
        ).rstrip()
        for at in range(max(map(len, row)))
    ]


def _narrowed(columns: Sequence[str], widths: Sequence[int], most: int) -> list[int]:
    """Return widths that sum up to `most`, if columns that may be broken allow it."""
    narrow = list(widths)
    breakable = [at for at, name in enumerate(columns) if name != "id"]
    while sum(narrow) > most and breakable:
        widest = max(breakable, key=lambda at: narrow[at])
        if narrow[widest] <= max(_width(columns[widest]), 1):
            breakable.remove(widest)
        else:
            narrow[widest] -= 1
    return narrow


def _broken(line: str, width: int) -> list[str]:
    """Return a line in parts that are no wider, broken between words where that is possible."""
    parts = []
    while _width(line) > width:
        fitting = sum(end <= width for end in accumulate(map(_columns, line)))
        cut = line.rfind(" ", 1, fitting + 1)
        cut = cut if cut > 0 else max(fitting, 1)
        parts.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
    return [*parts, line]


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Bar:
    """How far one thing is. Made by `Bars.add`."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._started = time.monotonic()

    def update(self, done: int, total: int | None = None, *, label: str = "") -> None:
        """Say how much is done, and of how much; what is left out stays as it was."""
        self.done = done
        self.total = total or self.total
        self.label = label or self.label

    def advance(self, more: int = 1) -> None:
        """Say that so much more is done."""
        self.done += more

    def shown(self, sign: str, most: int) -> str:
        """Return it as one line of at most so many columns, the bar made of a sign."""
        spent = int(time.monotonic() - self._started)
        of = "?" if self.total is None else f"{self.total:,}"
        told = f"{self.done:,}/{of} {spent // 3600}:{spent // 60 % 60:02}:{spent % 60:02}"
        label = _broken(visible(self.label), max(most - len(told) - 2, 1))[0]
        whole = max(min(_BAR, most - len(told) - _width(label) - 2), 0)
        filled = min(whole, whole * self.done // self.total) if self.total else 0
        drawn = click.style(sign * filled, fg="green")
        return f"{label} {drawn}{click.style(sign * (whole - filled), dim=True)} {told}"


class Bars:
    """Bars at the end of a terminal, drawn anew while work goes on and taken away when it ends.

    Args:
        stream: the terminal.
        is_shown: False draws nothing.
    """

    def __init__(self, stream: TextIO, *, is_shown: bool) -> None:
        self._stream = stream
        self._is_shown = is_shown
        self._bars: list[Bar] = []
        self._drawn = 0  # lines
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._drawing = threading.Thread(target=self._draw_on, daemon=True)

    def add(self, label: str, total: int | None) -> Bar:
        """Show one more; a total of None is not known yet."""
        bar = Bar(label, total)
        self._bars.append(bar)
        return bar

    def __enter__(self) -> Self:
        if self._is_shown:
            self._drawing.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._is_shown:
            self._drawing.join()
        with self.aside():
            pass

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take what is drawn away while something else is printed; it comes back by itself."""
        with self._turn:
            if self._drawn:
                up = "\x1b[1A" * (self._drawn - 1)
                self._put(f"\r{up}\x1b[J")
                self._drawn = 0
            yield

    def _draw_on(self) -> None:
        is_unicode = (self._stream.encoding or "").lower().startswith("utf")
        while not self._ended.wait(_FRESH_S):
            most = shutil.get_terminal_size().columns - 1
            with self.aside():
                lines = [bar.shown("━" if is_unicode else "=", most) for bar in self._bars]
                self._put("\n".join(lines))
                self._drawn = len(lines)

    def _put(self, text: str) -> None:
        click.echo(text, file=self._stream, nl=False, color=True)
        self._stream.flush()
