"""Make the pictures of the chat that README and docs show: `make pictures`.

    python benchmarks/pictures.py [--out docs/assets] [--encoder minilm]

A memory is filled, served, and talked with in a Chromium, which has to be installed. What the model says is written down
here, so that the pictures are the same each time; what stands beside it the memory does while the picture is made.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from agentcl import Lesson, Memory, Message, ScriptedModel
from agentcl.server import ServerSettings, create_app
from agentcl.server.endpoint import listening
from agentcl.statements import RuleDigester

SIZE: Final = (1280, 800)
STORY: Final = (960, 600)
STILL_MS: Final = 1_700
STEP_MS: Final = 450
MODEL: Final = "scripted"
DAYS: Final = 86_400_000_000  # microseconds
TOLD: Final = {  # days ago: what was said
    86: "I work as a botanist. I live in Gent.",
    74: "I'm allergic to nuts.",
}
NOTES: Final = {
    "Ferry timetable": "The evening boat leaves Ostend at 19:10 and is steered by Ilka Renn.\n\nIt takes bicycles.",
    "A life": "Ilka Renn was born in Upper Mossling. She learned to sail on Lake Vane.",
    "Lake Vane": "Lake Vane lies above Upper Mossling. The gentian grows on its northern shore.",
    "Herbarium notes": "The alpine gentian was collected near Upper Mossling in June. Press it between blotting paper "
    "for nine days.",
    "Drying": "A damp specimen is dried for a night before it is mounted.",
}
FACTS: Final = {
    "A life": [("Ilka Renn", "was born in", "Upper Mossling")],
    "Lake Vane": [("Lake Vane", "lies above", "Upper Mossling")],
}
MOVED: Final = "I moved to Antwerp yesterday."
COOK: Final = "What could I cook tonight?"
GENTIAN: Final = "Where can I see the gentian?"
ANSWERS: Final = {  # with memory, and without
    MOVED: ("Good luck with the move! I will go by Antwerp from now on.", "Good luck!"),
    COOK: (
        "Something without nuts, since you are allergic. A **mushroom risotto** would do.",
        "A satay curry: fry the chicken, and stir in peanut butter and coconut milk.",
    ),
    GENTIAN: (
        "Near Upper Mossling in June, and on the northern shore of Lake Vane.",
        "In the Alps.",
    ),
}


class Clock:
    """The time, some days ago while the memory is filled."""

    def __init__(self) -> None:
        self.days_ago = 0

    def __call__(self) -> int:
        """Return microseconds since 1970."""
        return int(datetime.now(UTC).timestamp() * 1_000_000) - self.days_ago * DAYS


def main() -> None:
    """Fill, serve, talk, and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/assets"))
    parser.add_argument("--encoder", default="minilm")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("there is no Chromium here: install one (apt-get install chromium)")
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "m", encoder=arguments.encoder, clock=clock) as memory,
        listening(ScriptedModel(answer), MODEL) as upstream,
    ):
        fill(memory, clock)
        with served(memory, upstream) as url, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
            page.set_default_timeout(120_000)
            take(page, url, arguments.out)
            browser.close()


def answer(messages: Sequence[Message]) -> str:
    """Say what is written down for the question, with a block of memory in front of it or without."""
    asked = messages[-1].content.splitlines()[-1]
    has_memory = any(one.content.startswith("Memory") for one in messages)
    told = ANSWERS.get(asked, (asked, asked))  # its fingerprint is measured by other texts
    return told[0 if has_memory else 1]


def fill(memory: Memory, clock: Clock) -> None:
    """Store what was said and noted in the last months."""
    me = memory.scoped(user="me")
    for clock.days_ago, said in TOLD.items():
        moment = datetime.now(UTC) - timedelta(days=clock.days_ago)
        message = {"role": "user", "content": said, "time": moment}
        me.remember([message], session=f"{moment:%Y-%m-%d}")
        me.statements.digest(RuleDigester())
    clock.days_ago = 66
    for title, text in NOTES.items():
        uri = f"notes/{title.lower().replace(' ', '-')}.md"
        noted = memory.add(text, title=title, uri=uri)
        if facts := FACTS.get(title):
            memory.facts.add(noted.id, facts)
    with me.episode("press a specimen", application="herbarium") as episode:
        episode.step("The specimen is damp.", "change the paper", "it dries", reward=1)
        done = episode.finish(1.0)
    me.lessons.reflect([Lesson("a specimen is damp", "do", "change the paper")], episode=done)
    clock.days_ago = 0


@contextmanager
def served(memory: Memory, upstream: str) -> Iterator[str]:
    """Yield the address of the memory's server."""
    settings = ServerSettings(upstream=upstream, port=0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(create_app(memory, settings=settings), log_config=None)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


class Story:
    """Frames, each with the time that it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[tuple[Image.Image, int]] = []

    def frame(self, shown_ms: int = STEP_MS) -> None:
        """Take a picture of what is seen now."""
        self._frames.append((picture(self._page).resize(STORY, Image.Resampling.LANCZOS), shown_ms))

    def save(self, path: Path) -> None:
        """Write an animation that goes on for ever."""
        first, *rest = [image for image, _ in self._frames]
        durations = [shown for _, shown in self._frames]
        first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, quality=70)


def picture(page: Page) -> Image.Image:
    """Return what is seen."""
    page.wait_for_timeout(350)  # what moves has come to rest
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def say(page: Page, words: str, story: Story) -> None:
    """Type something, send it, and wait until it is answered, stored and explained."""
    said = page.get_by_label("Say something")
    for end in (len(words) // 2, len(words)):
        said.fill(words[:end])
        story.frame()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send").wait_for()
    page.get_by_role("button", name=re.compile("shown")).last.wait_for()
    page.get_by_role("complementary", name="What memory did").locator(
        ".cards[aria-busy=false]"
    ).wait_for()
    story.frame(STILL_MS)


def take(page: Page, url: str, out: Path) -> None:
    """Talk, search and walk, and save a picture of each."""
    out.mkdir(parents=True, exist_ok=True)
    story = Story(page)
    page.goto(url)
    page.get_by_label("Say something").wait_for()
    say(page, MOVED, story)
    panel: Any = page.get_by_role("complementary", name="What memory did")
    panel.evaluate("one => one.scrollTo({top: one.scrollHeight})")
    story.frame(STILL_MS)
    page.get_by_text("Compare both").click()
    say(page, COOK, story)
    page.get_by_text("Memory on").click()
    say(page, GENTIAN, story)
    card = panel.locator("details.memory", has_text="alpine gentian").last
    card.locator("summary").click()
    card.evaluate("one => one.scrollIntoView({block: 'end'})")
    story.frame(STILL_MS)
    picture(page).save(out / "chat.webp", quality=80)

    page.goto(f"{url}/#/memory/search")
    page.get_by_label("How to search").select_option("graph")
    page.get_by_label("Find what is remembered").fill("Who steers the evening boat?")
    found = page.locator("li", has_text="It takes bicycles")
    found.get_by_text("Chain through the graph").first.click()
    found.get_by_role("button", name="Ferry timetable").click()
    page.get_by_role("heading", name="Ferry timetable").wait_for()
    picture(page).save(out / "memory.webp", quality=80)

    page.goto(f"{url}/#/graph/ilka%20renn")
    page.get_by_role("group", name=re.compile("ilka renn and")).wait_for()
    story.frame(STILL_MS)
    page.goto(f"{url}/#/graph/upper%20mossling")
    page.get_by_role("group", name=re.compile("upper mossling and")).wait_for()
    story.frame(2 * STILL_MS)
    story.save(out / "chat-story.webp")


if __name__ == "__main__":
    main()
