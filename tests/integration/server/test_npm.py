"""The client for node, against a real server: `make test-npm` builds it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.server import Keys, ServerSettings, create_app
from tests.served import listening, served
from tests.upstreams import Upstream, completion

FOLDER = Path(__file__).resolve().parents[3] / "clients" / "npm"
NODE, NPM = shutil.which("node"), shutil.which("npm")


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(
    not (NODE and NPM) or not (FOLDER / "node_modules").is_dir(),
    reason="what builds it is brought by `make test-npm`",
)
def test_the_client_for_node_is_built_from_the_document_and_works(tmp_path: Path) -> None:
    assert NODE
    assert NPM
    upstream = Upstream([completion()])
    with Memory(tmp_path / "m", encoder="hashing") as memory, listening(upstream) as model:
        keys = Keys(memory.path, file=tmp_path / "keys.db")
        settings = ServerSettings(upstream=f"{model}/v1")
        document = create_app(memory, settings=settings, keys=keys).openapi()
        (FOLDER / "openapi.json").write_text(json.dumps(document), "utf-8")
        run(NPM, "run", "build")
        run(NPM, "run", "check")
        with served(memory, settings=settings) as address:
            told = run(NODE, "--test", "--test-reporter=tap", AGENTCL_SERVER=address)
    assert "# pass 7" in told
    assert "# skipped 0" in told


def test_the_lockfile_of_the_client_names_no_registry() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text("utf-8")
