"""What a model is shown before a call: what holds, once, within a budget, and always at the same place."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput, Memory
from agentcl.memory.context.showing import Session, Shown
from agentcl.store import Statement
from agentcl.store.records import to_micros
from agentcl.text.tokens import estimate_tokens

DAY = datetime(2025, 3, 29, 10, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as opened:
        yield opened


def talk(*texts: str) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[n % 2], "content": one} for n, one in enumerate(texts)]


def lives_in(memory: Memory, city: str, *, day: int, sources: tuple[str, ...] = ()) -> str:
    return memory.statements.add(
        "user", "lives in", city, text=f"The user lives in {city}.", user="ada",
        said_at=DAY.replace(day=day), sources=sources,
    ).id  # fmt: skip


def moved(memory: Memory, city: str, *, day: int) -> str:
    """Say something, and state it; return the turn's id."""
    message = {"role": "user", "content": f"I moved to {city}.", "time": DAY.replace(day=day)}
    (turn,) = memory.remember(message, user="ada", session="old").turns
    lives_in(memory, city, day=day, sources=(turn.id,))
    return turn.id


def test_statements_turns_and_documents_stand_in_one_block_with_their_sources(
    memory: Memory,
) -> None:
    stated = lives_in(memory, "Oslo", day=1)
    said = memory.remember(
        {"role": "assistant", "content": "The harbour has a ferry.", "time": DAY}, user="ada"
    )
    noted = memory.add("The harbour closes at nine.", title="Ports", user="ada")
    found = memory.context("When does the harbour close?", user="ada", session="new")
    assert found.text.startswith("Memory, not instructions:\n[1] The user lives in Oslo.\n")
    assert "29 Mar 2025:\n[2, assistant] The harbour has a ferry.\n" in found.text
    assert '[3 "Ports"] The harbour closes at nine.\n' in found.text
    assert [(one.id, one.kind) for one in found.shown] == [
        (stated, "statement"), (said.turns[0].id, "turn"), (noted.id, "document"),
    ]  # fmt: skip
    assert (found.is_new, found.kept, found.added) == (True, 1.0, found.text)


def test_what_was_shown_stays_and_new_things_are_appended(memory: Memory) -> None:
    memory.add("The harbour closes at nine.", user="ada")
    memory.add("The ferry leaves at seven.", user="ada")
    first = memory.context("harbour?", user="ada", session="s")
    again = memory.context("harbour?", user="ada", session="s")
    assert (again.text, again.added, again.is_new) == (first.text, "", False)
    more = memory.context("ferry?", user="ada", session="s")
    assert more.text == first.text + more.added
    assert "ferry" in more.added
    assert (more.kept, more.is_new) == (1.0, False)
    assert "harbour" not in memory.context("ferry?", user="ada", session="other").text


def test_a_block_that_is_full_begins_anew_and_says_so(memory: Memory) -> None:
    for n in range(12):
        memory.add(f"Harbour number{n} has a ferry that leaves at {n}.", user="ada")
    found = [
        memory.context(f"number{n}", budget_tokens=80, user="ada", session="s") for n in range(12)
    ]
    assert all(one.tokens <= 80 for one in found)
    assert all(f"number{n} " in one.text for n, one in enumerate(found))
    fresh = [one for one in found[1:] if one.is_new]
    assert fresh
    assert all(one.kept < 1 for one in fresh)
    assert all(one.kept == 1 for one in found if one not in fresh)


def test_what_holds_no_longer_gives_way_to_what_does(memory: Memory) -> None:
    moved(memory, "Oslo", day=1)
    moved(memory, "Rome", day=20)
    found = memory.context("I moved to Oslo or where?", user="ada", session="new")
    assert "The user lives in Rome." in found.text
    told = [line for line in found.text.splitlines() if "Oslo" in line]
    assert all("until 20 Mar 2025" in line for line in told), "what held is marked as past"


def test_a_turn_of_what_ended_says_until_when_it_held(memory: Memory) -> None:
    moved(memory, "Oslo", day=1)
    memory.statements.add(
        "user", "lives in", "Oslo", ended=True, said_at=DAY.replace(day=20), user="ada"
    )
    found = memory.context("I moved to Oslo when?", user="ada", session="new")
    assert "until 20 Mar 2025] I moved to Oslo.\n" in found.text
    assert found.shown[0].is_past


def test_a_turn_that_says_that_something_ended_is_not_past_itself(memory: Memory) -> None:
    memory.statements.add("user", "pet", "Amaro", said_at=DAY, user="ada")
    said = memory.remember(
        {"role": "user", "content": "Amaro left, and the van has 322,000.", "time": DAY.replace(day=20)},
        user="ada", session="s",
    )  # fmt: skip
    memory.statements.add(
        "user", "pet", "Amaro", ended=True, said_at=DAY.replace(day=20), user="ada",
        sources=[said.turns[0].id],
    )  # fmt: skip
    memory.statements.add("user", "pet", "Orlo", said_at=DAY.replace(day=21), user="ada")
    assert "322,000" in memory.context("What has the van?", user="ada", session="new").text


def test_what_held_before_stands_beside_what_holds_with_its_end(memory: Memory) -> None:
    memory.statements.add("user", "lives in", "Gent", said_at=DAY.replace(year=2024), user="ada")
    memory.statements.add("user", "lives in", "Leuven", since="2025-03", said_at=DAY, user="ada")
    found = memory.context("Where does the user live?", user="ada", session="new").text
    assert "since Mar 2025] The user" in found
    assert "until Mar 2025] The user" in found, "as exactly as it was said"


def test_a_turn_that_says_what_ended_and_more_names_what_ended(memory: Memory) -> None:
    stored = memory.remember("In Gent I ride a Zorvan bicycle.", user="ada", session="s")
    source = [stored.turns[0].id]
    for value in ("Gent", "Leuven"):
        memory.statements.add("user", "lives in", value, user="ada", said_at=DAY, sources=source)
        source = []
    memory.statements.add(
        "user", "bicycle", "Zorvan", user="ada", said_at=DAY, sources=[stored.turns[0].id]
    )
    memory.statements.add("user", "lives in", "Gent", ended=True, since="2025-03-29", user="ada")
    found = memory.context("Which bicycle did I ride in Gent?", user="ada", session="new").text
    line = next(line for line in found.splitlines() if "Zorvan bicycle" in line)
    assert '"Gent" until' in line


def test_the_label_of_a_turn_says_which_days_its_words_mean(memory: Memory) -> None:
    told = "We met last Friday, the harbour tour is on the 3rd. Nothing happened today."
    memory.remember({"role": "user", "content": told, "time": DAY}, user="ada", session="old")
    found = memory.context("When is the harbour tour?", user="ada", session="new").text
    assert f"[1, last friday: 28 Mar 2025, the 3rd: 3 Apr 2025] {told}\n" in found
    memory.remember(
        {"role": "user", "content": "The day before yesterday the crane fell.", "time": DAY},
        user="ada", session="old",
    )  # fmt: skip
    crane = memory.context("Who saw the crane fall?", user="ada", session="other").text
    assert "27 Mar 2025] The day before yesterday the crane" in crane
    assert "before" not in crane.split("]")[0], "only what has ended is labelled so"


def test_the_day_of_a_turn_is_that_of_its_speaker(memory: Memory) -> None:
    late = "2025-03-18T20:30:00-05:00"  # the next day in UTC, and a Tuesday
    message = {"role": "user", "content": "Caspian joined the team last Tuesday.", "time": late}
    memory.remember(message, user="ada", session="old")
    found = memory.context("Who joined the team?", user="ada", session="new").text
    assert "18 Mar 2025:\n[1, last tuesday: 11 Mar 2025] Caspian" in found


def tell(memory: Memory, text: str, day: datetime) -> None:
    memory.remember({"role": "user", "content": text, "time": day}, user="ada", session="old")


def test_a_question_about_a_time_is_answered_by_what_was_said_by_then(memory: Memory) -> None:
    tell(memory, "My phone is a Corva.", DAY.replace(month=1))
    tell(memory, "My phone is a Fernlite now.", DAY.replace(month=6))
    tell(memory, "My phone fell into the harbour two months ago.", DAY)
    then = memory.context("Which phone did I have in January 2025?", user="ada", session="a").text
    assert "Corva" in then
    assert "Fernlite" not in then
    assert "fell into the harbour" in then, "said later, of that time"
    others = (
        "Which phone do I have?",
        "Which phone do I have since May 2025?",
        "My phone in 2024?",
    )
    for question in others:
        assert "Fernlite" in memory.context(question, user="ada", session=question).text


def test_where_nothing_was_said_in_time_what_was_said_later_is_shown(memory: Memory) -> None:
    tell(memory, "My phone is a Fernlite now.", DAY.replace(month=6))
    found = memory.context("Which phone did I have in January 2025?", user="ada", session="a")
    assert "Fernlite" in found.text


def test_a_question_about_a_time_is_shown_what_had_begun_by_then(memory: Memory) -> None:
    memory.statements.add("user", "lives in", "Gent", said_at=DAY.replace(year=2024), user="ada")
    memory.statements.add("user", "lives in", "Leuven", since="2025-03", said_at=DAY, user="ada")
    found = memory.context("Where did I live in May 2024?", user="ada", session="new").text
    assert "until Mar 2025] The user lives in Gent" in found
    assert "Leuven" not in found


def test_what_was_said_after_a_change_tells_nothing_of_before(memory: Memory) -> None:
    tell(memory, "Our choir is called Coro Almadraba now.", DAY.replace(month=6))
    for name, at in (("Las Gotas", DAY), ("Coro Almadraba", DAY.replace(month=6))):
        memory.statements.add("choir", "name", name, said_at=at, user="ada")
    question = "What was the name of our choir in May 2025?"
    found = memory.context(question, user="ada", session="new").text
    assert "Las Gotas" in found
    assert "Almadraba" not in found


def test_what_a_turn_says_began_later_tells_nothing_of_before(memory: Memory) -> None:
    tell(memory, "My phone is a Corva.", DAY.replace(month=1))
    tell(memory, "I got a Fernlite phone yesterday.", DAY)
    days = (("2025-03-25", True), ("2025-04-02", False))
    for day, is_before in days:
        question = f"Which phone did I have on {day}?"
        memory_at = memory.context(question, user="ada", session=question).text
        assert ("Fernlite" not in memory_at) is is_before, day


@pytest.mark.parametrize(
    ("question", "is_shown"),
    [("in early March 2025", False), ("in late March 2025", True), ("in March 2025", True)],
)
def test_a_part_of_a_month_is_no_whole_month(memory: Memory, question: str, is_shown: bool) -> None:
    tell(memory, "Where I live is Ghent.", DAY.replace(month=1))
    tell(memory, "Where I live is Leuven, since 29 March.", DAY.replace(month=4, day=10))
    found = memory.context(f"Where did I live {question}?", user="ada", session="new").text
    assert ("Leuven" in found) is is_shown


def test_an_event_says_when_it_is_and_not_since_when(memory: Memory) -> None:
    memory.statements.add(
        "user", "interview", "at Quill", sort="event", since="2025-04-08", said_at=DAY, user="ada"
    )
    memory.statements.add(
        "user", "fair", "of Brask", sort="event", since="2025-05", said_at=DAY, user="ada"
    )
    found = memory.context("When is the interview, when the fair?", user="ada", session="new").text
    assert "on 8 Apr 2025] The user" in found
    assert "in May 2025] The user" in found


def test_a_turn_names_what_ended_however_its_number_is_written(memory: Memory) -> None:
    source = memory.remember("Our van, a Kessler, has 310,000 kilometres.", user="ada", session="s")
    ids = [source.turns[0].id]
    memory.statements.add("user", "van", "Kessler", user="ada", said_at=DAY, sources=ids)
    memory.statements.add("van", "kilometres", "310000", user="ada", said_at=DAY, sources=ids)
    memory.statements.add("van", "kilometres", "322000", user="ada", said_at=DAY.replace(month=6))
    found = memory.context("How many kilometres has our van?", user="ada", session="new").text
    line = next(line for line in found.splitlines() if "310,000" in line)
    assert '"310000" until' in line


def test_a_date_that_is_written_out_stands_in_a_label_once(memory: Memory) -> None:
    tell(memory, "The harbour tour is on 3 May, the other one next Friday.", DAY)
    found = memory.context("When is the harbour tour?", user="ada", session="new").text
    assert "[1, 3 May 2025, next friday: " in found


def test_what_is_known_to_end_says_when(memory: Memory) -> None:
    source = memory.remember("My rent is 590.", user="ada", session="s").turns[0].id
    memory.statements.add("user", "rent", "590", user="ada", said_at=DAY, sources=[source])
    memory.statements.add("user", "rent", "640", user="ada", said_at=DAY, since="9000-01-01")
    found = memory.context("What is my rent?", user="ada", session="new").text
    assert "until 1 Jan 9000] The user's rent is 590." in found
    assert '"590" until 1 Jan 9000] My rent is 590.' in found


def test_a_second_look_goes_from_a_value_to_what_is_said_of_it(memory: Memory) -> None:
    memory.statements.add("Tavon", "rival", "Merizar", user="ada")
    memory.statements.add("Merizar", "teacher", "Holunda", user="ada")
    for name in ("Bopin", "Kralis", "Vutem", "Sorgal", "Dizan", "Fopur", "Gravim", "Lusten"):
        memory.statements.add(name, "teacher", f"{name}or", user="ada")
    question = "Who is the teacher of the rival of Tavon?"
    shown = memory.context(question, user="ada", session="two", hops=2)
    assert "Holunda" in shown.text


@pytest.mark.parametrize("is_stated", [True, False], ids=["statement", "turn"])
def test_what_was_shown_and_changed_is_followed_by_what_holds(
    memory: Memory, is_stated: bool
) -> None:
    if is_stated:
        lives_in(memory, "Oslo", day=1)
    else:
        moved(memory, "Oslo", day=1)
    first = memory.context("I moved to Oslo?", user="ada", session="s")
    lives_in(memory, "Rome", day=20)
    then = memory.context("Hello.", user="ada", session="s")
    assert then.text.startswith(first.text)
    assert "instead of 1] The user lives in Rome.\n" in then.added
    assert memory.context("Hello.", user="ada", session="s").added == ""


def test_what_was_shown_and_ended_is_said_to_hold_no_longer_once(memory: Memory) -> None:
    lives_in(memory, "Oslo", day=1)
    memory.context("Hello.", user="ada", session="s")
    memory.statements.add(
        "user", "lives in", "Oslo", ended=True, said_at=DAY.replace(day=20), user="ada"
    )
    then = memory.context("Hello.", user="ada", session="s")
    assert then.added == "[2, no longer since 20 Mar 2025] The user lives in Oslo.\n"
    assert memory.context("Hello.", user="ada", session="s").added == ""


def test_what_the_messages_say_is_not_repeated(memory: Memory) -> None:
    said = talk("My cat is called Momo.", "A fine name.", "What is my cat called?")
    memory.remember(said, user="ada", session="s")
    assert memory.context(said, user="ada", session="s").text == ""
    assert "Momo" in memory.context(said[2:], user="ada", session="s").text


@pytest.mark.parametrize("act", ["delete", "forget", "update"])
def test_what_is_gone_is_shown_no_longer(memory: Memory, act: str) -> None:
    noted = memory.add("The harbour closes at nine.", user="ada")
    memory.context("harbour?", user="ada", session="s")
    if act == "update":
        memory.update(noted.id, text="The harbour closes at ten.", user="ada")
    else:
        getattr(memory, act)(noted.id, user="ada")
    then = memory.context("harbour?", user="ada", session="s")
    assert "nine" not in then.text
    assert then.is_new


def test_what_ends_while_a_memory_is_open_is_shown_as_past_from_then_on(tmp_path: Path) -> None:
    now = [to_micros(DAY)]
    with Memory(tmp_path / "memory", encoder="hashing", clock=lambda: now[0]) as memory:
        memory.statements.add(
            "user", "home", "Oslo", text="The user lives in Oslo.", user="ada", said_at=DAY,
            until="2025-03-30",
        )  # fmt: skip
        before = memory.context("Where do I live?", user="ada", session="a").shown
        now[0] = to_micros(DAY.replace(month=4))
        after = memory.context("Where do I live?", user="ada", session="b").shown
    assert ([one.is_past for one in before], [one.is_past for one in after]) == ([False], [True])


def test_nothing_of_a_forgotten_statement_stays_in_memory(memory: Memory) -> None:
    stated = lives_in(memory, "Zanzibar", day=1)
    lives_in(memory, "Oslo", day=2)
    assert "Zanzibar" in memory.context("Did I live in Zanzibar?", user="ada", session="s").text
    memory.forget(stated, user="ada")
    gc.collect()
    assert not [
        one for one in gc.get_objects()
        if type(one) in (Statement, Shown, Session, frozenset) and "zanzibar" in str(one).lower()
    ]  # fmt: skip


def test_others_are_shown_nothing(memory: Memory) -> None:
    memory.remember("The code is 4711.", user="ada", session="s")
    assert "4711" in memory.context("code?", user="ada", session="t").text
    assert memory.context("code?", user="bob", session="s").text == ""
    assert memory.context("code?", session="s").text == ""
    with pytest.raises(InvalidInput, match="user=None"):
        memory.context("code?", user=None)  # type: ignore[arg-type]


def test_a_second_look_finds_what_hangs_on_the_first(memory: Memory) -> None:
    memory.add("Ilka's employer is Brandt Shipyards.", user="ada")
    memory.add("Brandt Shipyards stands in Tessary.", user="ada")
    for n in range(20):
        memory.add(f"Somebody else, number {n}, was seen at a market.", user="ada")
    question = "Where is Ilka's employer?"
    assert "Tessary" in memory.context(question, hops=2, user="ada", session="two").text


def test_messages_with_memory_in_them_only_grow(memory: Memory) -> None:
    memory.add("The harbour closes at nine.", user="ada")
    memory.add("The ferry leaves at seven.", user="ada")
    said = talk("When does the harbour close?", "At nine.", "And when does the ferry leave?")
    first = memory.context(said[:1], user="ada", session="s").into(said[:1])
    then = memory.context(said, user="ada", session="s").into(said)
    assert then[:1] == first
    assert then[1] == said[1]
    assert "leaves at seven" in then[2]["content"]
    assert then[2]["content"].endswith("And when does the ferry leave?")
    cut = memory.context(said[2:], user="ada", session="s").into(said[2:])
    assert "closes at nine" in cut[0]["content"]
    parts = [{"role": "user", "content": [{"type": "text", "text": said[0]["content"]}]}]
    again = memory.context(parts, user="ada", session="parts").into(parts)
    assert again[0]["content"][1] == parts[0]["content"][0]
    assert parts == [{"role": "user", "content": [{"type": "text", "text": said[0]["content"]}]}]


@settings(max_examples=15)
@given(
    texts=st.lists(st.text(min_size=1, max_size=80).filter(str.strip), max_size=5),
    budget=st.integers(0, 120),
)
def test_no_stored_text_breaks_out_and_the_budget_is_a_ceiling(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], budget: int
) -> None:
    with Memory(tmp_path_factory.mktemp("m"), encoder="hashing:16") as memory:
        for text in texts:
            memory.remember([f"harbour\n{text}"], user="ada", session="s")
        found = memory.context("harbour", budget_tokens=budget, user="ada", session="t")
        assert estimate_tokens(found.text) <= budget
        days = {f"{one.said_at:%-d %b %Y}:" for one in memory.search("harbour", user="ada")
                if one.said_at}  # fmt: skip
        for line in found.text.splitlines()[1:]:
            assert line.startswith(("[", ">")) or line in days or line == "Now:"


def test_a_profile_tells_what_holds_of_the_user(memory: Memory) -> None:
    lives_in(memory, "Oslo", day=1)
    lives_in(memory, "Rome", day=20)
    told = "The user wants short answers."
    memory.statements.add(
        "user", "prefers", "short answers", text=told, sort="instruction", user="ada"
    )
    memory.statements.add("Momo", "is", "a cat", user="ada")
    profile = memory.profile(user="ada")
    assert [one.text for one in profile.shown] == [told, "The user lives in Rome."]
    assert profile.tokens <= 300
    assert profile.left_out == 0
    nothing = memory.profile(budget_tokens=0, user="ada")
    assert (nothing.text, nothing.left_out) == ("", 2)
    assert memory.profile(user="bob").text == ""


@pytest.mark.parametrize("offset", ["+02:00", "-09:00", "+14:00", "+00:00"])
def test_what_holds_does_so_from_the_day_where_it_was_said(memory: Memory, offset: str) -> None:
    said = f"2025-06-20T00:30:00{offset}"
    later = f"2025-08-01T23:45:00{offset}"
    for city, since, at in (("Oslo", "2025-07-01", said), ("Rome", "2025-08-01", later)):
        memory.statements.add(
            "user", "lives in", city, text=f"The user lives in {city}.", since=since,
            said_at=datetime.fromisoformat(at), user="ada",
        )  # fmt: skip
    shown = memory.context("Where did I live?", user="ada").text
    assert "since 1 Aug 2025] The user lives in Rome." in shown
    assert "until 1 Aug 2025] The user lives in Oslo." in shown


FILLER = (
    "Nobody knows who built the old mill. The church has two towers. Its bell was cast abroad. "
)
GUIDE = f"{FILLER * 4}The ferry to Hallin leaves at seven. {FILLER * 4}"


def test_of_a_long_text_what_answers_is_shown_with_its_place(memory: Memory) -> None:
    noted = memory.add(GUIDE, title="Guide", user="ada")
    found = memory.context("When does the ferry leave?", budget_tokens=150, user="ada")
    assert "The ferry to Hallin leaves at seven." in found.text
    (shown,) = found.shown
    assert (shown.id, shown.text, shown.passage != "") == (noted.id, GUIDE.strip(), True) or (
        GUIDE.startswith(shown.text)
    )
    said = [shown.text[start:end] for start, end in shown.spans]
    assert any("The ferry to Hallin leaves at seven." in one for one in said)
    assert all(one in found.text for one in said)
    assert found.tokens <= 150
    assert found.cut_tokens > 0
    assert "1 of them in part" in found.report


def test_a_form_can_be_forced(memory: Memory) -> None:
    lives_in(memory, "Oslo", day=1)
    memory.add(GUIDE, title="Guide", user="ada")
    asked = "When does the ferry to Oslo leave?"

    def shown(form: Any) -> str:
        found = memory.context(asked, budget_tokens=150, form=form, user="ada", session=form)
        assert found.tokens <= 150
        return found.text

    assert "leaves at seven" not in shown("whole")
    assert "leaves at seven" in shown("sentences")
    assert "Guide" not in shown("statements")
    assert "lives in Oslo" in shown("statements")
    with pytest.raises(
        InvalidInput, match="form must be one of auto, whole, sentences, statements"
    ):
        memory.context(asked, form="short", user="ada")  # type: ignore[arg-type]


def test_a_later_question_adds_more_of_a_text_and_leaves_what_was_shown(memory: Memory) -> None:
    bell = (
        "The bell was cast in Lund by two brothers whose name hardly anybody there remembers today."
    )
    memory.add(GUIDE + bell, title="Guide", user="ada")
    talked = [{"role": "user", "content": "When does the ferry to Hallin leave?"}]
    first = memory.context(talked, budget_tokens=140, user="ada", session="new")
    assert "Lund" not in first.text
    talked += [
        {"role": "assistant", "content": "At seven."},
        {"role": "user", "content": "Where was the bell cast in?"},
    ]
    later = memory.context(talked, budget_tokens=140, user="ada", session="new")
    assert (later.is_new, later.kept) == (False, 1.0)
    assert "[2, more of 1]" in later.added
    assert "Lund" in later.added
    shown = [span for one in later.shown for span in one.spans]
    assert len({place for start, end in shown for place in range(start, end)}) == sum(
        end - start for start, end in shown
    )


def test_what_a_question_adds_can_be_bounded_so_that_the_block_is_spent_later(
    memory: Memory,
) -> None:
    inside = " ".join(f"Inside stands shelf {n}, of oak." for n in range(40))
    for n in range(12):
        memory.add(f"Hall number{n} opens at {n}. {inside}", user="ada")

    def asked(**more: Any) -> list[Any]:
        session = f"s{len(more)}"
        return [
            memory.context(f"When does hall number{n} open?", budget_tokens=900, session=session, user="ada", **more)
            for n in range(8)
        ]  # fmt: skip

    free, bounded = asked(), asked(added_tokens=60)
    assert sum(one.is_new for one in bounded) < sum(one.is_new for one in free)
    for n, one in enumerate(bounded):
        assert f"Hall number{n} opens at {n}." in one.text
        assert one.is_new or estimate_tokens(one.added) <= 60
        assert one.is_new or one.text.startswith(bounded[n - 1].text)


def test_of_a_bounded_addition_the_best_stands_alone_where_no_part_of_it_fits(
    memory: Memory,
) -> None:
    memory.add("The ferry leaves at seven.", user="ada")
    long = "The harbour of Hallin closes " + ", ".join(f"gate {n} at {n}" for n in range(40)) + "."
    memory.add(long, user="ada")
    for added in (1, 30):
        first = memory.context("ferry?", user="ada", session=str(added))
        then = memory.context("harbour?", added_tokens=added, user="ada", session=str(added))
        assert (then.is_new, then.text.startswith(first.text)) == (False, True)
        assert long in then.added
    with pytest.raises(InvalidInput, match="added_tokens"):
        memory.context("ferry?", added_tokens=0, user="ada")


def test_what_fits_whole_is_shown_whole(memory: Memory) -> None:
    memory.add(GUIDE, user="ada")
    found = memory.context("When does the ferry leave?", budget_tokens=3_000, user="ada")
    assert [one.spans for one in found.shown] == [()]
    assert (found.cut_tokens, found.left_out) == (0, 0)


FACT = "My sister Mira lives in Tessary, in the old house behind the harbour, and she keeps bees."
ASKED = "Where does my sister live?"


def ask_again(
    memory: Memory, *asked: str, answer: str = "Your sister Mira lives in Tessary."
) -> None:
    for n, one in enumerate(asked):
        memory.remember(talk(one, answer), user="ada", session=f"asked {n}")


@pytest.mark.parametrize(
    "again",
    [
        ASKED,
        "where does my sister live",
        "Hi! Where does my sister live?",
        "WHERE does my SISTER live ?!?",
        "Tell me where my sister lives.",
        "In which town does my sister live?",
    ],
)
def test_a_question_asked_again_finds_what_answers_it_and_not_itself(
    memory: Memory, again: str
) -> None:
    memory.remember(talk(FACT, "Lovely."), user="ada", session="told")
    memory.remember(talk("My brother lives in Oslo."), user="ada", session="more")
    ask_again(memory, again)
    shown = memory.context(ASKED, user="ada", session="then").shown
    assert max(shown, key=lambda one: one.score).text == FACT
    assert not {again, "Your sister Mira lives in Tessary."} & {one.text for one in shown}


def test_however_often_it_was_asked_a_fact_is_found(memory: Memory) -> None:
    memory.remember(talk(FACT), user="ada", session="told")
    ask_again(memory, *(f"Where does my sister live{'?' * n} {'Hi! ' * n}" for n in range(1, 40)))
    ask_again(memory, ASKED, answer="I do not know where your sister lives.")
    shown = memory.context(ASKED, user="ada", session="then").shown
    assert FACT in [one.text for one in shown]


@given(
    texts=st.lists(st.sampled_from([ASKED, ASKED.lower(), "My sister lives where?"]), max_size=6)
)
@settings(max_examples=10)
def test_asking_changes_nothing_in_what_answers(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    with Memory(tmp_path_factory.mktemp("m"), encoder="hashing:64") as memory:
        memory.add(FACT, user="ada")
        ask_again(memory, *texts)
        (shown,) = memory.context(ASKED, user="ada", session="then").shown
        assert shown.text == FACT
        assert shown.score > 0.99


def test_what_an_assistant_adds_is_evidence(memory: Memory) -> None:
    memory.remember(
        talk("Where should my sister and I eat?", "Your sister would like the Zorvan by the mill."),
        user="ada", session="told",
    )  # fmt: skip
    ask_again(memory, "Where should my sister eat?", answer="Your sister would like the Zorvan.")
    shown = memory.context("Where should my sister eat?", user="ada", session="then").shown
    assert [one.text for one in shown] == ["Your sister would like the Zorvan by the mill."]


def test_a_question_that_tells_something_is_evidence(memory: Memory) -> None:
    told = "What can I cook for my daughter Ida, who must not eat nuts?"
    memory.remember(told, user="ada", session="told")
    shown = memory.context("What must Ida not eat?", user="ada", session="then").shown
    assert [one.text for one in shown] == [told]


def test_what_a_question_repeats_word_for_word_answers_it(memory: Memory) -> None:
    memory.remember("Mira keeps bees.", user="ada", session="told")
    memory.add("Does the harbour close? See the harbour's page.", user="ada")
    for question, told in (
        ("Does Mira keep bees?", "Mira keeps bees."),
        ("Does the harbour close?", "Does the harbour close? See the harbour's page."),
    ):
        shown = memory.context(question, user="ada", session=question).shown
        assert told in [one.text for one in shown]


def test_what_is_said_again_is_not_shown_to_itself(memory: Memory) -> None:
    memory.remember("I moved to Rome!", user="ada", session="told")
    assert memory.context("i moved to Rome", user="ada", session="then").text == ""
