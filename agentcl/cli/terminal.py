"""What the command line puts on a terminal: styled words, tables, and bars that say how far work is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

import click

from agentcl.text.visible import visible

# What draws is imported where it is used: `--help` must not wait for it.
if TYPE_CHECKING:
    from tqdm import tqdm

_GAP: Final = "  "  # between columns
_BAR: Final = 30  # columns of a bar
_WORD: Final = 16  # columns of a word that is broken last


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


def open_closed() -> None:
    """Let what is printed to a stream that the caller closed (`>&-`) vanish, as it would in other programs.

    The first file that is opened would take the stream's place otherwise: a line meant for the caller would go there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(number)
                continue
            # A number that is free is the lowest one, since those below are in use by now.
            nothing = Path(os.devnull).open("w" if number else "r", encoding="utf-8")  # noqa: SIM115  # until the end
            setattr(sys, name, nothing)


def let_go() -> None:
    """Let what standard output does not take go, or Python would fail with it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, most: int | None) -> str:
    """Return rows under the names of their columns, without lines.

    An id is never broken: it is what the next command takes.

    Args:
        columns: the names; where all are empty, there is no header.
        rows: a text for each column.
        most: how wide a line may be, in columns of a terminal. Cells are broken between words to keep it,
            the widest first. None: no cell is broken.
    """
    from tqdm.utils import disp_len

    cells = [[visible(cell).split("\n") for cell in row] for row in rows]
    if any(columns):
        cells.insert(0, [[name] for name in columns])
    widths = [
        max(disp_len(line) for row in cells for line in row[at]) for at in range(len(columns))
    ]
    if most is not None:
        least = [widths[at] if name == "id" else disp_len(name) for at, name in enumerate(columns)]
        words = [
            max(
                (disp_len(word) for row in cells for line in row[at] for word in line.split()),
                default=0,
            )
            for at in range(len(columns))
        ]
        room = most - len(_GAP) * (len(columns) - 1)
        # Words are broken only where that is not enough.
        for bound in (list(map(max, least, (min(word, _WORD) for word in words))), least):
            widths = _narrowed(widths, bound, room)
        cells = [
            [
                [part for line in cell for part in _broken(line, room)]
                for cell, room in zip(row, widths, strict=True)
            ]
            for row in cells
        ]
    lines = [
        _GAP.join(
            part + " " * (room - disp_len(part)) for part, room in zip(parts, widths, strict=True)
        ).rstrip()
        for row in cells
        for parts in zip_longest(*row, fillvalue="")
    ]
    if any(columns):
        lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


def _narrowed(widths: Sequence[int], least: Sequence[int], most: int) -> list[int]:
    """Return widths that sum up to `most`, if columns may be so narrow; the widest give way first."""
    narrow = list(widths)
    while sum(narrow) > most:
        can = [at for at, width in enumerate(narrow) if width > max(1, least[at])]
        if not can:
            break
        narrow[max(can, key=lambda at: narrow[at])] -= 1
    return narrow


def _broken(line: str, most: int) -> list[str]:
    """Return a line in parts that are no wider, broken between words where that is possible."""
    from tqdm.utils import disp_len, disp_trim

    parts = []
    while disp_len(line) > most:
        fitting = disp_trim(line, most)
        is_whole = line[len(fitting) :].startswith(" ")
        cut = len(fitting) if is_whole else fitting.rfind(" ", 1)
        cut = cut if cut > 0 else max(len(fitting), 1)
        parts.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
    return [*parts, line]


class Bar:
    """How far one thing is. Made by `Bars.add`."""

    def __init__(self, drawn: tqdm[Any], encoding: str) -> None:
        self._drawn = drawn
        self._encoding = encoding

    def update(self, done: int, total: int | None = None, *, label: str = "") -> None:
        """Say how much is done, and of how much; what is left out stays as it was."""
        if total:
            self._drawn.total = total
            self._drawn.bar_format = _form(total)
        if label:
            said = visible(label).encode(self._encoding, "replace").decode(self._encoding)
            self._drawn.set_description_str(said, refresh=False)
        self.advance(done - int(self._drawn.n))

    def advance(self, more: int = 1) -> None:
        """Say that so much more is done."""
        self._drawn.update(more)


def _size(stream: TextIO) -> tuple[int, int]:
    """Return the columns and lines of a terminal; one that does not say has 80 and 24."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return columns or 80, lines or 24


def _form(total: int | None) -> str:
    """Return what a bar shows: the label last, so that a narrow terminal cuts it and no number."""
    of = "?" if total is None else f"{total:,}"
    return f"{{n:,}}/{of} {{elapsed}} {{bar:{_BAR}}} {{desc}}"


class Bars:
    """Bars at the end of a terminal, taken away when work ends.

    Args:
        stream: the terminal.
        is_shown: False draws nothing.
    """

    def __init__(self, stream: TextIO, *, is_shown: bool) -> None:
        self._stream = stream
        self._is_shown = is_shown
        self._bars: list[tqdm[Any]] = []

    def add(self, label: str, total: int | None) -> Bar:
        """Show one more; a total of None is not known yet."""
        from tqdm import tqdm

        columns, lines = _size(self._stream)
        drawn = tqdm(
            total=total,
            file=self._stream,
            disable=not self._is_shown,
            leave=False,
            ncols=columns - 1,
            nrows=lines,
            miniters=1,  # so that the first update after a long wait is drawn
            bar_format=_form(total),
        )
        self._bars.append(drawn)
        bar = Bar(drawn, self._stream.encoding or "ascii")
        bar.update(0, label=label)
        drawn.refresh()
        return bar

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for drawn in reversed(self._bars):
            drawn.close()

    def aside(self) -> AbstractContextManager[None]:
        """Take what is drawn away while something else is printed; it comes back by itself."""
        from tqdm import tqdm

        return tqdm.external_write_mode(file=self._stream)
