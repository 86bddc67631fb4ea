"""Every example runs as a user would run it, and prints what it promises."""

import json
import re
import subprocess
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from agentcl.models import REFERENCE_FOLDER, get_model
from tests.endpoints import JsonHandler, completion, in_thread

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LINK = re.compile(r"\]\(([^)]+)\)")
PRINTS = {
    "compare_memories.py": "ours     first half 0.68, second half 1.00",
    "concurrent_agents.py": "'agent-9': 3",
    "forgetting.py": "forgotten: still on disk: False",
    "frozen_model.py": "the model is the same",
    "learning_loop.py": "ways that open, found: 6 of 6",
    "scopes.py": "Bo cannot forget",
    "tools.py": "refund: nothing yet: do what the guidance says",
    "two_steps.py": "<- the answer",
    "time_travel.py": "then:   ['The ferry leaves at seven.']",
}


def run(file: Path, folder: Path, *options: str) -> str:
    done = ended(file, folder, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(
    file: Path, folder: Path, *options: str, said: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(file), *options],
        cwd=folder,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "AGENTCL_ENCODER": "hashing", "COLUMNS": "100", "HOME": str(folder)},
    )


def test_every_example_is_run_here() -> None:
    demos = {
        "memory_demo.py",
        "picture.py",
        "learning_demo.py",
        "curves.py",
        "real_demo.py",
        "chat_that_remembers.py",
    }
    found = {path.name for path in EXAMPLES.glob("*.py")} - demos
    assert found == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs_and_is_short(name: str, tmp_path: Path) -> None:
    assert PRINTS[name] in run(EXAMPLES / name, tmp_path)
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= 40


def test_the_demo_fills_asks_explains_and_draws(tmp_path: Path) -> None:
    printed = run(EXAMPLES / "memory_demo.py", tmp_path)
    assert "188 documents remembered" in printed
    assert "1. The ferry Petrel" in printed
    assert "matched" in printed
    assert "Forgotten for good" in printed
    picture = ET.parse(tmp_path / "demo.svg").getroot()
    namespace = "{http://www.w3.org/2000/svg}"
    assert len(list(picture.iter(f"{namespace}circle"))) == 188
    assert (tmp_path / "demo-memory" / "journal.db").exists()


@pytest.mark.parametrize(("agent", "episodes"), [("responder", 40), ("model", 4)])
def test_the_demo_of_learning_plays_compares_and_draws(
    agent: str, episodes: int, tmp_path: Path
) -> None:
    options = (
        "--agent",
        agent,
        "--episodes",
        str(episodes),
        "--deployments",
        "1",
        "--workers",
        "1",
    )
    printed = run(EXAMPLES / "learning_demo.py", tmp_path, *options)
    assert f"{2 * episodes}/{2 * episodes}" in printed
    assert re.search(r"lessons (earned their|has earned its) place", " ".join(printed.split()))
    assert ("the same" in printed) == (agent == "model")
    picture = ET.parse(tmp_path / "demo-curves.svg").getroot()
    paths = [path.get("d", "") for path in picture.iter("{http://www.w3.org/2000/svg}path")]
    assert sorted(path.count("L") for path in paths)[-2:] == [episodes - 1] * 2
    assert "Lessons and their evidence" in (tmp_path / "demo-run" / "report.html").read_text(
        "utf-8"
    )
    assert (tmp_path / "demo-run" / "memories" / "guidance.0" / "journal.db").exists()


def test_the_demo_with_a_real_model_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_model = ended(EXAMPLES / "real_demo.py", tmp_path)
    assert (without_model.returncode, without_model.stderr) == (1, "")
    assert "make model" in without_model.stdout
    monkeypatch.setenv("AGENTCL_MODELS", str(tmp_path / ".cache" / "agentcl" / "models"))
    get_model(str(REFERENCE_FOLDER), name="ours")
    without_vllm = ended(EXAMPLES / "real_demo.py", tmp_path, "--model", "ours")
    assert (without_vllm.returncode, without_vllm.stderr) == (1, "")
    assert "vLLM is not installed" in without_vllm.stdout


class _Parrot(JsonHandler):
    """Answers with the number of its messages, and keeps what the last one says."""

    def do_POST(self) -> None:
        said = self.asked()["messages"]
        self.server.heard.append(said[-1]["content"])  # type: ignore[attr-defined]  # a list of ours
        self.answer(completion(f"{len(said)} messages"))


def test_a_chat_remembers_from_one_session_to_the_next(tmp_path: Path) -> None:
    without_server = ended(EXAMPLES / "chat_that_remembers.py", tmp_path)
    assert without_server.returncode == 1
    assert "agentcl model serve" in without_server.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), _Parrot) as server, in_thread(server):
        heard: list[str] = []
        server.heard = heard  # type: ignore[attr-defined]  # a list of ours
        url = f"http://127.0.0.1:{server.server_port}/v1"
        for line in ("My cat is called Momo.", "What is my cat called?"):
            done = ended(EXAMPLES / "chat_that_remembers.py", tmp_path, url, "m", said=line)
            assert done.returncode == 0, done.stderr
            assert "1 messages" in done.stdout
    assert heard[0] == "My cat is called Momo."
    assert "My cat is called Momo." in heard[1]
    assert heard[1].endswith("What is my cat called?")
    assert len((EXAMPLES / "chat_that_remembers.py").read_text("utf-8").splitlines()) <= 40


def test_the_corpus_is_whole() -> None:
    """Every link leads to a document, every document is linked, every question has its documents."""
    texts = {path.stem: path.read_text("utf-8") for path in (EXAMPLES / "corpus").glob("*.md")}
    linked = set()
    for slug, text in texts.items():
        targets = {target.removesuffix(".md") for target in LINK.findall(text)}
        assert targets <= set(texts), slug
        linked |= targets
    assert len(texts) == len(set(texts.values())) == 188
    questions = json.loads((EXAMPLES / "questions.json").read_text("utf-8"))
    assert {asked["kind"] for asked in questions} == {"keyword", "paraphrase", "multihop"}
    for asked in questions:
        assert set(asked["gold"]) <= set(texts)
        assert len(asked["gold"]) == (2 if asked["kind"] == "multihop" else 1)
