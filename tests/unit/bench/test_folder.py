from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.bench.folder import RunFolder
from agentcl.bench.rows import Learned, ResultRow, StepRow
from agentcl.bench.settings import RunSettings, TaskSettings
from agentcl.errors import InvalidInput, StoreBusy
from agentcl.models import Usage

SETTINGS = RunSettings(tasks=TaskSettings(domain="incidents"))
TEXTS = st.text(max_size=20)


def made(number: int = 0, **parts: object) -> ResultRow:
    return ResultRow(number, "ours", 0, "incidents/remedy/1", "remedy", "train", **parts)  # type: ignore[arg-type]


def begun(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", SETTINGS, {"episodes": {"0": 3}})


@given(
    texts=st.lists(TEXTS, max_size=3),
    score=st.none() | st.floats(0, 1),
    family=TEXTS,
    is_success=st.none() | st.booleans(),
)
def test_a_row_is_read_as_it_was_written(
    texts: list[str], score: float | None, family: str, is_success: bool | None
) -> None:
    row = ResultRow(
        0, "ours", 1, "t", family, "", score=score, is_success=is_success,
        steps=tuple(StepRow(text, text) for text in texts), shown=tuple(texts),
        learned=tuple(Learned("e0.0", text) for text in texts),
        usage={"act": Usage(1, 2, 3, 0.5)}, measures={"f1": 0.5},
    )  # fmt: skip
    line = row.to_json()
    assert "\n" not in line
    assert ResultRow.from_json(line) == row


def test_a_torn_last_line_is_cut_off_and_the_rest_goes_on(tmp_path: Path) -> None:
    life = begun(tmp_path).row_file("ours", 0)
    with life.appending() as rows:
        rows.add(made(0, goal="grüße"))
        rows.add(made(1))
    with life.path.open("ab") as file:
        file.write('{"number":2,"baseline":"ü'.encode()[:-1])
    assert [row.number for row in life.rows()] == [0, 1]
    with life.appending() as rows:
        rows.add(made(2))
    assert [row.number for row in life.rows()] == [0, 1, 2]
    assert life.rows()[0].goal == "grüße"


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    life = begun(tmp_path).row_file("ours", 0)
    life.path.write_text(f"{made().to_json()}\nnonsense\n{made().to_json()}\n")
    with pytest.raises(InvalidInput, match=r"ours\.0\.jsonl, line 2"):
        life.rows()


def test_one_run_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    with (
        folder.writing(),
        pytest.raises(StoreBusy, match="another run writes"),
        RunFolder(folder.path).writing(),
    ):
        pytest.fail("two runs wrote at once")
    with RunFolder(folder.path).writing():
        pass


def test_a_folder_is_taken_once_and_kept(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    folder.note(state="complete")
    again = RunFolder(folder.path)
    assert again.settings == SETTINGS
    assert again.about == {"episodes": {"0": 3}, "state": "complete"}
    with pytest.raises(InvalidInput, match="holds a run already"):
        RunFolder.create(folder.path, SETTINGS, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "damaged"), ('{"format": 9}', "another version"),
     ('{"format": 1, "about": {}, "settings": {"seedz": 1}}', "did you mean 'seeds'")],
)  # fmt: skip
def test_a_folder_that_holds_no_run_says_why(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no run"):
        RunFolder(tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        RunFolder(tmp_path)


def test_names_of_baselines_make_no_paths(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    assert folder.row_file("../../escape", 0).path.parent == folder.path / "episodes"
