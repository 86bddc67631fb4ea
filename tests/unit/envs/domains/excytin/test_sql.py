"""SQL for investigators: MySQL's dialect over SQLite, nothing written, nothing without end."""

import sys
from collections.abc import Iterator

import pytest

from agentcl.envs.domains.excytin.sql import (
    Limits,
    QueryResult,
    Row,
    SqliteBackend,
    SqlTable,
    image_of,
)
from agentcl.errors import EnvironmentFailed, MissingExtra

ALERTS = SqlTable(
    "SecurityAlert",
    ("Id", "Name", "Tactics"),
    (("1", "Alpha; b", '{"a":"T1"}'), ("2", "beta.exe", "{}")),
)
IMAGE = image_of([ALERTS, SqlTable("Empty", ("Id",), ())])
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT "


@pytest.fixture
def backend() -> Iterator[SqliteBackend]:
    opened = SqliteBackend(IMAGE)
    yield opened
    opened.close()
    opened.close()


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SHOW TABLES;", (("Empty",), ("SecurityAlert",))),
        ("show full tables", (("Empty",), ("SecurityAlert",))),
        ("DESCRIBE `securityalert`", (("Id", "text"), ("Name", "text"), ("Tactics", "text"))),
        ("SHOW COLUMNS FROM Empty", (("Id", "text"),)),
        ("```sql\nSELECT `Id` FROM SecurityAlert WHERE Name = 'BETA.EXE'\n```", (("2",),)),
        ("SELECT Id FROM SecurityAlert WHERE Name = 'alpha; B'; SELECT 2", (("1",),)),
        ('SELECT Id FROM SecurityAlert WHERE Name = "beta.exe"', (("2",),)),
        ("SELECT CONCAT(Id, 'x') FROM SecurityAlert LIMIT 1, 5", (("2x",),)),
        (
            "SELECT JSON_UNQUOTE(JSON_EXTRACT(Tactics, '$.a')) FROM SecurityAlert",
            (("T1",), (None,)),
        ),
        ("SELECT SUBSTRING_INDEX('a.b.c', '.', -2), IF(1 = 2, 'x', 'y')", (("b.c", "y"),)),
        ("SELECT DATE_FORMAT('2024-07-04 10:11:12', '%Y-%m')", (("2024-07",),)),
    ],
)
def test_what_agents_write_for_mysql_runs(
    backend: SqliteBackend, statement: str, rows: tuple[Row, ...]
) -> None:
    assert backend.execute(statement) == QueryResult(rows)


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [
        ("beta", True),
        ("^beta\\.exe$", True),  # MySQL reads the escape within the text: a dot
        ("^beta\\\\.exe$", None),
        ("^beta.exe$", True),
        ("^eta", False),
        ("b.*exe$", True),
        ("b.*exe", True),
        ("exe.*b", False),
        ("nothing|bet.", True),
        ("^b.*t$", False),
        ("$", True),
        ("(a+)+$", None),
        ("x" * 1000, None),
    ],
)
def test_patterns_are_matched_in_linear_time_or_refused(
    backend: SqliteBackend, pattern: str, is_found: bool | None
) -> None:
    result = backend.execute(
        f"SELECT Id FROM SecurityAlert WHERE Id = 2 AND Name REGEXP '{pattern}'"
    )
    if is_found is None:
        assert "REGEXP knows only" in result.error
    else:
        assert result == QueryResult((("2",),) if is_found else ())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM SecurityAlert",
        "INSERT INTO SecurityAlert VALUES ('3', 'x', 'y')",
        "UPDATE SecurityAlert SET Id = 5",
        "DROP TABLE SecurityAlert",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "PRAGMA query_only = OFF",
        "SELECT load_extension('x')",
        "VACUUM INTO '/tmp/copy.db'",
        "BEGIN",
        "WITH x AS (SELECT 1) DELETE FROM SecurityAlert",
        "ALTER TABLE SecurityAlert ADD COLUMN x",
    ],
)
def test_nothing_can_be_written_attached_or_loaded(backend: SqliteBackend, statement: str) -> None:
    result = backend.execute(statement)
    assert result.rows == ()
    assert "can only be read" in result.error
    assert backend.execute("SELECT COUNT(*) FROM SecurityAlert").rows == ((2,),)
    assert backend.tables() == ["Empty", "SecurityAlert"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("selec", "syntax error"),
        ("", "no statement"),
        (" ; select 1", "no statement"),
        ("SELECT '\0'", "null character"),
        ("SELECT '\ud800'", "surrogates"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("DESCRIBE nowhere", "no such table: nowhere"),
        ("SELECT Colour FROM SecurityAlert", "no such column"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "stack overflow"),
        ("SELECT JSON_EXTRACT('no json', '$.a')", "malformed JSON"),
        ("SELECT zeroblob(5000000)", "too big"),
        (f"SELECT Id FROM SecurityAlert WHERE Name LIKE '{'%a' * 150}'", "too complex"),
    ],
)
def test_what_is_wrong_is_said_and_the_next_query_runs(
    backend: SqliteBackend, statement: str, said: str
) -> None:
    assert said in backend.execute(statement).error
    assert backend.execute("SELECT 1").rows == ((1,),)


def test_a_query_without_end_is_stopped_at_the_same_point_each_time() -> None:
    backend = SqliteBackend(IMAGE, limits=Limits(instructions=100_000))
    assert "took too long" in backend.execute(ENDLESS + "COUNT(*) FROM c").error
    assert backend.execute("SELECT 1").rows == ((1,),)
    by_time = SqliteBackend(IMAGE, limits=Limits(time_s=0.0))
    assert "took too long" in by_time.execute(ENDLESS + "COUNT(*) FROM c").error


def test_rows_and_size_of_a_result_are_limited() -> None:
    backend = SqliteBackend(IMAGE, limits=Limits(rows=20, result_characters=1_000_000))
    rows = backend.execute(ENDLESS + "n FROM c")
    assert (len(rows.rows), rows.is_complete) == (20, False)
    assert rows.shown(1_000).endswith("(only the first 20 rows were read)")
    exactly = backend.execute(ENDLESS + "n FROM c LIMIT 20")
    assert (len(exactly.rows), exactly.is_complete) == (20, True)
    five_megabytes = backend.execute(ENDLESS + "HEX(zeroblob(125000)) FROM c LIMIT 20")
    assert (len(five_megabytes.rows), five_megabytes.is_complete) == (4, False)
    assert len(five_megabytes.shown(10_000)) == 10_000


def test_a_long_result_is_shown_by_its_first_15_rows() -> None:
    rows = tuple((n, "x" * 20) for n in range(200))
    assert QueryResult(rows).shown(100_000) == str(list(rows))
    text = QueryResult(rows).shown(2_000)
    assert text.startswith(str(list(rows[:15])))
    assert "(15, " not in text
    assert QueryResult(error="x" * 500).shown(50) == "Error: " + "x" * 43


def test_a_closed_database_is_no_answer() -> None:
    backend = SqliteBackend(IMAGE)
    backend.close()
    with pytest.raises(EnvironmentFailed, match="closed"):
        backend.execute("SELECT 1")


def test_without_sqlglot_the_install_line_is_named(
    backend: SqliteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[excytin\]"):
        backend.execute("SELECT 1")
    assert backend.execute("SHOW TABLES").rows
