"""Where published data lies, if it does."""

from collections.abc import Callable
from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[5] / "shared" / "data"


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return what finds a file of published data beside this checkout, or skips the test."""

    def find(name: str) -> Path:
        path = _DATA / name
        if not path.exists():
            pytest.skip(f"there is no ../shared/data/{name} beside this checkout")
        return path

    return find
