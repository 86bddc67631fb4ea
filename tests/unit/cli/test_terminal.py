"""What the command line puts on a terminal: styles, tables, and bars."""

import os
import re
import time
from io import BytesIO, TextIOWrapper

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.cli.terminal import Bars, styled, table, write

try:
    import pty
except ImportError:  # Windows
    pty = None  # type: ignore[assignment]

CELLS = st.text(st.sampled_from("ab \n漢é"), max_size=60)


def test_columns_stand_under_their_names() -> None:
    shown = click.unstyle(table(("id", "what"), [("A", "ferry"), ("漢字", "boat")], most=None))
    assert shown.split("\n") == ["id    what", "A     ferry", "漢字  boat"]


def test_without_names_there_is_no_header() -> None:
    assert table(("", ""), [("folder", "x"), ("a", "y")], most=None) == "folder  x\na       y"


def test_a_table_without_rows_is_its_header() -> None:
    assert click.unstyle(table(("name", "size"), [], most=20)) == "name  size"


def test_a_cell_is_broken_between_words_and_an_id_is_not() -> None:
    shown = click.unstyle(table(("id", "what"), [("0" * 26, "the ferry to Tessary")], most=40))
    assert shown.split("\n")[1:] == ["0" * 26 + "  the ferry to", " " * 28 + "Tessary"]


def test_words_are_broken_last() -> None:
    rows = [("2026-11-29 15:57", "ferry"), ("2026-11-29 15:58", "a boat")]
    shown = click.unstyle(table(("recorded", "what"), rows, most=17))
    assert shown.split("\n")[1:] == [
        "2026-11-29  ferry",
        "15:57",
        "2026-11-29  a",
        "15:58       boat",
    ]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.integers(12, 50))
def test_no_line_is_wider_than_asked_and_no_letter_is_lost(
    rows: list[tuple[str, str]], most: int
) -> None:
    shown = table(("", ""), rows, most=most)
    for line in shown.split("\n"):
        assert len(line) + line.count("漢") <= most
    letters = re.sub(r"\s", "", shown)
    assert sorted(letters) == sorted(re.sub(r"\s", "", "".join(map("".join, rows))))


def test_a_text_styles_nothing_by_itself() -> None:
    assert click.unstyle(styled("\x1b[31mred\x1b[0m", bold=True)).count("[31mred") == 1
    assert "\x1b[31m" not in styled("\x1b[31mred", bold=True)
    assert "\x1b[31m" not in table(("", ""), [("\x1b[31mred", "")], most=None)


@pytest.mark.parametrize(("name", "is_styled"), [("FORCE_COLOR", True), ("NO_COLOR", False)])
def test_who_wants_styles_or_none_says_so(
    name: str, is_styled: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, "1")
    write(styled("word", bold=True))
    assert ("\x1b[1m" in capsys.readouterr().out) is is_styled


def test_bars_are_drawn_and_leave_nothing_behind() -> None:
    held = BytesIO()
    with Bars(TextIOWrapper(held, "utf-8"), is_shown=True) as bars:
        bars.add("reading", 12_000)
        other = bars.add("encoding", None)
        for done in range(3_000):  # until it is drawn, however slow the machine is
            other.update(1_234 + done, label=f"file {done}")
            if b"file " in held.getvalue():
                break
            time.sleep(0.02)
        with bars.aside():
            pass
    drawn = held.getvalue().decode()
    assert "0/12,000 00:00" in drawn
    assert "reading" in drawn
    assert re.search(r"1,2\d\d/\?", drawn)
    assert drawn.endswith(
        "\x1b[A\r" + " " * len(drawn.rpartition("\r")[2])
    )  # the first line is wiped last


@pytest.mark.skipif(pty is None, reason="needs terminals of POSIX")
def test_a_terminal_that_does_not_say_its_size_shows_bars() -> None:
    here, there = pty.openpty()  # 0 columns and 0 lines
    with os.fdopen(there, "w") as stream, Bars(stream, is_shown=True) as bars:
        bars.add("reading", 12)
        drawn = b""
        while b"reading" not in drawn and len(drawn) < 1_000:
            drawn += os.read(here, 1_000)
    os.close(here)


def test_a_bar_learns_how_much_there_is() -> None:
    held = BytesIO()
    with Bars(TextIOWrapper(held, "utf-8"), is_shown=True) as bars:
        bar = bars.add("reading", None)
        time.sleep(0.2)
        bar.update(5, 10)
        time.sleep(0.2)
        bar.advance()
    drawn = held.getvalue().decode()
    assert "5/10 " in drawn
    assert "6/10 " in drawn


def test_a_label_in_letters_that_a_terminal_lacks_is_drawn_without_them() -> None:
    held = BytesIO()
    with Bars(TextIOWrapper(held, "cp437"), is_shown=True) as bars:
        bars.add("漢字 ferry\x1b[31m", 3)
    drawn = held.getvalue().decode("cp437")
    assert "?? ferry" in drawn
    assert "\x1b[31m" not in drawn


def test_hidden_bars_write_nothing() -> None:
    held = BytesIO()
    with Bars(TextIOWrapper(held, "utf-8"), is_shown=False) as bars:
        bar = bars.add("reading", 3)
        bar.update(2, 5, label="x")
        bar.advance()
    assert held.getvalue() == b""
