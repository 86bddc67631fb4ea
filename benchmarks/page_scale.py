"""The page in front of a memory of many documents: what one waits for, and whether it says so.

    python benchmarks/page_scale.py [--docs 100000] [--memory FOLDER] [--shots FOLDER]

A memory is filled, unless FOLDER holds one, and served to a Chromium, which has to be installed. Its indexes are taken
away first, so that the first search and the first graph build them. Seconds go from the click to what was asked for.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pictures import served
from playwright.sync_api import Browser, Page, sync_playwright

from agentcl import Memory
from agentcl.memory import Draft

SIZES: Final = {"desktop": (1280, 800), "phone": (390, 844)}
LONG_S: Final = 2.0  # after which the page has to say how far it is
FIRST: Final = ("Ada", "Bo", "Cleo", "Dag", "Edda", "Finn", "Greta", "Hans", "Ilka", "Jon")
LAST: Final = ("Arl", "Brand", "Crane", "Dorn", "Elm", "Frost", "Gale", "Holt", "Isen", "Jarl")
HEADS: Final = ("Bel", "Cor", "Dun", "Fal", "Gar", "Hol", "Ker", "Lun", "Mor", "Nes")
TAILS: Final = ("dale", "ford", "ham", "holt", "mere", "mouth", "stead", "ton", "wick", "by")
VERBS: Final = ("keeps the archive of", "steers the boat to", "was born in", "sells honey in")
LAST_ROW: Final = re.compile(r"^Entry 0\b")
ASKED: Final = "Who keeps the archive of Belford?"


def main() -> None:
    """Fill, serve, look, and print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--shots", type=Path)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("there is no Chromium here: install one (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.memory or Path(made) / "m"
        if not folder.exists():
            with Memory(folder, encoder="hashing") as memory:
                memory.add_many(documents(arguments.docs))
        shutil.rmtree(folder / "indexes", ignore_errors=True)
        with (
            Memory(folder, encoder="hashing") as memory,
            served(memory, "") as url,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            width, height = SIZES["desktop"]
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(1_200_000)
            told = measured(page, url)
            told["documents"] = memory.store.page(kind="document", limit=1).total
            if arguments.shots:
                shots(browser, url, arguments.shots)
            browser.close()
    json.dump(told, sys.stdout, indent=2)
    print()


def documents(count: int) -> Iterator[Draft]:
    """Yield short texts that name people and places, the same each time."""
    rng = random.Random(1)

    def place() -> str:
        return rng.choice(HEADS) + rng.choice(TAILS)

    for number in range(count):
        who = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        yield Draft(
            text=f"{who} {rng.choice(VERBS)} {place()}. Entry {number} tells of {rng.randint(1800, 2020)} and of the "
            f"road from {place()} to {place()}.",
            title=f"Entry {number}",
        )


def measured(page: Page, url: str) -> dict[str, Any]:
    """Return the seconds of each thing that a reader does, and what the page said meanwhile."""
    steps: dict[str, Any] = {}

    def step(name: str, act: Callable[[], object], there: Callable[[], Any]) -> None:
        began = time.perf_counter()
        act()
        page.evaluate(WATCH)
        there().wait_for()
        seconds = time.perf_counter() - began
        said = page.evaluate("window.saidLong")
        steps[name] = {"seconds": round(seconds, 2), "told": bool(said)}
        print(f"{name}: {seconds:.2f} s{', told' if said else ''}", file=sys.stderr)

    row = "main [data-row] a"
    step(
        "documents",
        lambda: page.goto(f"{url}/#/memory/documents"),
        lambda: page.locator(row).first,
    )
    step(
        "the end of the list",
        lambda: page.locator(row).first.press("End"),
        lambda: page.get_by_role("link", name=LAST_ROW),
    )
    steps["rows in the page"] = page.locator("[data-row]").count()
    step(
        "a document",
        lambda: page.get_by_role("link", name=LAST_ROW).click(),
        lambda: page.get_by_role("heading", name="Entry 0"),
    )
    box = "Find what is remembered"

    def ask() -> None:
        page.get_by_label(box).fill("")
        page.get_by_label(box).fill(ASKED)

    page.goto(f"{url}/#/memory/search")
    page.get_by_label(box).wait_for()
    hit = ".hits li .title"
    step("the first search", ask, lambda: page.locator(hit).first)
    page.get_by_label(box).fill("")
    page.locator(hit).first.wait_for(state="detached")
    step("another search", ask, lambda: page.locator(hit).first)
    step(
        "the first graph",
        lambda: page.goto(f"{url}/#/graph"),
        lambda: page.locator("main ul a").first,
    )
    step(
        "a name of the graph",
        lambda: page.locator("main ul a").first.click(),
        lambda: page.locator("main svg [role=button]").first,
    )
    steps["long, and not told"] = [
        name
        for name, one in steps.items()
        if isinstance(one, dict) and one["seconds"] > LONG_S + 1 and not one["told"]
    ]
    return {"steps": steps}


# Notes whether the page shows that something takes long.
WATCH: Final = """() => {
  window.saidLong = false;
  clearInterval(window.watching);
  window.watching = setInterval(() => {
    window.saidLong ||= Boolean(document.querySelector("progress"));
  }, 50);
}"""


def shots(browser: Browser, url: str, folder: Path) -> None:
    """Save pictures of the screens."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in SIZES.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)
        for place in ("memory/documents", "memory/search", "memory/lessons", "graph", "chat"):
            page.goto(f"{url}/#/{place}")
            page.wait_for_timeout(1_500)
            page.screenshot(path=str(folder / f"{name}-{place.replace('/', '-')}.png"))
        page.close()


if __name__ == "__main__":
    main()
