"""Waiting for what somebody commits: PostgreSQL wakes who waits (LISTEN, NOTIFY), and the table tells what there is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import psycopg
from psycopg import sql

from agentcl.store.postgres.connecting import Link, let_go
from agentcl.store.postgres.database import Server
from agentcl.store.postgres.failures import is_broken, translate

_LOOK_S: Final = 5.0  # the table is looked at so often, should nobody be able to wake us
# The same where nobody is woken, as at a replica; and between two looks whether to go on
_LOOK_OFTEN_S: Final = 0.2


class Listening:
    """Where the threads of a process wait for new rows. One of them listens, and wakes the others.

    So a process needs one connection for that, however many of its threads wait, and none while nobody does.

    Args:
        server: whose commits are waited for.
        last_seq: returns the number of the newest row.
    """

    def __init__(self, server: Server, last_seq: Callable[[], int]) -> None:
        self._server = server
        self._last_seq = last_seq
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._news = 0  # how often somebody looked
        self._is_listened = False

    def wait(self, seq: int, *, timeout_s: float, should_stop: Callable[[], bool]) -> int:
        """Return the number of the newest row once it is above `seq`, or when the time is over."""
        if self._process != os.getpid():  # forked: who listens is a thread of the parent
            self._begin()
        deadline = time.monotonic() + timeout_s
        while True:
            news = self._news
            last = self._last_seq()
            left = deadline - time.monotonic()
            if last > seq or left <= 0 or should_stop():
                return last
            with self._changed:
                if self._is_listened:
                    self._changed.wait_for(partial(self._is_due, news), min(left, _LOOK_OFTEN_S))
                    continue
                self._is_listened = True
            try:
                self._listen(seq, deadline, should_stop)
            finally:
                with self._changed:
                    self._is_listened = False
                    self._changed.notify_all()

    def _is_due(self, news: int) -> bool:
        """Return whether one who has seen so many news looks again, or has to listen himself."""
        return self._news != news or not self._is_listened

    def _listen(self, seq: int, deadline: float, should_stop: Callable[[], bool]) -> None:
        """Wake all as often as there is something new, until it concerns us, or the connection is lost."""
        channel = sql.Identifier(f"agentcl_{self._server.address.schema}")
        try:
            with self._server.lent(keeps_errors=True) as link:
                link.execute(sql.SQL("LISTEN {}").format(channel))
                try:
                    while time.monotonic() < deadline and not should_stop():
                        last = self._last_seq()
                        self._tell()
                        if last > seq:
                            return
                        self._doze(link, min(deadline, time.monotonic() + _LOOK_S), should_stop)
                finally:
                    let_go(link, (sql.SQL("UNLISTEN {}").format(channel), ()))
        except psycopg.errors.ReadOnlySqlTransaction:  # a replica
            self._pause(deadline)
        except psycopg.Error as error:
            if not is_broken(error):
                raise translate(error, self._server.address) from error
            self._pause(deadline)  # looking at the table waits for the server

    def _doze(self, link: Link, until: float, should_stop: Callable[[], bool]) -> None:
        """Wait for a notice; the server is asked nothing meanwhile."""
        while (left := until - time.monotonic()) > 0:
            if should_stop() or self._server.is_closed:
                return
            if any(link.notifies(timeout=min(left, _LOOK_OFTEN_S), stop_after=1)):
                return

    def _tell(self) -> None:
        with self._changed:
            self._news += 1
            self._changed.notify_all()

    def _pause(self, deadline: float) -> None:
        time.sleep(max(0.0, min(_LOOK_OFTEN_S, deadline - time.monotonic())))
