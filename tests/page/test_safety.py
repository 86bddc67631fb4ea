"""Stored text is always text, whatever it looks like, and the page is for everybody who can read it."""

from collections.abc import Callable
from typing import Any

import pytest

from agentcl import Memory
from agentcl.guidance.rules import GuidanceRules
from agentcl.models import ScriptedModel
from agentcl.server import ServerSettings
from agentcl.server.endpoint import listening
from agentcl.server.settings import SoftServing
from agentcl.statements import RuleDigester
from tests.hashed_codec import HashedCodec
from tests.page.reading import AXE, MODEL, Site, answer, panel, say, serious_faults
from tests.served import served

HOSTILE = (
    "<script>window.hit = 1</script>",
    '<img src="x" onerror="window.hit = 1">',
    '<svg onload="window.hit = 1"><circle r="9"/></svg>',
    "[click](javascript:window.hit=1)",
    "</textarea></template><iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "{{constructor.constructor('window.hit=1')()}}",
)
PLACES = (
    "#/chat",
    "#/memory/search",
    "#/memory/statements",
    "#/memory/documents",
    "#/memory/conversations",
    "#/memory/lessons",
    "#/graph",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", ["desktop"])
def test_stored_markup_stays_text(
    site: Site, opened: Callable[[str], Any], size: str, text: str
) -> None:
    me = site.memory.scoped(user="me")
    document = site.memory.add(f"Boat: {text}", title=text, uri=f"u/{text}", metadata={"m": text})
    me.remember([{"role": "user", "content": f"I like {text}", "name": text}], session=text)
    me.statements.add("user", text, text)
    me.statements.digest(RuleDigester())
    site.memory.facts.add(document.id, [("Boat", text[:40], "Quay")])
    page = opened(site.url)
    say(page, f"What about the boat {text}?")
    shown = panel(page, size)
    shown.locator(".memory summary").first.wait_for()
    for folded in shown.get_by_text("more in the block").all():
        folded.click()
    for summary in shown.locator(".memory summary").all():
        summary.click()
    for place in PLACES[1:]:
        page.goto(f"{site.url}/{place}")
        page.locator("main").wait_for()
        line = page.locator("main .line, main .all a").first
        if place not in ("#/graph", "#/memory/search"):
            line.click()
            page.locator(".detail h2").wait_for()
    page.goto(f"{site.url}/#/memory/documents/{document.id}")
    page.get_by_role("heading", name=text).wait_for()
    page.goto(f"{site.url}/#/graph/Boat")
    page.get_by_role("group").wait_for()
    assert page.evaluate("window.hit") is None
    assert page.locator("iframe, main img, a[href^='javascript']").count() == 0


def test_nothing_of_elsewhere_is_loaded(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url)
    say(page, "Where do I live?")
    assert asked
    assert all(url.startswith(site.url) for url in asked)


def test_a_script_that_is_put_into_the_page_does_not_run(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    page.get_by_label("Say something").wait_for()
    refused = page.evaluate(
        """() => new Promise((told) => {
            addEventListener("securitypolicyviolation", (event) => told(event.effectiveDirective));
            const script = document.createElement("script");
            script.src = "data:text/javascript,window.hit=1";
            document.body.append(script);
        })"""
    )
    assert refused == "script-src-elem"
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_no_serious_fault(
    site: Site, opened: Callable[[str], Any], size: str, place: str, theme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install in web/")
    page = opened("about:blank")
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto(f"{site.url}/{place}")
    page.locator("nav").first.wait_for()
    if place == "#/chat":
        page.get_by_text("Compare both").click()
        say(page, "I moved to Antwerp yesterday. Who steers the boat?")
        shown = panel(page, size)
        shown.get_by_text("2 turns kept").wait_for()
        shown.locator(".memory summary").first.click()
    elif place == "#/graph":
        page.goto(f"{site.url}/#/graph/Ilka%20Renn")
        page.get_by_role("group").wait_for()
    elif place == "#/memory/search":
        page.get_by_label("Find what is remembered").fill("boat")
        page.locator(".hit").first.wait_for()
    else:
        page.locator("main .line, main .all a").first.click()
        page.locator(".detail h2").wait_for()
    assert serious_faults(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_soft_memories_lessons_and_waiting(
    filled: Memory, opened: Callable[[str], Any], size: str, theme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install in web/")
    codec = HashedCodec()
    filled.compressed.compress(codec)
    filled.lessons.rules = GuidanceRules(credit=False)
    filled.lessons.add("When the boat is late, wait at the old quay.", user="me")
    soft = SoftServing(codec, is_on=True, sending="numpy")
    with (
        listening(ScriptedModel(answer), MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream, soft=soft)) as url,
    ):
        page = opened("about:blank")
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.goto(url)
        say(page, "The boat is late. Who steers it?")
        shown = panel(page, size)
        shown.get_by_text("As soft tokens").wait_for()
        shown.get_by_text("Lessons in the prompt").wait_for()
        shown.get_by_text("unchanged").wait_for()  # a button that is disabled meanwhile is pale
        assert serious_faults(page) == []
        page.route("**/warm_up", lambda route: None)  # it never answers
        page.goto(f"{url}/#/graph")
        page.get_by_role("progressbar").wait_for()
        assert serious_faults(page) == []
        page.unroute("**/warm_up")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop"])
def test_the_first_paint_has_the_colours_of_the_system(
    chromium: Any, site: Site, size: str, theme: str
) -> None:
    context = chromium.new_context(color_scheme=theme, java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url)
    ground = page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor")
    context.close()
    assert ground == {"light": "rgb(246, 247, 245)", "dark": "rgb(14, 21, 20)"}[theme]
