from pathlib import Path

import pytest

from agentcl import ConfigError, Memory
from agentcl.memory.settings import resolve


def test_the_constructor_beats_the_variable_beats_the_file_beats_the_default(
    tmp_path: Path,
) -> None:
    (tmp_path / "agentcl.toml").write_text('encoder = "file"\nindex = "file"\npath = "here"\n')
    settings = resolve(
        {"encoder": "constructor"},
        environment={"AGENTCL_INDEX": "variable", "AGENTCL_ENCODER": "variable"},
        start=tmp_path,
    )
    assert (settings["encoder"].value, settings["encoder"].origin) == ("constructor",) * 2
    assert (settings["index"].value, settings["index"].origin) == ("variable", "AGENTCL_INDEX")
    assert settings["path"].origin == str(tmp_path / "agentcl.toml")
    assert (settings["durability"].value, settings["durability"].origin) == ("full", "default")


def test_a_path_in_the_file_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "agentcl.toml").write_text('path = "here"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert resolve({}, environment={}, start=below)["path"].value == tmp_path / "here"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AGENTCL_DURABILITY", "maybe", "'full' or 'normal'"),
        ("AGENTCL_BUSY_TIMEOUT_S", "-1", "positive"),
        ("AGENTCL_BUSY_TIMEOUT_S", "1e308", "at most 1,000,000 seconds"),
        ("AGENTCL_BUSY_TIMEOUT_S", "soon", "busy_timeout_s"),
        ("AGENTCL_PASSAGE_LIMIT", "10", "at least 50"),
        ("AGENTCL_ENCODRE", "minilm", "did you mean 'encoder'"),
    ],
)
def test_a_bad_variable_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        resolve({}, environment={name: value}, start=tmp_path)
    assert name in str(caught.value) or name.removeprefix("AGENTCL_").lower() in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("encoder = ", "not valid TOML"), ('indx = "exact"', "did you mean 'index'"), ("path = 3", "path")],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "agentcl.toml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        resolve({}, environment={}, start=tmp_path)
    assert str(tmp_path / "agentcl.toml") in str(caught.value)


def test_a_memory_uses_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agentcl.toml").write_text('path = "mine"\nencoder = "hashing:64"\n')
    with Memory() as memory:
        memory.add("a note")
        assert memory.store.encoder.dim == 64
    assert (tmp_path / "mine" / "journal.db").exists()


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "agentcl.toml").write_text('encoder = "hashing:64"\n', encoding="utf-8-sig")
    assert resolve({}, environment={}, start=tmp_path)["encoder"].value == "hashing:64"


def test_an_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    settings = resolve({}, environment={"AGENTCL_ENCODER": ""}, start=tmp_path)
    assert settings["encoder"].origin == "default"


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5_000, '"'])
def test_a_file_that_is_no_toml_is_one_error_that_names_it(tmp_path: Path, value: str) -> None:
    (tmp_path / "agentcl.toml").write_text(f"busy_timeout_s = {value}\n")
    with pytest.raises(ConfigError, match=r"agentcl\.toml is not valid TOML"):
        resolve({}, environment={}, start=tmp_path)
