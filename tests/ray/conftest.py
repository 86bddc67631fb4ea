"""A Ray cluster of several processes on this machine."""

import os
from collections.abc import Iterator

import pytest

from tests.ray.clusters import VARIABLES, Cluster

os.environ.update(VARIABLES)  # Ray reads them when it is imported, which each module does


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One that outlives the processes that work on it."""
    with Cluster(tmp_path_factory.mktemp("ray")) as begun:
        yield begun
