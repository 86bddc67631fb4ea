"""Talking on the page: what the model was shown and why, what was kept, and what one can do with it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory, NotFound
from agentcl.guidance.rules import GuidanceRules
from agentcl.models import ScriptedModel
from agentcl.server import Keys, ServerSettings
from agentcl.server.endpoint import listening
from agentcl.server.settings import SoftServing
from agentcl.store import Turn
from tests.hashed_codec import HashedCodec
from tests.page.reading import (
    AXE,
    MODEL,
    Site,
    answer,
    opened_card,
    panel,
    said,
    say,
    serious_faults,
)
from tests.served import served

FIRST = "I live in Gent. I'm allergic to nuts."


def test_an_answer_shows_what_was_put_before_the_model_and_what_was_kept(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "I moved to Antwerp yesterday. Where do I live?")
    said(page, "I know:")
    shown = panel(page, size)
    shown.locator(".memory").get_by_text("The user moved to Leuven.").first.wait_for()
    shown.get_by_text(re.compile(r"^\d+ tokens$")).wait_for()
    shown.get_by_text("2 turns kept").wait_for()
    shown.get_by_role("button", name="The user moved to Antwerp.").wait_for()
    replaced = shown.locator("li.minus")
    assert replaced.inner_text().startswith("The user moved to Leuven.")
    turns = site.memory.list(kind="turn", user="me")
    assert isinstance(turns[-2], Turn)
    assert turns[-2].text == "I moved to Antwerp yesterday. Where do I live?"


def test_a_memory_says_why_it_is_there(site: Site, opened: Callable[[str], Any], size: str) -> None:
    page = opened(site.url)
    say(page, "Who steers the evening boat?")
    card = opened_card(panel(page, size), "steered by Ilka Renn")
    card.get_by_text(re.compile(r"words \d+ %")).wait_for()
    card.get_by_text("not rated yet").wait_for()


def test_the_model_shows_one_fingerprint_however_often_it_is_measured(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "Where do I live?")
    shown = panel(page, size)
    shown.get_by_text(MODEL).wait_for()
    shown.get_by_text("unchanged").wait_for()
    before = shown.locator(".print").get_attribute("aria-label")
    shown.get_by_role("button", name="Check now").click()
    shown.get_by_text(re.compile("2 checks since .*, all the same")).wait_for()
    assert shown.locator(".print").get_attribute("aria-label") == before
    assert len(before or "") == 32


def test_what_is_forgotten_is_gone_and_a_receipt_says_so(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "What am I allergic to?")
    card = opened_card(panel(page, size), "The user is allergic to nuts.")
    card.get_by_role("button", name="Forget").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Forget for good").click()
    dialog.get_by_text("Holds no byte of it").wait_for()
    assert re.search(r"[0-9A-Z]{26}", dialog.inner_text())
    dialog.get_by_role("button", name="Close").last.click()
    held = [one.text for one in site.memory.statements.list(user="me")]
    assert "The user is allergic to nuts." not in held


def test_what_is_corrected_replaces_what_held(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "Where do I live?")
    card = opened_card(panel(page, size), "The user moved to Leuven.")
    card.get_by_role("button", name="Correct").click()
    page.get_by_role("textbox", name="What holds now?").fill("Brugge")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Corrected.").wait_for()
    history = site.memory.statements.history("user / home", user="me")
    assert [one.value for one in history] == ["Gent", "Leuven", "Brugge"]


def test_what_is_pinned_stands_first_in_the_next_block(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "Who steers the evening boat?")
    card = opened_card(panel(page, size), "steered by Ilka Renn")
    card.get_by_role("button", name="Pin").click()
    card.get_by_role("button", name="Pinned").wait_for()
    found = site.memory.context("Hello", user="me", session="another")
    assert found.shown[0].text == "The evening boat is steered by Ilka Renn."


def test_memory_can_be_off_and_nothing_is_kept_then(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    before = len(site.memory.list(kind="turn", user="me"))
    page = opened(site.url)
    page.get_by_text("Memory off").click()
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    said(page, "I cannot know that.")
    page.get_by_role("button", name="Send").wait_for()
    assert len(site.memory.list(kind="turn", user="me")) == before


def test_two_answers_stand_beside_each_other(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    page.get_by_text("Compare both").click()
    say(page, "Where do I live?")
    with_memory, without = page.locator(".answer").all()
    assert with_memory.inner_text().split("\n\n")[:2] == ["With memory", f"I know: {FIRST}"]
    assert without.inner_text().split("\n\n") == ["Without memory", "I cannot know that."]
    one, other = with_memory.bounding_box(), without.bounding_box()
    assert (one["y"] == other["y"]) == (size == "desktop")


def test_thumbs_credit_what_was_shown(site: Site, opened: Callable[[str], Any], size: str) -> None:
    page = opened(site.url)
    say(page, "Where do I live?")
    page.get_by_role("button", name="That was a good answer").click()
    page.get_by_text(re.compile(r"Counted for \d+ memories.")).wait_for()
    (home,) = [one for one in site.memory.statements.list(user="me") if one.slot == "user / home"]
    counters = site.memory.store.counters(home.id, user="me")
    assert (counters.uses, counters.wins, counters.losses) == (1, 1, 0)


def test_an_answer_can_be_stopped_and_the_next_question_is_answered(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    page.route("**/v1/chat/completions", lambda route: None)  # it never answers
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("No answer came.").wait_for()
    page.unroute("**/v1/chat/completions")
    say(page, "And now?")
    said(page, "I know:")


def test_without_a_model_the_page_says_what_to_do(
    filled: Memory, opened: Callable[[str], Any], size: str
) -> None:
    with served(filled) as url:
        page = opened(url)
        page.get_by_text("No model stands behind this server.").wait_for()
        page.get_by_text("agentcl chat --web").wait_for()
        page.goto(f"{url}/#/memory/documents")
        page.get_by_role("link", name="Ferry").wait_for()


def test_a_key_is_asked_for_and_opens_its_own_user(
    locked: tuple[Site, str], opened: Callable[[str], Any], size: str
) -> None:
    site, secret = locked
    page = opened(site.url)
    page.get_by_role("textbox", name="Key").fill("agentcl-wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("This key opens nothing here.").wait_for()
    page.get_by_role("textbox", name="Key").fill(secret)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    say(page, "Where do I live?")
    said(page, "I know:")
    assert page.evaluate("localStorage.length") <= 1
    assert secret not in page.evaluate("JSON.stringify(localStorage)")
    page.reload()
    page.get_by_role("button", name=re.compile("Whose memory: me")).wait_for()


def test_a_key_that_is_taken_away_is_asked_for_again(
    locked: tuple[Site, str], tmp_path: Path, opened: Callable[[str], Any], size: str
) -> None:
    site, secret = locked
    page = opened(f"{site.url}/#/memory/statements")
    page.get_by_role("textbox", name="Key").fill(secret)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("link", name=re.compile("moved to Leuven")).click()
    page.get_by_role("button", name="No longer").wait_for()
    keys = Keys(site.memory.path, file=tmp_path / "keys.db")
    (held,) = keys.all()
    keys.remove(held.id)
    other, _ = keys.add(name="another", scope={"user": "me"})
    page.get_by_role("button", name="No longer").click()
    page.get_by_text("This key opens nothing here.").wait_for()
    page.get_by_role("textbox", name="Key").fill(other)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    page.get_by_role("button", name="No longer").click()
    page.get_by_text("It holds no longer from now on.").wait_for()


def test_a_key_of_another_person_begins_another_conversation(
    locked: tuple[Site, str], tmp_path: Path, opened: Callable[[str], Any], size: str
) -> None:
    site, secret = locked
    page = opened(site.url)
    page.get_by_role("textbox", name="Key").fill(secret)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    say(page, "My pin is 4711.")
    keys = Keys(site.memory.path, file=tmp_path / "keys.db")
    (held,) = keys.all()
    keys.remove(held.id)
    other, _ = keys.add(name="another", scope={"user": "bo"})
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Key").fill(other)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name=re.compile("Whose memory: bo")).wait_for()
    page.get_by_text("Talk to a model that does not change").wait_for()
    assert page.get_by_text("4711").count() == 0


def test_a_model_that_refuses_the_key_of_the_server_is_no_door_of_ours(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    refusal = {"error": {"message": "Incorrect API key", "type": "invalid_request_error"}}
    page.route("**/v1/chat/completions", lambda route: route.fulfill(status=401, json=refusal))
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    said(page, "No answer came: Incorrect API key")
    assert page.get_by_role("dialog").count() == 0


def test_a_conversation_goes_on_where_it_was(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(f"{site.url}/#/memory/conversations")
    page.get_by_role("link", name=re.compile("2025-04-01")).click()
    page.get_by_role("button", name="Continue this conversation").click()
    say(page, "It is near the harbour.")
    (held,) = [c for c in site.memory.conversations.list(user="me") if c.key == "2025-04-01"]
    texts = [one.text for one in site.memory.conversations.turns(held.id, user="me")]
    assert texts[:2] == ["I moved to Leuven last Saturday!", "It is near the harbour."]


def test_a_whole_conversation_is_forgotten_with_its_turns(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    (held,) = [c for c in site.memory.conversations.list(user="me") if c.key == "2025-04-01"]
    page = opened(f"{site.url}/#/memory/conversations/{held.id}")
    page.get_by_role("button", name="Forget", exact=True).click()
    page.get_by_role("button", name="Forget for good").click()
    page.get_by_text("Holds no byte of it").wait_for()
    with pytest.raises(NotFound):
        site.memory.get(held.id, user="me")


@pytest.fixture
def soft_site(filled: Memory) -> Iterator[Site]:
    codec = HashedCodec()
    filled.compressed.compress(codec)
    soft = SoftServing(codec, sending="numpy")
    with (
        listening(ScriptedModel(answer), MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream, soft=soft)) as url,
    ):
        yield Site(url, filled)


def test_soft_memories_are_switched_on_and_shown_as_what_they_are(
    soft_site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(soft_site.url)
    page.get_by_role("switch", name="Soft tokens").click()
    say(page, "Who steers the evening boat?")
    shown = panel(page, size)
    shown.get_by_text("As soft tokens").wait_for()
    shown.get_by_text(re.compile(r"^\d+ tokens of text → 4 soft$")).first.wait_for()
    shown.get_by_text(re.compile(r"^\d+ tokens saved$")).wait_for()
    if size == "phone":
        shown.get_by_role("button", name="Close").click()
    say(page, "How many boats are there?")
    panel(page, size).get_by_text("the question asks for exact words or numbers").wait_for()


def test_without_a_codec_the_switch_says_why(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    switch = page.get_by_role("switch", name="Soft tokens")
    assert switch.get_attribute("aria-disabled") == "true"
    switch.press("Enter")
    page.get_by_text("this server was started without a codec for its model").wait_for()
    assert switch.get_attribute("aria-checked") == "false"


def test_a_lesson_in_the_prompt_is_shown_and_credited(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    site.memory.lessons.rules = GuidanceRules(credit=False)
    site.memory.lessons.add("When the boat is late, wait at the old quay.", user="me")
    page = opened(site.url)
    say(page, "The boat is late. What now?")
    shown = panel(page, size)
    shown.get_by_text("Lessons in the prompt").wait_for()
    shown.get_by_role("button", name=re.compile("wait at the old quay")).wait_for()
    if size == "phone":
        shown.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="That was a good answer").click()
    page.get_by_text(re.compile(r"Counted for .*1 lesson\.")).wait_for()
    (episode,) = [one for one in site.memory.episodes.list(user="me") if one.exposures]
    assert episode.score == 1.0


TABLE = (
    "# Boats\n\nThese leave:\n| pier | **hour** | remark |\n|---|:--|---|\n| 1 | 7:00 | "
    + r"a \| b"
    + " |\n| 2 | 9:00 | <b>late</b> and a remark that is far longer than a phone is wide |\n\n> Tickets are on board.\n> Pay in cash.\n"
)


@pytest.fixture
def wordy(filled: Memory) -> Iterator[Site]:
    """A model that answers at length, with a table and a quote."""
    said = ScriptedModel(lambda _: TABLE + "\nIt is long.\n" * 30)
    with (
        listening(said, MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream)) as url,
    ):
        yield Site(url, filled)


def test_tables_quotes_and_headings_of_an_answer_are_seen_as_such(
    wordy: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(wordy.url)
    say(page, "Which boats are there?")
    log = page.get_by_role("log")
    cells = log.get_by_role("cell").all_inner_texts()
    assert log.get_by_role("columnheader").all_inner_texts() == ["pier", "hour", "remark"]
    assert cells[:3] == ["1", "7:00", "a | b"]
    assert cells[5].startswith("<b>late</b>")
    assert log.locator("blockquote").inner_text() == "Tickets are on board.\nPay in cash."
    assert log.get_by_text("Boats", exact=True).is_visible()
    assert log.locator("p", has_text="These leave:").inner_text() == "These leave:"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"]  # fmt: skip


def test_the_end_of_the_last_answer_is_in_sight_with_what_stands_below_it(
    wordy: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(wordy.url)
    for question in ("Which boats are there?", "And which trains?"):
        say(page, question)
        below = page.get_by_role("button", name=re.compile("shown")).last
        page.wait_for_function(
            "one => one.getBoundingClientRect().bottom <= document.querySelector('[role=log]').getBoundingClientRect().bottom",
            arg=below.element_handle(),
        )
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0
    log = page.get_by_role("log")
    log.evaluate("one => one.scrollTo({top: 0})")  # somebody reads further up
    page.wait_for_function("() => document.querySelector('[role=log]').scrollTop === 0")


LISTS = """1. **Register** within *eight days*
   - take your card
     1. the new one
   - ask for `snake_case_names`
2. Call, and 2 * 3 * 4 is no emphasis
  * the bank

3. Pay
- [ ] the key
- [x] the permit

---

مرحبا بالعالم 42.

~~~py
print(1)
~~~
"""


@pytest.fixture
def listing(filled: Memory) -> Iterator[Site]:
    """A model that answers with lists in lists, and in Arabic."""
    with (
        listening(ScriptedModel(lambda _: LISTS), MODEL) as upstream,
        served(filled, settings=ServerSettings(upstream=upstream)) as url,
    ):
        yield Site(url, filled)


def test_lists_of_an_answer_stand_in_each_other(
    listing: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(listing.url)
    say(page, "What must I do?")
    log = page.get_by_role("log")
    prose = log.locator(".prose")
    firsts = ":scope > ol > li > .first"
    assert [one.strip() for one in prose.locator(firsts).all_inner_texts()] == [
        "Register within eight days",
        "Call, and 2 * 3 * 4 is no emphasis",
        "Pay",
    ]
    assert prose.locator("ol > li > ul > li > ol > li").all_inner_texts() == ["the new one"]
    assert prose.locator("em").all_inner_texts() == ["eight days"]
    assert prose.locator("li code").all_inner_texts() == ["snake_case_names"]
    log.get_by_role("img", name="not done").wait_for()
    log.get_by_role("img", name="done", exact=True).wait_for()
    assert prose.locator("hr").count() == 1
    assert log.get_by_role("region", name="code").inner_text() == "print(1)"
    arabic = log.get_by_text("مرحبا")
    assert arabic.evaluate("one => getComputedStyle(one).direction") == "rtl"


def test_a_column_is_never_narrower_than_its_words(
    wordy: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(wordy.url)
    say(page, "Which boats are there?")
    for head in page.get_by_role("columnheader").all():
        assert head.bounding_box()["height"] < 50  # one line


def test_what_a_gateway_says_is_told_in_words_and_asked_again(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(
            status=502, content_type="text/html", body="<html><h1>Bad Gateway</h1></html>"
        ),
    )
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    said(page, "HTTP 502")
    assert "<h1>" not in page.get_by_role("log").inner_text()
    page.unroute("**/v1/chat/completions")
    page.get_by_role("button", name="Ask again").click()
    assert page.evaluate("document.activeElement.id") == "say"
    said(page, "I know:")
    assert page.get_by_role("log").get_by_text("Where do I live?").count() == 1
    assert page.get_by_role("button", name="Ask again").count() == 0


def test_an_answer_that_breaks_off_says_so(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    begun = '{"choices": [{"index": 0, "delta": {"content": "You live in"}}]}'
    broken = '{"error": {"message": "the card fell out"}}'
    page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"data: {begun}\n\ndata: {broken}\n\n"
        ),
    )
    page.get_by_label("Say something").fill("Where do I live?")
    page.keyboard.press("Enter")
    said(page, "The answer broke off: the card fell out")
    said(page, "You live in")


def test_what_one_person_said_is_not_told_to_the_memory_of_another(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "My pin is 4711.")
    page.get_by_role("button", name=re.compile("Whose memory")).click()
    page.get_by_role("textbox", name="Whose memory").fill("bo")
    page.get_by_role("button", name="Use this name").click()
    page.get_by_text("Talk to a model that does not change").wait_for()
    say(page, "Where do I live?")
    if size == "phone":
        page.get_by_role("button", name=re.compile("shown")).last.click()
    shown = page.get_by_role("complementary", name="What memory did")
    shown.get_by_text("2 turns kept").wait_for()
    turns = site.memory.list(kind="turn", user="bo")
    assert [one.text for one in turns if isinstance(one, Turn) and one.role == "user"] == [
        "Where do I live?"
    ]


def test_one_chooses_among_the_models_of_an_endpoint(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened("about:blank")

    def two(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "models": ["another", MODEL]})

    page.route(re.compile("page/about"), two)
    page.goto(site.url)
    if size == "phone":
        say(page, "Hello")
    shown = panel(page, size) if size == "phone" else page.get_by_role("complementary")
    shown.get_by_label("Which model answers").select_option(MODEL)
    if size == "phone":
        shown.get_by_role("button", name="Close").click()
    with page.expect_request("**/v1/chat/completions") as asked:
        say(page, "Where do I live?")
    assert asked.value.post_data_json["model"] == MODEL


def test_a_model_that_came_later_than_the_page_answers(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened("about:blank")

    def none(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "models": []})

    page.route(re.compile("page/about"), none)
    page.goto(site.url)
    page.get_by_text("Talk to a model that does not change").wait_for()
    page.unroute(re.compile("page/about"))
    with page.expect_request("**/v1/chat/completions") as asked:
        say(page, "Where do I live?")
    assert asked.value.post_data_json["model"] == MODEL


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_what_answers_hold(
    listing: Site, opened: Callable[[str], Any], size: str, theme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install in web/")
    page = opened("about:blank")
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto(listing.url)
    say(page, "What must I do?")
    page.route("**/v1/chat/completions", lambda route: route.fulfill(status=502, body="<h1>"))
    page.get_by_label("Say something").fill("And then?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Ask again").wait_for()
    assert serious_faults(page) == []


@pytest.mark.parametrize("size", ["phone"])
def test_on_a_phone_the_keyboard_goes_into_the_panel_and_back(
    site: Site, opened: Callable[[str], Any], size: str
) -> None:
    page = opened(site.url)
    say(page, "Where do I live?")
    shown = page.get_by_role("button", name=re.compile("shown")).last
    shown.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.getAttribute('aria-label') === 'Close'")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.textContent.includes('shown')")
