"""The database under the store: reads, write turns, locks, and connections that come back after a restart."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

import psycopg

from agentcl.errors import MemoryClosed, StoreBusy, StoreReadOnly, StoreUnavailable
from agentcl.store.postgres.address import Address
from agentcl.store.postgres.connecting import Connector, Link
from agentcl.store.postgres.failures import is_broken, translate
from agentcl.store.postgres.opening import open_schema, refuse_newer
from agentcl.store.postgres.pool import Pool
from agentcl.store.postgres.schema import SCOPE_SQL, settings_of
from agentcl.store.records import ScopeView
from agentcl.store.sql.tables import EVERYBODY

T = TypeVar("T")
_RETRY_S: Final = 0.1  # between two tries to reach a server that went away
_RESTS: Final = 1.0  # as long as a step of a long work took, others have their turn
_LONGEST_REST_S: Final = 0.3
_BEGIN: Final = (
    # No time-out of statements while it waits: what is done in the turn has that of all.
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', %s, true),"
    " set_config('agentcl.whole', 'on', true)"
)
_TAKE_TURN: Final = "SELECT seq, clock, pg_current_xact_id()::text, version FROM head FOR UPDATE"
# An import may have brought records that are newer than what was written here; see `Merge`. A statement of its own:
# the one that waited for the turn sees other tables as they were before it waited.
_IMPORTED: Final = (
    "SELECT max(value::bigint) FROM meta WHERE key = 'clock' AND value ~ '^[0-9]{1,18}$'"
)
_END: Final = "UPDATE head SET seq = ?, clock = ?, turn = ? RETURNING pg_notify(?, ?)"
_STATE: Final = "SELECT pg_xact_status(%s::xid8), (SELECT turn FROM head)"
# A query, its values, and whose rows it may see.
Question = tuple[str, Sequence[object], ScopeView]
_Answers = dict[tuple[str, tuple[object, ...], ScopeView], list[tuple[Any, ...]]]


@lru_cache(maxsize=4_096)
def _marked(sql: str) -> bytes:
    """Return a statement of ours with PostgreSQL's marks; `?` stands for nothing else in any of them."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


class Sent:
    """A statement that is on its way; what it gave is waited for when it is asked for."""

    def __init__(self, cursor: psycopg.Cursor[Any], pipeline: psycopg.Pipeline) -> None:
        self._cursor = cursor
        self._pipeline = pipeline

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        self._pipeline.sync()
        return self._cursor.rowcount

    def fetchone(self) -> Any:  # noqa: ANN401  # a row of any columns
        """Return the next row, or None."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        return self._cursor.fetchall()


class Turn:
    """A transaction that has the right to write; see `agentcl.store.sql.tables.SqlConnection`.

    Statements are sent one after the other without waiting for what each gives: others wait for the turn. One
    that fails is told of by the next whose result is asked for, or by the commit.
    """

    pipeline: psycopg.Pipeline  # entered as long as the turn lasts

    def __init__(self, link: Link, *, number: str, seq: int, clock: int, answers: _Answers) -> None:
        self.link = link
        self.number = number  # of the transaction, to the server
        self.name = secrets.token_hex(8)  # which no other one ever has
        self.proof: tuple[int, object] | None = None  # number and checksum of its newest row
        self.seq = seq  # of the newest row there ever was, counting on while rows are appended
        self.clock = clock  # record time of the transaction before; set to that of this one
        # To what was asked with the turn; they hold until something is written here
        self._answers = answers

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Sent:
        """Send one statement."""
        if not sql.startswith("SELECT"):
            self._answers = {}
        return Sent(self.link.execute(_marked(sql), parameters or None), self.pipeline)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Send one statement with each of several lists of values."""
        if values := list(parameters):
            self._answers = {}
            self.link.cursor().executemany(_marked(sql), values)

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, view: ScopeView
    ) -> list[tuple[Any, ...]]:
        """Run one query to its end; it sees no row of another tenant than those of the view."""
        held = self._answers.get((sql, tuple(parameters), view))
        if held is not None:
            return held
        (sent,) = _sent(self.link, [(sql, parameters, view)])
        return sent.fetchall()


class Server:
    """One database that threads share and forked processes may go on using: one write turn at a time.

    Every error of PostgreSQL leaves as one of ours.
    """

    def __init__(self, address: Address, *, busy_timeout_s: float, read_only: bool) -> None:
        self.address = address
        self.read_only = read_only
        self.busy_timeout_s = busy_timeout_s
        self.pool = Pool(Connector(address, read_only=read_only).connect)
        self._turns = threading.local()
        self.is_closed = False
        try:
            with self.lent() as link:
                open_schema(link, address, read_only=read_only)
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> Turn:
        """The transaction that this thread is in."""
        turn = self._turn()
        assert turn is not None, "there is none outside of `write`"
        return turn

    def _turn(self) -> Turn | None:
        return getattr(self._turns, "held", None)

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, view: ScopeView
    ) -> list[tuple[Any, ...]]:
        """Run one query to its end; it sees no row of another tenant than those of the view."""
        turn = self._turn()
        if turn is None:
            return self._retried(lambda link: _asked(link, sql, parameters, view))
        with self._errors():
            return turn.query(sql, parameters, view=view)

    def aside(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement on what is kept beside the records, without the turn; return what it returns.

        It may be run twice, should the server be restarted meanwhile.

        Raises:
            StoreReadOnly: if this database was opened for reading only, and it writes.
        """
        return self._retried(lambda link: _asked(link, sql, parameters, EVERYBODY))

    def _retried(self, ask: Callable[[Link], T]) -> T:
        """Ask, and ask again while the server is being restarted: reading twice does no harm."""
        deadline = time.monotonic() + self.busy_timeout_s
        while True:
            try:
                with self.lent(keeps_errors=True) as link:
                    return ask(link)
            except psycopg.Error as error:
                if not is_broken(error) or time.monotonic() > deadline:
                    raise translate(error, self.address) from error
                self.pool.drop_idle()
                time.sleep(_RETRY_S)

    @contextmanager
    def write(
        self, *, checks_references: bool = True, first: Sequence[Question] = ()
    ) -> Iterator[Turn]:
        """Take the write turn: everything inside is one transaction, durable when this returns.

        The turn is the lock of the one row of `head`. Who has it gets the next numbers, so numbers are seen in
        their order: whoever sees one sees all that are smaller.

        Args:
            checks_references: the database always does.
            first: what will be asked before anything is written. The answers come with the turn, in the same
                round trip: the others wait for who has it.

        Raises:
            StoreReadOnly: if this database was opened for reading only.
            StoreBusy: if others kept the turn for `busy_timeout_s`.
        """
        if self.read_only:
            raise StoreReadOnly(f"{self.address} was opened with read_only=True")
        assert self._turn() is None, "a transaction is not begun inside another one"
        link, turn = self._begun(first)
        self._turns.held = turn
        is_ending = False
        try:
            with self._errors():
                try:
                    with link.pipeline() as turn.pipeline:
                        yield turn
                        is_ending = True
                        self._end(turn)
                except psycopg.Error as error:
                    # If the server is lost meanwhile, it is asked afterwards what became of the transaction.
                    self._turns.held = None
                    if not (is_ending and is_broken(error) and self.was_committed(turn)):
                        raise
        finally:
            self._turns.held = None
            # Whatever is not committed is undone, by a rollback or, if the connection is gone, by the server.
            try:
                if not link.closed:
                    link.rollback()
            except psycopg.Error:
                link.close()
            self.pool.give_back(link)

    def _end(self, turn: Turn) -> None:
        told = (f"agentcl_{self.address.schema}", str(turn.seq))
        turn.execute(_END, (turn.seq, turn.clock, turn.name, *told))
        turn.execute("COMMIT")

    def _begun(self, first: Sequence[Question]) -> tuple[Link, Turn]:
        """Begin a transaction that has the turn; while the server is being restarted, try again."""
        deadline = time.monotonic() + self.busy_timeout_s
        while True:
            link: Link | None = None
            try:
                with self._open():
                    link = self.pool.take()
                left_ms = max(1, int(1_000 * (deadline - time.monotonic())))
                with link.pipeline():
                    link.execute("BEGIN")
                    link.execute(_BEGIN, (str(left_ms),))
                    found = link.execute(_TAKE_TURN)
                    link.execute("SET LOCAL statement_timeout TO DEFAULT")
                    imported = link.execute(_IMPORTED)
                    asked = _sent(link, first)
                row = found.fetchone()
                if row is None:
                    raise StoreUnavailable(f"{self.address} is no memory any more")
                seq, clock, number, version = row
                clock = max(clock, *(one for (one,) in imported.fetchall() if one is not None), 0)
                refuse_newer(
                    version, self.address
                )  # another process may have migrated it meanwhile
                answers = {
                    (sql, tuple(values), view): one.fetchall()
                    for (sql, values, view), one in zip(first, asked, strict=True)
                }
                return link, Turn(link, number=number, seq=seq, clock=clock, answers=answers)
            except BaseException as error:
                if link is not None:
                    link.close()
                    self.pool.give_back(link)
                if not isinstance(error, psycopg.Error):
                    raise
                if not is_broken(error) or time.monotonic() > deadline:
                    raise translate(error, self.address) from error
                self.pool.drop_idle()
                time.sleep(_RETRY_S)

    def was_committed(self, turn: Turn) -> bool:
        """Return whether a transaction is stored, the answer to whose commit was lost.

        After a crash a server may give the number of one that it lost to another one. So what says that the number was
        committed says nothing before something of the transaction is found.
        """

        def ask(link: Link) -> tuple[str | None, str]:
            while True:
                try:
                    with link.transaction():
                        link.execute(_marked(SCOPE_SQL), settings_of(EVERYBODY))
                        ((state, newest),) = link.execute(_STATE, (turn.number,)).fetchall()
                except psycopg.errors.InvalidParameterValue:  # a number that is still to be given
                    return "aborted", ""
                if state != "in progress":
                    return state, newest
                time.sleep(_RETRY_S)

        state, newest = self._retried(ask)
        if state == "aborted":
            return False
        if newest == turn.name:
            return True
        if state is not None and turn.proof is not None:
            seq, checksum = turn.proof
            sql = "SELECT checksum FROM record WHERE seq = ?"
            held = self.query(sql, (seq,), view=EVERYBODY)
            if held:
                return bool(held[0][0] == checksum)
        raise StoreUnavailable(
            f"{self.address} was lost while it stored something, and does not know whether it is stored"
        )

    @contextmanager
    def lent(self, *, keeps_errors: bool = False) -> Iterator[Link]:
        """Use a connection of the pool that is in no transaction."""
        with self._open():
            if keeps_errors:
                link = self.pool.take()
            else:
                with self._errors():
                    link = self.pool.take()
        try:
            if keeps_errors:
                yield link
            else:
                with self._errors():
                    yield link
        finally:
            self.pool.give_back(link)

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self.is_closed:
            raise MemoryClosed(f"the memory at {self.address} is closed")
        yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn PostgreSQL's errors into ours."""
        try:
            yield
        except psycopg.Error as error:
            raise translate(error, self.address) from error

    def rest(self, begun: float) -> None:
        """Leave others their turn after a step of a long work that was begun at a time."""
        time.sleep(min(_RESTS * (time.monotonic() - begun), _LONGEST_REST_S))

    def vacuum(self, tables: Iterable[str]) -> None:
        """Take dead rows out of tables, as soon as nobody sees them any more. Raises StoreBusy."""
        deadline = time.monotonic() + self.busy_timeout_s
        with self.lent() as link:
            link.execute("SET statement_timeout = 0")
            try:
                ((number,),) = link.execute("SELECT pg_current_xact_id()::text").fetchall()
                sql = (
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%s::xid8::xid)"
                )
                while link.execute(sql, (number,)).fetchall() != [(0,)]:
                    if time.monotonic() > deadline:
                        raise StoreBusy(f"somebody keeps reading an old state of {self.address}")
                    time.sleep(_RETRY_S)
                for table in tables:
                    link.execute(f"VACUUM {table}".encode())
            finally:
                link.execute("RESET statement_timeout")

    def close(self) -> None:
        """Close the connections as soon as nobody reads or writes; calling it twice is allowed."""
        self.is_closed = True
        self.pool.close()


def _asked(
    link: Link, sql: str, parameters: Sequence[object], view: ScopeView
) -> list[tuple[Any, ...]]:
    """Run one query in a transaction that says whose rows it is about; one turn to the server and back."""
    with link.pipeline():  # what is sent in one go is one transaction
        link.execute(_marked(SCOPE_SQL), settings_of(view))
        found = link.execute(_marked(sql), parameters or None)
    return found.fetchall() if found.description is not None else []


def _sent(link: Link, questions: Sequence[Question]) -> list[psycopg.Cursor[tuple[Any, ...]]]:
    """Send queries in a transaction that is about everybody, each for its view, without waiting for the answers."""
    sent = []
    for sql, parameters, view in questions:
        if view.tenant is not None:
            link.execute(_marked(SCOPE_SQL), settings_of(view))
        sent.append(link.execute(_marked(sql), parameters or None))
        if view.tenant is not None:
            link.execute(_marked(SCOPE_SQL), settings_of(EVERYBODY))
    return sent
