"""A server with the full logs. Where AGENTCL_MYSQL names one (mysql://user:password@host:port/database, whose
account may create a table there), the adapter is tested against it; else only what needs none."""

import os
import re
import sys
from collections.abc import Iterator

import pytest

from agentcl.envs.domains.excytin.mysql import MySqlBackend
from agentcl.envs.domains.excytin.sql import Limits
from agentcl.errors import EnvironmentFailed, InvalidInput, MissingExtra

ADDRESS = os.environ.get("AGENTCL_MYSQL", "")
TABLE = "AgentclTestAlert"


@pytest.fixture
def server() -> Iterator[str]:
    if not ADDRESS:
        pytest.skip("AGENTCL_MYSQL names no server")
    pymysql = pytest.importorskip("pymysql")
    match = re.fullmatch(r"mysql://([^:]*):([^@]*)@([^:]+):(\d+)/(\w+)", ADDRESS)
    assert match, "AGENTCL_MYSQL is mysql://user:password@host:port/database"
    user, password, host, port, database = match.groups()
    connection = pymysql.connect(
        host=host, port=int(port), user=user, password=password, database=database
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (Id TEXT, Name TEXT)")
        cursor.execute(f"INSERT INTO {TABLE} VALUES ('1', 'Alpha; b'), ('2', 'beta.exe')")
        connection.commit()
        yield ADDRESS
        cursor.execute(f"DROP TABLE {TABLE}")


@pytest.mark.parametrize("address", ["", "http://host/x", "mysql:///x", "mysql://root@host"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="mysql://user:password@host:port/database"):
        MySqlBackend(address)


def test_a_server_that_cannot_be_reached_breaks_the_environment_and_tells_no_password() -> None:
    with pytest.raises(EnvironmentFailed, match=r"127\.0\.0\.1/logs cannot be used") as caught:
        MySqlBackend("mysql://ada:s3cret@127.0.0.1:1/logs")
    assert "s3cret" not in str(caught.value)


def test_without_the_driver_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[excytin\]"):
        MySqlBackend("mysql://ada@127.0.0.1:1/logs")


def test_a_server_answers_as_the_embedded_one_does(server: str) -> None:
    backend = MySqlBackend(server)
    assert TABLE.lower() in [name.lower() for name in backend.tables()]
    assert backend.describe(TABLE) == ["Id", "Name"]
    assert backend.describe("no`where") == []
    found = backend.execute(f"SELECT `Id` FROM {TABLE} WHERE Name = 'ALPHA; B'; DROP TABLE {TABLE}")
    assert found.rows == (("1",),)
    assert "exist" in backend.execute("SELECT * FROM nowhere").error
    assert backend.execute("SELECT 1").rows == ((1,),)
    backend.close()
    backend.close()
    with pytest.raises(EnvironmentFailed, match="closed"):
        backend.execute("SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM {TABLE}",
        f"WITH x AS (SELECT 1) DELETE FROM {TABLE}",
        "SELECT 1 INTO OUTFILE '/tmp/agentcl-test'",
        "SELECT LOAD_FILE('/etc/hostname')",
        "SET SESSION TRANSACTION READ WRITE",
        f"/*!50000 DELETE FROM {TABLE} */",
        "SELECT 1 /*!, SLEEP(1) */",
        f"SELECT Id FROM {TABLE} FOR UPDATE",
        "CREATE TEMPORARY TABLE x (a INT)",
    ],
)
def test_a_server_is_only_read(server: str, statement: str) -> None:
    backend = MySqlBackend(server)
    assert backend.execute(statement).error
    assert backend.execute(f"SELECT COUNT(*) FROM {TABLE}").rows == ((2,),)
    backend.close()


def test_a_server_keeps_the_limits(server: str) -> None:
    backend = MySqlBackend(server, limits=Limits(time_s=0.2, rows=5, result_characters=1_000_000))
    assert "took too long" in backend.execute("SELECT SLEEP(20)").error
    few = backend.execute("SELECT COLUMN_NAME FROM information_schema.COLUMNS LIMIT 50")
    assert (len(few.rows), few.is_complete) == (5, False)
    big = backend.execute("SELECT REPEAT('x', 2000000)")
    assert (big.rows, big.is_complete) == ((), False)
    assert backend.execute("SELECT 1").rows == ((1,),)
    backend.close()
