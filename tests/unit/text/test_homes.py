import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcl import ConfigError
from agentcl.text.homes import cache_folder, config_folder

FOLDERS = [
    (cache_folder, "XDG_CACHE_HOME", ".cache"),
    (config_folder, "XDG_CONFIG_HOME", ".config"),
]


@pytest.mark.parametrize(("folder", "variable", "usual"), FOLDERS)
def test_a_folder_of_the_user_is_where_he_says_or_in_his_home(
    folder: Callable[[str], Path],
    variable: str,
    usual: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert folder("things") == tmp_path / "elsewhere" / "agentcl" / "things"
    for nothing in ("", "not/absolute"):
        monkeypatch.setenv(variable, nothing)
        assert folder("things") == tmp_path / usual / "agentcl" / "things"


@pytest.mark.parametrize(("folder", "variable", "usual"), FOLDERS)
def test_a_user_without_a_home_is_told_what_to_set(
    folder: Callable[[str], Path], variable: str, usual: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", str)
    with pytest.raises(ConfigError, match=variable):
        folder("things")
