"""Many clients on one folder, by standard streams and HTTP, while servers are killed."""

import asyncio
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp")
pytest.importorskip("fastapi")

sys.path.insert(0, str(Path(__file__).parent))
from crowd import check, work


def test_six_clients_lose_nothing_when_servers_are_killed(tmp_path: Path) -> None:
    crowd = asyncio.run(work(tmp_path, streams=3, http=3, kills=1, notes=6, seed=1))
    assert crowd.kills == 2  # one of its own, and the one that all of HTTP share
    stored = check(tmp_path, crowd)
    assert stored >= len(crowd.acknowledged) >= 5 * 6 + 1
