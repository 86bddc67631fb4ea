import importlib.util
from pathlib import Path
from types import ModuleType


def killing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("killing", Path(__file__).with_name("killing.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_killed_processes_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged, checked = killing().run(tmp_path, workers=4, rounds=50, seed=1)
    assert acknowledged > 50
    assert checked > 50
