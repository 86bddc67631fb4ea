"""Agents in processes of their own: killed in mid-episode, and learning into one memory together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agentcl import Memory
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.lessons import Lesson

KILLED = """
import os, signal, sys
from agentcl import Memory
with Memory(sys.argv[1], encoder="hashing") as memory:
    episode = memory.episode("clear it", application="ops")
    episode.recall("The queue Tavon is slow.")
    episode.step("The queue Tavon is slow.", "drain Tavon", "nothing changes")
    print(episode.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
LEARNING = """
import sys
from agentcl import Memory
from agentcl.lessons import Lesson
with Memory(sys.argv[1], encoder="hashing", durability="normal") as memory:
    for number in range(8):
        with memory.episode("clear it", application="ops") as episode:
            episode.recall("The queue Tavon is slow.")
            episode.step("The queue Tavon is slow.", "drain Tavon", "the alert is cleared")
            played = episode.finish(1.0)
        memory.lessons.reflect([Lesson("a queue is slow", "do", "drain it")], episode=played)
"""


def test_an_agent_that_is_killed_leaves_an_open_episode_that_credits_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with Memory(folder, encoder="hashing") as memory:
        memory.lessons.reflect([Lesson("a queue is slow", "do", "drain it")], application="ops")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    with Memory(folder, encoder="hashing") as memory:
        (held,) = memory.episodes.list()
        assert (held.id, held.status, held.score) == (done.stdout.strip(), "open", None)
        assert [step.action for step in memory.episodes.steps(held.id)] == ["drain Tavon"]
        (lesson,) = memory.lessons.state().lessons.values()
        assert (lesson.uses, lesson.wins, lesson.losses) == (0, 0, 0)
        # Whoever knows how it went can still say so.
        assert memory.episodes.score(held.id, 0.0).status == "finished"


def test_processes_learn_into_one_memory_and_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    Memory(folder, encoder="hashing").close()
    running = [
        subprocess.Popen([sys.executable, "-c", LEARNING, str(folder)], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    with Memory(folder, encoder="hashing") as memory:
        assert len(list(memory.episodes.list())) == 24
        (lesson,) = memory.lessons.state().lessons.values()
        assert memory.lessons.state().trust.counts(lesson.guidance.id) == (23, 0)
        again = GuidanceState.of(memory.store.journal.since(0, kinds=KINDS))
        assert again.digest() == memory.lessons.state().digest()
