"""What the tests of the page share: a model that says what it is shown, and what a reader does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentcl import Memory
from agentcl.models import Message

MODEL = "scripted-0.5b"
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}


def answer(messages: Sequence[Message]) -> str:
    """Say what was shown, as a model would that reads it."""
    shown = [line for one in messages for line in one.content.splitlines() if line.startswith("[")]
    if not shown:
        return "I cannot know that."
    return "I know: " + re.sub(r"^\[[^\]]*\]\s*", "", shown[-1])


@dataclass(frozen=True, slots=True)
class Site:
    """A served memory."""

    url: str
    memory: Memory


def say(page: Any, words: str) -> None:
    """Say something, and wait until it is answered and stored."""
    page.get_by_label("Say something").fill(words)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send").wait_for()
    page.get_by_role("button", name=re.compile("shown")).last.wait_for()


def panel(page: Any, size: str) -> Any:
    """Return what memory did for the last answer, opened where the screen is small, once it is all there."""
    if size == "phone":
        page.get_by_role("button", name=re.compile("shown")).last.click()
    shown = page.get_by_role("complementary", name="What memory did")
    shown.locator(".cards[aria-busy=false]").wait_for()
    return shown


def opened_card(shown: Any, text: str) -> Any:
    """Return the card of a memory, opened, also if it stands among the others of its block."""
    others = shown.locator("details.others")
    if others.count() and others.get_by_text(text).count():
        others.locator("summary").first.click()
    card = shown.locator("details.memory", has_text=text).last
    card.locator("summary").click()
    return card


def said(page: Any, words: str) -> None:
    """Wait until something stands in the conversation."""
    page.get_by_role("log").get_by_text(words).last.wait_for()


def serious_faults(page: Any) -> list[Any]:
    """Return what axe finds on the page that keeps somebody from using it."""
    page.evaluate(AXE.read_text("utf-8"))
    page.wait_for_timeout(400)
    found = page.evaluate("axe.run()")["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
