"""The page in a real Chromium, in front of a real server whose model says what it is told to say."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.lessons import Lesson
from agentcl.models import ScriptedModel
from agentcl.server import Keys, ServerSettings
from agentcl.server.endpoint import listening
from agentcl.statements import RuleDigester
from tests.page.reading import MODEL, SIZES, Site, answer
from tests.served import served

# They take minutes, and a browser may be too slow for them where others are at work: `make test-page` runs them.
if not os.environ.get("PAGE"):
    collect_ignore_glob = ["test_*.py"]
sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def filled(memory: Memory) -> Memory:
    me = memory.scoped(user="me")
    for moment, said in (
        ("2025-03-03T18:00:00+01:00", "I live in Gent. I'm allergic to nuts."),
        ("2025-04-01T09:00:00+02:00", "I moved to Leuven last Saturday!"),
    ):
        me.remember([{"role": "user", "content": said, "time": moment}], session=moment[:10])
        me.statements.digest(RuleDigester())
    for title, text in (
        ("Ferry", "The evening boat is steered by Ilka Renn."),
        ("A life", "Ilka Renn was born in Upper Mossling."),
    ):
        memory.add(text, title=title)
    with me.episode("press a specimen", application="herbarium") as episode:
        episode.step("The specimen is damp.", "change the paper", "it dries", reward=1)
        done = episode.finish(1.0)
    me.lessons.reflect([Lesson("a specimen is damp", "do", "change the paper")], episode=done)
    return memory


@pytest.fixture
def site(filled: Memory) -> Iterator[Site]:
    with (
        listening(ScriptedModel(answer), MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream)) as url,
    ):
        yield Site(url, filled)


@pytest.fixture
def locked(filled: Memory, tmp_path: Path) -> Iterator[tuple[Site, str]]:
    keys = Keys(filled.path, file=tmp_path / "keys.db")
    secret, _ = keys.add(name="page", rights=["read", "write", "learn"], scope={"user": "me"})
    with (
        listening(ScriptedModel(answer), MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream), keys=keys) as url,
    ):
        yield Site(url, filled), secret


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(chromium: Any, size: str) -> Iterator[Callable[[str], Any]]:
    """Open an address in a window of a size; whatever the page complains of fails the test."""
    faults: list[str] = []
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(60_000)

    def open_(url: str) -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if is_fault(said) else None,
        )
        page.goto(url)
        return page

    yield open_
    context.close()
    assert faults == []


def is_fault(said: Any) -> bool:
    # Chromium writes down a status, e.g. that a key is missing, which the page tells to its reader; and a script that
    # is refused, which one test puts there itself.
    is_told = said.text.startswith("Failed to load resource") or "data:text/javascript" in said.text
    return said.type == "error" and not is_told
