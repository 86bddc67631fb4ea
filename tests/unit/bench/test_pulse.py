"""Workers on other machines go on while somebody wants what they do, and see the folder that they write into."""

from pathlib import Path

import pytest

from agentcl.bench.pulse import Pulse, PulseReader
from agentcl.errors import NotEquipped


def test_a_worker_goes_on_until_the_run_is_stopped(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, "one")
    pulse.beat()
    wanted = PulseReader(tmp_path, "one")
    assert not wanted.is_over()
    pulse.stop()
    assert wanted.is_over()
    assert PulseReader(tmp_path, "one").is_over()  # of a worker that begins late
    pulse.end()
    assert wanted.is_over()


def test_a_worker_stops_when_nobody_beats_any_more(tmp_path: Path) -> None:
    Pulse(tmp_path, "one").beat()
    assert PulseReader(tmp_path, "one", still_s=-1).is_over()


def test_a_worker_stops_when_another_run_of_the_folder_has_begun(tmp_path: Path) -> None:
    Pulse(tmp_path, "one").beat()
    wanted = PulseReader(tmp_path, "one")
    Pulse(tmp_path, "two").beat()
    assert wanted.is_over()


def test_a_machine_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotEquipped, match="does not see the folder"):
        PulseReader(tmp_path, "one")
    Pulse(tmp_path, "two").beat()
    with pytest.raises(NotEquipped, match="under the same path"):
        PulseReader(tmp_path, "one")
