"""The journal's tables, and the steps from each older shape of them to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

# "ACL1", so that `file` and we can tell a journal from any SQLite file
APPLICATION_ID: Final = 0x41434C31

# `record` is the journal proper: rows are appended, and only erasure ever removes any. Everything else
# is either part of a row kept apart for its size (`vector`), or can be derived again (`source`).
_VERSION_1: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('id', lower(hex(randomblob(10))));  -- tells its indexes from a copy's

CREATE TABLE scope (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL, user TEXT NOT NULL, agent TEXT NOT NULL, session TEXT NOT NULL,
    UNIQUE (tenant, user, agent, session)
);

CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- AUTOINCREMENT: an erased number is never used again
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('put', 'delete', 'erase')),
    kind TEXT NOT NULL,
    scope INTEGER REFERENCES scope (id),    -- NULL only on 'erase', which keeps nothing personal
    created_at INTEGER NOT NULL,            -- microseconds since 1970
    valid_from INTEGER,
    valid_to INTEGER,
    key TEXT,
    sources TEXT NOT NULL DEFAULT '[]',     -- JSON list of ids
    body TEXT NOT NULL DEFAULT '{}',        -- JSON of the fields of the kind
    metadata TEXT NOT NULL DEFAULT '{}',    -- JSON of the user
    content_hash BLOB,                      -- of the searchable text; NULL: not searched for
    checksum BLOB NOT NULL,                 -- of all the above
    UNIQUE (id, version)
);
CREATE INDEX record_key ON record (key, kind, scope) WHERE key IS NOT NULL;
CREATE INDEX record_content ON record (content_hash) WHERE content_hash IS NOT NULL;

CREATE TABLE source (
    source_id TEXT NOT NULL, record_id TEXT NOT NULL, PRIMARY KEY (source_id, record_id)
) WITHOUT ROWID;
CREATE INDEX source_record ON source (record_id);

CREATE TABLE vector (
    seq INTEGER PRIMARY KEY REFERENCES record (seq),
    given INTEGER NOT NULL,                 -- 1: came with the record, 0: made by the encoder, 2: made elsewhere
    crc INTEGER NOT NULL,
    data BLOB NOT NULL                      -- float32, little-endian
);

CREATE TABLE vector_next (                  -- what `vector` will be once a re-embedding is complete
    seq INTEGER PRIMARY KEY REFERENCES record (seq), given INTEGER NOT NULL, crc INTEGER NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE counter (
    id TEXT PRIMARY KEY,
    uses INTEGER NOT NULL DEFAULT 0, wins INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER
) WITHOUT ROWID;

CREATE TABLE copy (path TEXT PRIMARY KEY, what TEXT NOT NULL, made_at INTEGER NOT NULL) WITHOUT ROWID;
"""

# What is still to be done, and what was. `job` is no part of the journal: it is not exported.
# Texts are looked up scope by scope: what everybody says is found as fast as what one does.
_VERSION_2: Final = """
DROP INDEX record_content;
CREATE INDEX record_content ON record (content_hash, scope) WHERE content_hash IS NOT NULL;

ALTER TABLE counter ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;

CREATE TABLE job (
    number INTEGER PRIMARY KEY,             -- in the order of asking
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    spec TEXT NOT NULL,                     -- JSON object of the kind
    tenant TEXT NOT NULL, user TEXT NOT NULL, agent TEXT NOT NULL, session TEXT NOT NULL,
    units INTEGER, tokens INTEGER,          -- what it is estimated to take
    done INTEGER NOT NULL DEFAULT 0, total INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER
);
"""

# MIGRATIONS[n] leads from schema version n to n + 1, inside one transaction.
MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    lambda connection: _run(connection, _VERSION_1),
    lambda connection: _run(connection, _VERSION_2),
)


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Execute statements one by one: `executescript` would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
