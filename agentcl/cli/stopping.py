"""Ending a command before its end: by Ctrl-C, in two steps where work is long, or by the signals of the system."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

import click

# What `docker stop`, a service manager, a time limit or a closed terminal send; Windows has only some of them
_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class _Ended(SystemExit):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    raise _Ended(number)


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Let Ctrl-C end this process as SIGTERM does, where a thread that waits for standard input would keep it."""
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def put_away_when_ended() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind what is under way, as Ctrl-C does, before they end this process.

    So no half-written file, with what a memory holds, stays where nobody looks for it. The second signal ends the process
    at once. What somebody ignores, as nohup does, stays ignored.
    """
    is_main = (
        threading.current_thread() is threading.main_thread()
    )  # no other may say what signals do
    before = {number: signal.getsignal(number) for number in _ENDING if is_main}
    taken = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    except _Ended as ended:
        with suppress(OSError, ValueError):  # nobody may read any more
            sys.stdout.flush()
        signal.signal(ended.number, signal.SIG_DFL)
        os.kill(os.getpid(), ended.number)  # who waits for this process sees what ended it
        raise
    finally:
        for number in taken:
            signal.signal(number, before[number])


@contextmanager
def stopping(message: str) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether Ctrl-C was pressed; pressed again, it raises KeyboardInterrupt.

    Args:
        message: printed to standard error at the first time.
    """
    asked: list[int] = []

    def stop(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo(message, err=True)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
