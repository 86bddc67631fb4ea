"""Looking at what is stored: search, documents, what holds, lessons, the graph, and all of it as it was."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.memory import Draft
from agentcl.store import Document
from tests.page.reading import Site
from tests.served import served


def test_a_search_through_the_graph_shows_its_chain(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/search")
    page.get_by_label("How to search").select_option("graph")
    page.get_by_label("Find what is remembered").fill("Who steers the evening boat?")
    found = page.locator("li", has_text="born in Upper Mossling")
    found.get_by_text("Chain through the graph").first.click()
    assert "ilka renn" in found.locator(".chain").inner_text().lower()
    found.get_by_role("button", name="A life").click()
    page.get_by_role("heading", name="A life").wait_for()


def test_a_statement_shows_what_held_before_and_who_says_so(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/statements")
    page.get_by_role("link", name=re.compile("moved to Leuven")).click()
    page.locator(".history").get_by_text("Gent").wait_for()
    history = page.locator(".history").inner_text()
    assert history.index("Leuven") < history.index("Gent")
    assert "until 29 Mar 2025" in history
    page.get_by_text("I moved to Leuven last Saturday!").wait_for()


def test_the_time_slider_shows_what_held_then(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/documents")
    page.get_by_role("link", name=re.compile("Ferry")).wait_for()
    page.locator("input[type=range]:enabled").wait_for()
    slider = page.get_by_label("Show the memory as it was on")
    slider.focus()
    slider.press("Home")
    page.get_by_text("Nothing can be changed there.").wait_for()
    page.get_by_text("Nothing of this kind was there yet.").wait_for()
    page.get_by_role("button", name="Back to now").click()
    page.get_by_role("link", name=re.compile("Ferry")).wait_for()


def test_the_time_slider_shows_lessons_as_they_were_believed(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    (lesson,) = site.memory.lessons.list(user="me")
    site.memory.lessons.retire(lesson.guidance.id, user="me")
    page = opened(f"{site.url}/#/memory/lessons")
    held = page.get_by_role("link", name=re.compile("When a specimen is damp"))
    held.get_by_text("retired", exact=False).wait_for()
    page.locator("input[type=range]:enabled").wait_for()
    slider = page.get_by_label("Show the memory as it was on")
    slider.focus()
    slider.press("Home")
    page.get_by_text("Nothing can be changed there.").wait_for()
    held.wait_for(state="hidden")
    page.get_by_role("button", name="Back to now").click()
    held.get_by_text("retired", exact=False).wait_for()


def test_a_document_is_edited_and_keeps_its_versions(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    (ferry,) = [one for one in site.memory.list() if getattr(one, "title", "") == "Ferry"]
    page = opened(f"{site.url}/#/memory/documents/{ferry.id}")
    page.get_by_role("button", name="Correct").click()
    page.get_by_label("Edit the text").fill("The evening boat is steered by Bram.")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved as a new version.").wait_for()
    page.get_by_role("button", name="version 1").click()
    page.get_by_text("The evening boat is steered by Ilka Renn.").wait_for()
    assert site.memory.get(ferry.id).version == 2


def test_a_lesson_shows_its_evidence_and_can_be_retired(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/lessons")
    page.get_by_role("link", name=re.compile("When a specimen is damp")).click()
    page.get_by_text("press a specimen").first.wait_for()
    page.get_by_text("Is it still true?").wait_for()
    page.get_by_label("Describe a situation").fill("It is damp here.")
    page.get_by_role("button", name="It applies").click()
    page.get_by_text("Noted. Where the same is seen again, that counts.").wait_for()
    page.get_by_role("button", name="Retire").click()
    page.get_by_role("button", name="Restore").wait_for()
    (standing,) = site.memory.lessons.list(user="me")
    assert standing.belief.stage == "retired"


@pytest.mark.parametrize("size", ["desktop"])
def test_the_graph_begins_with_the_name_that_most_passages_share(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/graph")
    picture = page.get_by_role("group", name=re.compile("ilka renn and"))
    picture.get_by_role("button", name="A life, a passage").wait_for()
    page.get_by_text("Names that most passages share").wait_for()
    picture.get_by_role("button", name="upper mossling, a name").click()
    page.get_by_role("heading", name="upper mossling").wait_for()


def test_one_walks_through_the_graph(site: Site, opened: Callable[[str], Any], size: str) -> None:
    page = opened(f"{site.url}/#/graph")
    page.get_by_role("link", name="ilka renn").first.click()
    picture = page.get_by_role("group", name=re.compile("ilka renn and"))
    node = picture.get_by_role("button", name="upper mossling, a name")
    node.focus()
    page.keyboard.press("Enter")
    page.get_by_role("group", name=re.compile("upper mossling and")).wait_for()
    page.get_by_role("navigation", name="Way so far").get_by_role("link", name="ilka renn").click()
    picture.get_by_role("button", name="A life, a passage").click()
    page.get_by_role("heading", name="A life").wait_for()


def test_the_versions_of_a_renamed_file_tell_where_it_was(
    site: Site, opened: Callable[[str], Any], size: str, tmp_path: Path
) -> None:
    names = ["plans/spring.md", "plans/a long name that no phone has room for in one line.md"]
    file = tmp_path / "kept" / names[0]
    file.parent.mkdir(parents=True)
    file.write_text("Sow the gentian in March.")
    site.memory.sync(tmp_path / "kept")
    file.rename(tmp_path / "kept" / names[1])
    site.memory.sync(tmp_path / "kept")
    (tmp_path / "kept" / "old").mkdir()
    (tmp_path / "kept" / names[1]).rename(tmp_path / "kept" / "old" / "spring.md")
    site.memory.sync(tmp_path / "kept")
    (held,) = [one for one in site.memory.list() if getattr(one, "uri", "").endswith("spring.md")]
    page = opened(f"{site.url}/#/memory/documents/{held.id}")
    listed = page.locator(".versions li")
    listed.first.wait_for()
    told = [" ".join(one.split("moved:")[-1].split()) for one in listed.all_inner_texts()]
    assert told[0].endswith("line.md → old/spring.md")
    assert told[0].startswith("plans/a")
    assert told[1].startswith("spring.md → a")
    assert "moved" not in listed.nth(2).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["desktop"])
def test_thousands_of_documents_are_scrolled_in_one_list(
    tmp_path: Path, opened: Callable[[str], Any], size: str
) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add_many(Draft(text=f"Text {n}", title=f"Document {n}") for n in range(2_000))
        with served(memory) as url:
            page = opened(f"{url}/#/memory/documents")
            page.get_by_role("link", name=re.compile("Document 1999")).wait_for()
            assert page.locator("[data-row]").count() < 60
            page.get_by_role("link", name=re.compile("Document 1999")).focus()
            page.keyboard.press("End")
            last = page.get_by_role("link", name=re.compile(r"^Document 0\b"))
            last.wait_for()
            row = page.locator("[data-row='1999']")
            assert row.get_attribute("aria-posinset") == row.get_attribute("aria-setsize") == "2000"


@pytest.mark.parametrize("size", ["desktop"])
@pytest.mark.parametrize(("place", "words"), [
    ("#/memory/search", "The index is being made ready for the first search"),
    ("#/graph", "The graph is being built from what is stored"),
    ("#/memory/documents", "The list is being read"),
])  # fmt: skip
def test_what_takes_long_is_told(
    site: Site, opened: Callable[[str], Any], size: str, place: str, words: str
) -> None:
    page = opened("about:blank")
    waiting = re.compile("warm_up|page/records")
    held: list[Any] = []
    page.route(waiting, lambda route: held.append(route))  # answered when the test says so
    page.goto(f"{site.url}/{place}")
    if place == "#/memory/search":
        page.get_by_label("Find what is remembered").fill("Who steers the evening boat?")
    page.get_by_role("status").get_by_text(words).first.wait_for()
    page.get_by_role("progressbar").first.wait_for()
    for one in held:
        one.continue_()
    page.unroute(waiting)
    page.get_by_role("progressbar").first.wait_for(state="detached")


@pytest.mark.parametrize("part", ["search", "lessons"])
def test_all_parts_of_the_memory_are_in_sight(
    site: Site, opened: Callable[[str], Any], size: str, part: str
) -> None:
    page = opened(f"{site.url}/#/memory/{part}")
    page.locator("nav .count").first.wait_for()  # they make the parts wider
    links = page.get_by_role("navigation", name="Memory").get_by_role("link")
    assert links.count() == 5
    for link in links.all():
        box = link.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]


@pytest.mark.parametrize("part", ["statements", "documents", "conversations", "lessons", "search"])
def test_what_is_not_there_is_told_in_words_of_the_page(
    site: Site, opened: Callable[[str], Any], size: str, part: str
) -> None:
    page = opened(f"{site.url}/#/memory/{part}/01M8NV1Q7HAT0001ZG7D0TTED1")
    page.get_by_text("It is not here, or not any more.").wait_for()


def test_names_in_the_graph_do_not_lie_on_each_other(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    for number in range(14):
        text = f"Ilka Renn met Person Number{number} of the Royal Society at Upper Mossling."
        site.memory.add(text, title=f"Meeting {number} of the society for alpine plants")
    page = opened("about:blank")
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{site.url}/#/graph/Ilka%20Renn")
    picture = page.get_by_role("group", name=re.compile("ilka renn and"))
    picture.get_by_role("button", name="upper mossling, a name").wait_for()
    page.wait_for_timeout(300)
    boxes = picture.locator("text:not(.late)").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) > 5
    for number, one in enumerate(boxes):
        assert one[0] >= 0
        assert one[2] <= page.viewport_size["width"]
        for other in boxes[:number]:
            beside = one[0] >= other[2] - 1 or other[0] >= one[2] - 1
            assert beside or one[1] >= other[3] - 4 or other[1] >= one[3] - 4


@pytest.mark.parametrize("size", ["phone"])
def test_the_parts_of_the_page_are_named_on_a_phone(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    for name in ("Chat", "Memory", "Graph"):
        box = page.get_by_role("link", name=name, exact=True).get_by_text(name).bounding_box()
        assert box["width"] > 10


def test_a_conversation_of_the_page_is_called_by_what_began_it(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    said = [{"role": "user", "content": "Which trains go to Bergen?"}]
    site.memory.remember(said, session="page-20260101-abc", user="me")
    page = opened(f"{site.url}/#/memory/conversations")
    line = page.get_by_role("link", name=re.compile("Which trains go to Bergen"))
    line.wait_for()
    assert "page-2026" not in line.inner_text()
    line.click()
    page.get_by_role("heading", name="Which trains go to Bergen?").wait_for()


def correct(page: Any, label: str, words: str) -> None:
    """Say on the page what is right, and wait until it is stored."""
    page.get_by_role("textbox", name=label).fill(words)
    page.get_by_role("button", name="Save").click()
    page.get_by_text(re.compile(r"Corrected\.|Saved as a new version\.")).wait_for()


def undo(page: Any) -> None:
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Undone.").wait_for()


def test_of_several_values_only_the_corrected_one_ends(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    said = site.memory.scoped(user="me").statements
    said.add("user", "likes", "tea")
    said.add("user", "likes", "coffee")
    page = opened(f"{site.url}/#/memory/statements")

    def liked() -> list[str]:
        return [one.value for one in said.list() if "likes" in one.text]

    page.get_by_role("link", name=re.compile("likes tea")).click()
    page.get_by_role("button", name="Correct").click()
    assert page.get_by_role("button", name="Save").is_disabled()  # nothing is changed yet
    correct(page, "What holds now?", "mate")
    assert liked() == ["coffee", "mate"]
    undo(page)
    assert liked() == ["tea", "coffee"]
    page.get_by_role("button", name="Correct").click()
    correct(page, "What holds now?", "Tea")  # the same value in other letters
    assert liked() == ["coffee", "Tea"]
    undo(page)
    page.get_by_role("button", name="Correct").click()
    correct(page, "What holds now?", "coffee")  # which holds already
    assert liked() == ["coffee"]
    undo(page)
    assert liked() == ["tea", "coffee"]


def test_a_correction_that_fails_half_way_changes_nothing(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    said = site.memory.scoped(user="me").statements
    tea = said.add("user", "likes", "tea")
    page = opened(f"{site.url}/#/memory/statements/{tea.id}")

    def refused(route: Any) -> None:
        if "mate" in route.request.post_data:
            route.fulfill(status=503, json={"title": "Busy", "detail": "another run is at work"})
        else:
            route.continue_()

    page.route("**/statements/add", refused)
    page.get_by_role("button", name="Correct").click()
    page.get_by_role("textbox", name="What holds now?").fill("mate")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("another run is at work").wait_for()
    assert "tea" in [one.value for one in said.list()]


def test_what_holds_no_longer_can_be_undone(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    said = site.memory.scoped(user="me").statements
    page = opened(f"{site.url}/#/memory/statements")
    page.get_by_role("link", name=re.compile("moved to Leuven")).click()
    page.get_by_role("button", name="No longer").click()
    page.get_by_text("It holds no longer from now on.").wait_for()
    assert "Leuven" not in [one.value for one in said.list()]
    undo(page)
    assert "Leuven" in [one.value for one in said.list()]


def test_what_was_taken_back_can_be_stated_again(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    said = site.memory.scoped(user="me").statements
    boat = said.add("user", "owns", "a boat", since="2024-05", sort="relation")
    page = opened(f"{site.url}/#/memory/statements/{boat.id}")
    page.get_by_role("button", name="Take back").click()
    page.get_by_text("Taken back.").wait_for()
    assert "a boat" not in [one.value for one in said.list()]
    undo(page)
    (again,) = [one for one in said.list() if one.value == "a boat"]
    assert (again.since, again.sort, again.said_at) == (boat.since, boat.sort, boat.said_at)


def test_an_edited_document_is_as_it_was_after_undo(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    (ferry,) = [one for one in site.memory.list() if getattr(one, "title", "") == "Ferry"]
    page = opened(f"{site.url}/#/memory/documents/{ferry.id}")
    page.get_by_role("button", name="Correct").click()
    correct(page, "Edit the text", "The evening boat is steered by Bram.")
    undo(page)
    now = site.memory.get(ferry.id)
    assert isinstance(now, Document)
    assert (now.text, now.version) == ("The evening boat is steered by Ilka Renn.", 3)


def test_a_corrected_turn_stays_in_its_conversation_and_states_what_it_says(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    me = site.memory.scoped(user="me")
    (held,) = [one for one in me.conversations.list() if one.key == "2025-04-01"]
    (before,) = me.conversations.turns(held.id)
    page = opened(f"{site.url}/#/memory/conversations/{held.id}")
    page.get_by_role("button", name=re.compile("Correct")).click()
    correct(page, "What should it say?", "I moved to Antwerp last Saturday!")
    (now,) = me.conversations.turns(held.id)
    assert (now.text, now.said_at) == ("I moved to Antwerp last Saturday!", before.said_at)
    (home,) = [one for one in me.statements.list() if one.slot == "user / home"]
    assert (home.value, home.since) == ("Antwerp", "2025-03-29")
    undo(page)
    (again,) = me.conversations.turns(held.id)
    assert (again.text, again.said_at) == (before.text, before.said_at)
    assert "Leuven" in [one.value for one in me.statements.list()]


def test_a_corrected_turn_keeps_its_place(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    me = site.memory.scoped(user="me")
    said = ["Which trains go to Bergen?", "Two a day.", "And back?"]
    done = me.remember(said, session="trains")
    page = opened(f"{site.url}/#/memory/conversations/{done.conversation}")
    page.get_by_role("button", name="Correct: Two a day.").click()
    correct(page, "What should it say?", "Three a day.")
    now = [turn.text for turn in me.conversations.turns(done.conversation)]
    assert now == [said[0], "Three a day.", said[2]]
    undo(page)
    assert [turn.text for turn in me.conversations.turns(done.conversation)] == said


def test_what_somebody_else_changed_meanwhile_is_shown_before_it_is_replaced(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    (ferry,) = [one for one in site.memory.list() if getattr(one, "title", "") == "Ferry"]
    page = opened(f"{site.url}/#/memory/documents/{ferry.id}")
    page.get_by_role("button", name="Correct").click()
    site.memory.update(ferry.id, text="The evening boat is steered by Noor.")
    text = page.get_by_role("textbox", name="Edit the text")
    text.fill("The evening boat is steered by Bram.")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Somebody else changed it meanwhile.").wait_for()
    page.get_by_text("The evening boat is steered by Noor.").wait_for()
    assert text.input_value() == "The evening boat is steered by Bram."
    correct(page, "Edit the text", "The evening boat is steered by Noor and Bram.")
    now = site.memory.get(ferry.id)
    assert isinstance(now, Document)
    assert (now.text, now.version) == ("The evening boat is steered by Noor and Bram.", 3)
    undo(page)
    now = site.memory.get(ferry.id)
    assert isinstance(now, Document)
    assert now.text == "The evening boat is steered by Noor."


def test_a_way_back_is_not_left_to_the_next_person(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/statements")
    page.get_by_role("link", name=re.compile("moved to Leuven")).click()
    page.get_by_role("button", name="No longer").click()
    page.get_by_role("button", name="Undo").wait_for()
    page.get_by_role("button", name=re.compile("Whose memory")).click()
    page.get_by_role("textbox", name="Whose memory").fill("bo")
    page.get_by_role("button", name="Use this name").click()
    page.get_by_role("button", name="Undo").wait_for(state="detached")


def lines_of(download: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(download.path()).read_text("utf-8").splitlines()]


def test_what_may_be_read_is_exported_and_nothing_else(
    locked: tuple[Site, str], opened: Callable[[str], Any], size: str
) -> None:
    site, secret = locked
    site.memory.remember("The password of the harbour is kept by Bo.", user="bo", session="s")
    site.memory.add_many(Draft(text=f"Text {n}", title=f"Note {n}") for n in range(600))
    page = opened(f"{site.url}/#/memory/documents")
    page.get_by_role("textbox", name="Key").fill(secret)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    page.get_by_text(re.compile("records exported")).wait_for()
    assert re.fullmatch(r"agentcl-me-\d{4}-\d\d-\d\d\.jsonl", downloading.value.suggested_filename)
    head, *records = lines_of(downloading.value)
    assert head["scope"] == {"user": "me"}
    assert sum(one["kind"] == "document" for one in records) == 602
    assert len({one["id"] for one in records}) == len(records)
    for kind, words in {
        "document": "steered by Ilka Renn", "turn": "moved to Leuven", "statement": "allergic to nuts",
        "episode": "press a specimen", "step": "it dries", "guidance": "change the paper",
    }.items():  # fmt: skip
        assert any(words in json.dumps(one) for one in records if one["kind"] == kind)
    assert "password of the harbour" not in json.dumps(records)


def test_an_export_is_as_of_the_moment_that_is_shown(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/documents")
    page.locator("input[type=range]:enabled").wait_for()
    slider = page.get_by_label("Show the memory as it was on")
    slider.focus()
    slider.press("Home")
    page.get_by_text("Nothing of this kind was there yet.").wait_for()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    (head,) = lines_of(downloading.value)
    assert head["as_of"]


def test_an_export_that_fails_says_so_and_can_be_asked_for_again(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/documents")
    busy = {"title": "Busy", "detail": "too many requests at once"}
    page.route("**/v1/memory/list", lambda route: route.fulfill(status=429, json=busy))
    page.get_by_role("button", name="Export").click()
    page.get_by_text("too many requests at once").wait_for()
    page.unroute("**/v1/memory/list")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    assert len(lines_of(downloading.value)) > 5
