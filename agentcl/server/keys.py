"""Keys of a server: each opens one scope of one memory, with rights, and only its hash is kept.

Keys stand in the user's own configuration and not in the memory's folder: whoever sends somebody a folder must not
bring a key for it along. A key has 256 random bits, so that one round of SHA-256 keeps it safe.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal, get_args

from agentcl.errors import ConfigError, InvalidInput, NotFound
from agentcl.store.checks import WriteScope, check_label, check_scope, named_scope
from agentcl.text.homes import config_folder
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import make_folder, saving

Right = Literal["read", "write", "learn"]
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
_PREFIX: Final = "agentcl-"  # by which scanners of secrets know one
_BYTES: Final = 32
_LEAST: Final = 40  # characters of a key that somebody else made
_BUSY_S: Final = 30.0
_TABLE: Final = """\
CREATE TABLE IF NOT EXISTS keys (
    memory TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, scope TEXT NOT NULL,
    rights TEXT NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (memory, hash), UNIQUE (memory, id)
) STRICT"""
COLUMNS: Final = "id, name, scope, rights, made_at"


@dataclass(frozen=True, slots=True)
class Key:
    """What is told of a key.

    Attributes:
        id: by which it is named and removed.
        name: what it is for, in the words of who made it.
        scope: the fields that it binds; empty for the whole memory.
        rights: what it may do: "read"; "write" (remember, change, forget); "learn" (episodes and lessons).
        made_at: when, ISO 8601.
    """

    id: str
    name: str
    scope: WriteScope
    rights: tuple[Right, ...]
    made_at: str


class Keys:
    """The keys of one memory. Safe for threads and processes: what one adds or removes holds at once for all.

    Args:
        folder: of the memory.
        file: where keys are kept; default: in the user's own configuration.

    Raises:
        InvalidInput: if `folder` or `file` is no path.
        ConfigError: if there is no place for them, here and in every verb.
    """

    is_far: ClassVar[bool] = (
        False  # whether to look for one takes long enough that others go on meanwhile
    )

    def __init__(
        self, folder: str | os.PathLike[str], *, file: str | os.PathLike[str] | None = None
    ) -> None:
        self._memory = os.path.realpath(check_path(folder, "folder"))
        self.file = config_folder("") / "keys.db" if file is None else check_path(file, "file")
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def add(
        self, *, name: str = "", rights: Sequence[str] = RIGHTS, scope: WriteScope | None = None
    ) -> tuple[str, Key]:
        """Make a key.

        Args:
            name: what it is for.
            rights: what it may do.
            scope: the fields that it binds.

        Returns:
            The key itself, which is kept nowhere, and what is told of it.

        Raises:
            InvalidInput: if a right or a field of the scope is none.
        """
        unknown = [right for right in rights if right not in RIGHTS]
        if unknown or not rights:
            raise InvalidInput(
                f"a key has rights of {', '.join(RIGHTS)}; not {', '.join(unknown) or 'none'}"
            )
        secret = _PREFIX + secrets.token_urlsafe(_BYTES)
        return secret, self._kept(secret, name, rights, scope or {})

    def of_file(self, file: str | os.PathLike[str]) -> Key:
        """Return the key that a file holds, which from now on opens all; of a file that is not there it is made.

        So a server in a container has a key from its first start, and one that is handed to it as a secret is taken.

        Raises:
            ConfigError: if the file cannot be read or written.
            InvalidInput: if it is no path, or holds no key.
        """
        file = check_path(file, "file")
        try:
            if not file.exists():
                make_folder(file.absolute().parent)
                with saving(file, mode=0o600) as made:  # for its owner's eyes only
                    made.write(f"{_PREFIX}{secrets.token_urlsafe(_BYTES)}\n".encode())
            secret = file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the key in {file} cannot be used: {unread(error)}") from error
        if not secret.startswith(_PREFIX) or len(secret) < _LEAST:
            raise InvalidInput(
                f"{file} holds no key: one begins with {_PREFIX!r} and has {_LEAST} characters or more. Name a file that "
                "is not there, and one is made"
            )
        return self.of(secret) or self._kept(secret, f"of {file}"[:100], RIGHTS, {})

    def all(self) -> Sequence[Key]:
        """Return what is told of each key, oldest first."""
        return [_key(*row) for row in self._rows()]

    def remove(self, id: str) -> Key:
        """Remove a key; it opens nothing from now on. Raises NotFound."""
        found = [_key(*row) for row in self._rows("id", id)]
        if not found:
            raise NotFound(
                f"there is no key {id!r} for the memory at {self._memory}; see `agentcl key list`"
            )
        self._drop(id)
        return found[0]

    def of(self, secret: str) -> Key | None:
        """Return what is told of a key; None if there is no such key."""
        # It is looked for by its hash, so how long that takes tells nothing of a key.
        found = self._rows("hash", _hash(secret))
        return _key(*found[0]) if found else None

    def __bool__(self) -> bool:
        return bool(self._run("SELECT 1 FROM keys WHERE memory = ? LIMIT 1", self._memory))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None

    def _kept(self, secret: str, name: str, rights: Sequence[str], scope: WriteScope) -> Key:
        key = Key(
            id=secrets.token_hex(4),
            name=check_label(name, "name"),
            scope=named_scope(check_scope(scope)),
            rights=tuple(right for right in RIGHTS if right in rights),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        row = (
            key.id, key.name, _hash(secret), json.dumps(key.scope), " ".join(key.rights), key.made_at,
        )  # fmt: skip
        self._put(row)
        return key

    def _rows(
        self, column: Literal["", "id", "hash"] = "", value: str = ""
    ) -> Sequence[tuple[str, ...]]:
        """Return the columns of all keys in their order, or of the one that has a value."""
        where, values = (f" AND {column} = ?", [value]) if column else ("", [])
        sql = f"SELECT {COLUMNS} FROM keys WHERE memory = ?{where} ORDER BY rowid"
        return self._run(sql, self._memory, *values)

    def _put(self, row: tuple[str, ...]) -> None:
        self._run("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", self._memory, *row, writes=True)

    def _drop(self, id: str) -> None:
        self._run("DELETE FROM keys WHERE memory = ? AND id = ?", self._memory, id, writes=True)

    def _run(self, sql: str, *values: str, writes: bool = False) -> Sequence[tuple[str, ...]]:
        try:
            with self._lock:
                if self._open is None:
                    if not writes and not self.file.exists():
                        return []
                    self._open = self._begun()
                with closing(self._open.execute(sql, values)) as cursor:
                    return cursor.fetchall()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"the keys in {self.file} cannot be used: {error}. Nobody gets in before that is mended; if you "
                "remove the file, all keys are gone"
            ) from error

    def _begun(self) -> sqlite3.Connection:
        make_folder(self.file.parent)
        os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self.file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute(_TABLE)
        return connection


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(id: str, name: str, scope: str, rights: str, made_at: str) -> Key:
    known = tuple(right for right in RIGHTS if right in rights.split())
    return Key(id, name, named_scope(check_scope(json.loads(scope))), known, made_at)
