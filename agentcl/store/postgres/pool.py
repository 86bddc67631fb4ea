"""Connections to one database: lent for a read, a transaction or a lock, and handed back.

None lives across `fork`: a child that used one would talk in the middle of what its parent says, and one
that closed it would end its parent's. So a child begins anew, and keeps what it inherited untouched.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Final

from psycopg.pq import TransactionStatus

from agentcl.store.postgres.connecting import Link

_MOST_IDLE: Final = 4  # kept open for the next who asks
_INHERITED: Final[list[Link]] = []  # of a parent; kept, since dropping one closes it


class Pool:
    """Open connections; safe for threads and for processes that are forked.

    Args:
        connect: opens a connection that any thread may use.
    """

    def __init__(self, connect: Callable[[], Link]) -> None:
        self._connect = connect
        self._is_closed = False
        self._lock = threading.Lock()
        self._idle: list[Link] = []  # the one used last is taken first
        self._lent: set[Link] = set()
        self._end = weakref.finalize(self, _close_all, self._idle)
        self._end.atexit = False
        _POOLS.add(self)

    def after_fork_in_child(self) -> None:
        """Begin anew, and leave alone what the parent has open."""
        _INHERITED.extend([*self._idle, *self._lent])
        self._idle.clear()
        self._lent.clear()
        self._lock = threading.Lock()

    def take(self) -> Link:
        """Lend a connection; call `give_back` whatever happens."""
        with self._lock:
            link = self._idle.pop() if self._idle else None
        if link is None:
            link = self._connect()
        self._lent.add(link)
        return link

    def give_back(self, link: Link) -> None:
        """Take back what `take` lent; one that is broken, or still in a transaction, is closed."""
        is_clean = not link.closed and link.info.transaction_status == TransactionStatus.IDLE
        self._lent.discard(link)
        with self._lock:
            if is_clean and not self._is_closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(link)
                return
        link.close()

    def drop_idle(self) -> None:
        """Close what nobody uses: the server that it led to is gone."""
        with self._lock:
            _close_all(self._idle)

    def close(self) -> None:
        """Close what nobody uses now, and the rest as it is given back; may be called twice."""
        self._is_closed = True
        self.drop_idle()


def _close_all(links: list[Link]) -> None:
    while links:
        links.pop().close()


_POOLS: Final = weakref.WeakSet[Pool]()


def _in_child() -> None:
    for pool in list(_POOLS):
        pool.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # where there is a fork at all
    os.register_at_fork(after_in_child=_in_child)
