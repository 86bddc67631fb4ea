"""The clients of node, pointed at the proxy: `make test-npm` installs them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agentcl import Memory
from tests.upstreams import Upstream, proxied, speaking

FOLDER = Path(__file__).resolve().parents[3] / "node"
NODE = shutil.which("node")


@pytest.mark.skipif(
    not NODE or not (FOLDER / "node_modules").is_dir(),
    reason="its clients are brought by `make test-npm`",
)
def test_the_clients_of_node_have_a_memory(memory: Memory) -> None:
    assert NODE
    with proxied(memory, Upstream([speaking])) as client:
        done = subprocess.run(
            [NODE, "--test", "--test-reporter=tap", "proxy.test.mjs"],
            cwd=FOLDER,
            env={**os.environ, "AGENTCL_PROXY": f"{client.base_url}/v1", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 9" in done.stdout
    assert "# skipped 0" in done.stdout
    for user in ("openai-chat", "ai-chat", "ai-streamText"):
        assert memory.conversations.list(user=user)


def test_the_lockfile_names_no_registry() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text("utf-8")
