"""Connections to one SQLite file: lent for a read or a transaction, and handed back.

A thread holds a connection only while it uses it, so one that ends leaves no open file behind.

No connection lives across `fork`. SQLite keeps what it knows of locks in the process, and a child would
believe that it holds its parent's. So the connections that nobody uses are closed before a fork, and the
fork waits a moment for those in use. What is in use even then is dead in the child: it is neither used nor
closed there, since closing it could drop locks of the file that the child holds by then.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agentcl.store.sqlite import bare

# Connections of a file: more threads than this are seldom in SQLite at the same moment. A borrower waits
# for nothing but SQLite, and of the writers one at most borrows: whoever waits gets one when a read ends.
_MOST: Final = 4
_FORK_WAIT_S: Final = 1.0  # how long a fork waits for connections in use


class Pool:
    """Up to a few open connections; safe for threads.

    Args:
        path: of the file.
        connect: opens a connection that any thread may use.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self.turn = threading.RLock()  # whose turn it is to write
        self.connect = connect
        # The one used last is taken first: its cache is warm.
        self._idle: list[sqlite3.Connection] = []
        self._lent: dict[int, sqlite3.Connection | None] = {}  # by thread; None while it is opened
        self._lock = threading.RLock()  # signal handlers may read, too
        self._changed = threading.Condition(self._lock)  # told when somebody may wait
        self._is_forking = False
        self._is_closed = False
        # A connection is part of a cycle, so without this its file would stay open for a while.
        self._end = weakref.finalize(self, _end, self._idle, bare.enter(path))
        self._end.atexit = False
        with _REGISTERING:
            _POOLS.add(self)

    def borrowed(self) -> sqlite3.Connection | None:
        """Return the connection that this thread has borrowed and not given back."""
        return self._lent.get(threading.get_ident())

    def take(self) -> sqlite3.Connection:
        """Lend this thread, which has none, a connection; call `give_back` whatever happens."""
        thread = threading.get_ident()
        with self._lock:
            while self._is_forking or len(self._lent) >= _MOST:
                self._changed.wait()
            connection = self._idle.pop() if self._idle else None
            self._lent[thread] = connection
        if connection is None:
            connection = self._lent[thread] = self.connect()
        return connection

    def give_back(self) -> None:
        """Take back what `take` lent to this thread, also when it was cut off.

        A connection that is still in a transaction is closed, which undoes it.
        """
        with self._lock:
            if self._is_forking or len(self._lent) >= _MOST:
                self._changed.notify_all()
            connection = self._lent.pop(threading.get_ident(), None)
            if connection is not None:
                if self._is_closed or connection.in_transaction:
                    connection.close()
                else:
                    self._idle.append(connection)
            if self._is_closed and not self._lent:
                self._end()

    def close(self) -> None:
        """Close what nobody uses now, and the rest as it is given back; may be called twice."""
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)
            if not self._lent:
                self._end()

    # Around a fork

    def before_fork(self, deadline: float) -> None:
        """Lend nothing more, wait for what is lent, and close the rest."""
        with self._lock:
            self._is_forking = True
            while self._lent.keys() - {threading.get_ident()}:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    break
            _close_all(self._idle)

    def after_fork_in_parent(self) -> None:
        """Lend again."""
        with self._lock:
            self._is_forking = False
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin anew: the other threads are not here any more, nor is what they held."""
        _DEAD.extend(connection for connection in self._lent.values() if connection is not None)
        _DEAD.extend(self._idle)  # given back too late
        self._idle.clear()
        self._lent.clear()
        self.turn = threading.RLock()
        self._lock = threading.RLock()  # signal handlers may read, too
        self._changed = threading.Condition(self._lock)
        self._is_forking = False


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _end(connections: list[sqlite3.Connection], file: str) -> None:
    _close_all(connections)
    bare.leave(file)


_POOLS: Final = weakref.WeakSet[Pool]()
_REGISTERING: Final = threading.Lock()
_DEAD: Final[list[sqlite3.Connection]] = []  # of a parent; kept, since dropping one closes it


def _before() -> None:
    _REGISTERING.acquire()
    deadline = time.monotonic() + _FORK_WAIT_S
    for pool in list(_POOLS):
        pool.before_fork(deadline)


def _in_parent() -> None:
    for pool in list(_POOLS):
        pool.after_fork_in_parent()
    _REGISTERING.release()


def _in_child() -> None:
    bare.after_fork_in_child()
    for pool in list(_POOLS):
        pool.after_fork_in_child()
    _REGISTERING.release()


if hasattr(os, "register_at_fork"):  # where there is a fork at all
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
