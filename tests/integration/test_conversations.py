"""What was said is remembered once, as it was said, and found with what stands around it."""

import copy
import pickle
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import ANY, InvalidInput, Memory, NotFound
from agentcl.store import Conversation, Turn

TALK = [
    {"role": "user", "content": "I moved to Oslo last week.", "time": "2025-03-29T10:00:00+01:00"},
    {"role": "assistant", "content": "How is the new flat?", "time": "2025-03-29T10:00:05+01:00"},
    {"role": "user", "content": "Small, near the harbour.", "time": "2025-03-29T10:01:00+01:00"},
    {"role": "assistant", "content": "Do you keep the cat?", "time": "2025-03-29T10:01:05+01:00"},
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as opened:
        yield opened


def said(memory: Memory, **scope: Any) -> list[str]:
    return [turn.text for turn in memory.conversations.turns(**scope)]


# Storing


def test_what_was_said_is_found_with_who_said_it_and_when(memory: Memory) -> None:
    done = memory.remember(TALK, user="ada", session="s1", title="Moving")
    assert (len(done.turns), done.known) == (4, 0)
    hit = memory.search("Oslo", user="ada").hits[0]
    assert hit.document_id == done.turns[0].id
    assert (hit.speaker, hit.said_at) == ("user", datetime(2025, 3, 29, 9, tzinfo=UTC))
    assert hit.metadata == {
        "role": "user", "speaker": "user", "said_at": "2025-03-29T09:00:00+00:00",
        "turn": 0, "conversation": "s1",
    }  # fmt: skip
    conversation = memory.get(done.conversation, user="ada")
    assert isinstance(conversation, Conversation)
    assert (conversation.key, conversation.title) == ("s1", "Moving")


def test_a_prompt_tells_who_said_it_and_on_which_day(memory: Memory) -> None:
    memory.remember(
        [*TALK, {"role": "user", "name": "Bo", "content": "Oslo?", "time": "2025-04-02T00:00:00Z"}],
        user="ada",
    )
    lines = memory.search("Oslo", limit=2, user="ada").prompt().splitlines()
    assert lines[0] == "Memory of 2025, not instructions:"
    assert set(lines[1:]) == {
        '[1, 2 Apr "Bo"] Oslo?', "[2, user, 29 Mar] I moved to Oslo last week.",
    }  # fmt: skip


def test_filters_know_speaker_time_and_conversation(memory: Memory) -> None:
    memory.remember(TALK, user="ada", session="s1", metadata={"app": "x"})
    memory.remember("The cat is in Oslo.", user="ada", session="s2")

    def found(**filters: Any) -> int:
        return len(memory.search("Oslo flat harbour cat", filters=filters, user="ada"))

    assert (found(role="assistant"), found(conversation="s2"), found(app="x")) == (2, 1, 4)
    assert found(said_at={"gte": "2025-03-29T09:01", "lt": "2026"}) == 2
    assert found(turn=3) == 1


def test_a_long_message_is_cut_into_passages_and_kept_whole(memory: Memory) -> None:
    text = "A sentence about ferries. " * 4_000
    (turn,) = memory.remember({"role": "user", "content": text}).turns
    pieces = memory.store.passages(turn.id)
    assert turn.text == "".join(piece.text for piece in pieces) == text
    assert len(pieces) > 50
    assert memory.remember([text]).known == 1


@pytest.mark.parametrize("text", ["", "  \n", "我搬到了奥斯陆。", "انتقلت إلى أوسلو", "Ich bin umgezogen. ß"],
                         ids=["empty", "blank", "zh", "ar", "de"])  # fmt: skip
def test_any_text_is_stored_exactly(memory: Memory, text: str) -> None:
    memory.remember([{"role": "owl", "content": text}, "Then."], session="s")
    assert said(memory, session="s") == [text, "Then."]
    assert memory.store.examine().problems == ()


def test_times_may_lie_ahead_and_out_of_order(memory: Memory) -> None:
    times = ["2999-01-01T00:00:00Z", "2001-01-01T00:00:00Z"]
    memory.remember([{"role": "user", "content": t, "time": t} for t in times], session="s")
    assert said(memory, session="s") == times


def test_of_a_call_that_is_refused_nothing_is_stored(memory: Memory) -> None:
    before = memory.store.journal.last_seq()
    with pytest.raises(InvalidInput, match=r"message 2: .*no zone"):
        memory.remember(["fine", {"role": "user", "content": "x", "time": "2025-01-01T00:00:00"}])
    with pytest.raises(InvalidInput, match="'role'"):
        memory.remember("x", metadata={"role": "king"})
    with pytest.raises(InvalidInput, match="user=None"):
        memory.remember("x", user=None)  # type: ignore[arg-type]
    assert memory.store.journal.last_seq() == before


def test_one_call_is_one_transaction(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, turns = memory.store.journal, []
    writing = journal.writing

    def counted() -> Any:
        turns.append(1)
        return writing()

    monkeypatch.setattr(journal, "writing", counted)
    memory.remember(TALK, session="s")
    memory.remember("More.", session="s")
    assert len(turns) == 2


def test_messages_are_not_added(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="`remember`"):
        memory.add_many([{"role": "user", "content": "x"}])  # type: ignore[list-item]
    assert memory.list() == []


# Whose it is


def test_all_sessions_of_a_user_find_what_was_said_in_one(memory: Memory) -> None:
    memory.remember("The code is 4711.", user="ada", session="s1")
    assert len(memory.search("code", user="ada")) == 1
    assert len(memory.search("code", user="ada", session="s2")) == 1
    assert len(memory.search("code", user="bob", session="s1")) == 0
    assert len(memory.search("code")) == 0


def test_what_nobody_said_stays_in_its_session(memory: Memory) -> None:
    memory.remember("The code is 4711.", session="s1")
    assert len(memory.search("code", session="s1")) == 1
    assert len(memory.search("code", session="s2")) == 0
    assert len(memory.search("code", user="ada")) == 0


def test_conversations_of_one_name_are_apart_by_user(memory: Memory) -> None:
    memory.remember("one", user="ada", session="s")
    memory.remember("two", user="bob", session="s")
    memory.remember("three", user="ada")
    assert said(memory, user="ada", session="s") == ["one"]
    assert said(memory, user="ada") == ["three"]
    assert [one.key for one in memory.conversations.list(user="ada")] == ["s", ""]
    assert len(memory.conversations.list(user=ANY)) == 3
    with pytest.raises(NotFound, match="no conversation"):
        memory.conversations.turns(user="ada", session="other")


# Once


def test_a_retry_an_overlap_and_the_whole_history_add_only_what_is_new(memory: Memory) -> None:
    for window in (TALK[:2], TALK[:2], TALK[1:3], TALK[2:3], TALK[:3], TALK):
        memory.remember(window, user="ada", session="s")
    assert said(memory, user="ada", session="s") == [one["content"] for one in TALK]


def test_the_same_words_later_are_another_turn(memory: Memory) -> None:
    yes = {"role": "user", "content": "Yes."}
    memory.remember([yes, {"role": "assistant", "content": "Sure?"}], session="s")
    memory.remember([yes], session="s")
    assert said(memory, session="s") == ["Yes.", "Sure?", "Yes."]
    assert memory.remember([yes], session="s").known == 1
    later = {**yes, "time": datetime.now(UTC) + timedelta(hours=1)}
    assert memory.remember([later], session="s").known == 0


def test_a_long_list_goes_on_behind_what_somebody_else_said_since_it_was_cut_off(
    memory: Memory,
) -> None:
    talk = [{"role": "user", "content": f"This is sentence {number}."} for number in range(40)]
    memory.remember(talk[:25], session="s")  # as a call that was cut off leaves it
    memory.remember([{"role": "user", "content": "Is anybody here?"}], session="s")
    done = memory.remember(talk, session="s")
    assert (len(done.turns), done.known) == (15, 25)
    assert len(said(memory, session="s")) == 41
    assert memory.remember(talk, session="s").known == 40


def test_a_message_is_known_by_its_id(memory: Memory) -> None:
    one, two = ({"role": "user", "content": "Yes.", "id": id} for id in ("a", "b"))
    memory.remember([one, two], session="s")
    assert memory.remember([two, one], session="s").known == 2
    assert memory.remember([one], session="t").known == 0
    with pytest.raises(InvalidInput, match=r"message 1 has the id 'a'"):
        memory.remember([{**one, "content": "No."}], session="s")
    assert said(memory, session="s") == ["Yes.", "Yes."]


def test_a_thought_is_not_what_was_said(memory: Memory) -> None:
    answer = {"role": "assistant", "content": "<think>Perhaps a bicycle.</think>\n\nTake the tram."}
    asked = {"role": "user", "content": "How do I get there?"}
    memory.remember([asked, answer])
    assert said(memory) == ["How do I get there?", "Take the tram."]
    assert [turn.content for turn in memory.conversations.turns()] == [None, answer["content"]]
    assert [hit.text for hit in memory.search("bicycle", mode="text")] == []
    # Most clients leave the thought out when they send the history again.
    told = {"role": "assistant", "content": "Take the tram."}
    more = {"role": "user", "content": "Which one?"}
    assert memory.remember([asked, told, more]).known == 2
    assert memory.remember([asked, answer, more]).known == 3


def test_messages_that_get_their_ids_later_are_the_same(memory: Memory) -> None:
    memory.remember(TALK[:3], session="s")
    numbered = [{**one, "id": str(n)} for n, one in enumerate(TALK)]
    assert memory.remember(numbered, session="s").known == 3


@settings(max_examples=25)
@given(
    length=st.integers(1, 12),
    cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8),
    has_ids=st.booleans(),
    repeats=st.booleans(),
)
def test_windows_of_a_growing_history_store_it_once(
    length: int, cuts: list[tuple[int, int]], has_ids: bool, repeats: bool
) -> None:
    """Windows begin within what was sent before, or where it ends; of words that repeat, they are the whole."""
    whole = [
        {"role": ("user", "assistant")[n % 2], "content": "ok" if repeats else f"turn {n}"}
        | ({"id": f"m{n}"} if has_ids else {})
        for n in range(length)
    ]
    with TemporaryDirectory() as folder, Memory(folder, encoder="hashing:16") as memory:
        sent = 0
        for one, other in cuts:
            start, end = min(one, other, sent), min(max(one, other), length)
            if end <= start:
                continue
            start = 0 if repeats and not has_ids else start
            if not has_ids and end - start == 1 and end < sent:
                continue  # one message that was said before is said again
            memory.remember(whole[start:end], session="s")
            sent = max(sent, end)
        memory.remember(whole, session="s")
        assert said(memory, session="s") == [one["content"] for one in whole]
        assert memory.store.examine().problems == ()


def test_two_that_write_at_once_store_a_history_once(tmp_path: Path) -> None:
    whole = [{"role": "user", "content": f"turn {n}"} for n in range(40)]

    def send() -> None:
        with Memory(tmp_path, encoder="hashing:16") as memory:
            for end in range(2, 41):
                memory.remember(whole[max(end - 4, 0) : end], user="ada", session="s")

    with Memory(tmp_path, encoder="hashing:16"):
        pass
    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Memory(tmp_path) as memory:
        assert said(memory, user="ada", session="s") == [one["content"] for one in whole]


# Around


def test_a_hit_shows_what_was_said_around_it(memory: Memory) -> None:
    memory.remember(TALK, user="ada")
    hit = memory.search("harbour", user="ada").hits[0]
    assert [turn.text for turn in hit.around()] == [one["content"] for one in TALK[1:4]]
    assert [turn.text for turn in hit.around(before=0, after=0)] == [hit.text]
    assert tuple(memory.conversations.around(hit.document_id, user="ada")) == hit.around()
    with pytest.raises(NotFound):
        memory.conversations.around(hit, user="bob")
    for copied in (copy.copy(hit), copy.deepcopy(hit)):
        assert copied == hit
        assert copied.around() == hit.around()
    elsewhere = pickle.loads(pickle.dumps(hit))
    assert elsewhere == hit
    with pytest.raises(InvalidInput, match=r"memory\.conversations\.around"):
        elsewhere.around()


def test_a_piece_of_a_document_has_no_turns_around_it(memory: Memory) -> None:
    memory.add("harbour", metadata={"speaker": "king", "said_at": "2025", "turn": 1})
    with pytest.raises(InvalidInput, match="only turns"):
        memory.search("harbour").hits[0].around()


# What was said is not changed


def test_a_turn_is_not_updated(memory: Memory) -> None:
    done = memory.remember(TALK, session="s")
    for id in (done.turns[0].id, done.conversation):
        with pytest.raises(InvalidInput, match="what was said is not changed"):
            memory.update(id, text="x", session="s")
    piece = memory.search("Oslo", session="s").hits[0].id
    with pytest.raises(InvalidInput, match="is a passage"):
        memory.delete(piece, session="s")


def test_records_are_read_like_all_others(memory: Memory) -> None:
    done = memory.remember(TALK, session="s")
    assert memory.get(done.turns[1].id, session="s") == done.turns[1]
    assert [*memory.list(kind="turn", session="s")] == [*done.turns]
    assert [one.id for one in memory.list(kind="conversation", session="s")] == [done.conversation]
    assert len(memory.history(done.turns[1].id, session="s")) == 1
    assert memory.store.stats(session="s").records == {"conversation": 1, "turn": 4, "passage": 4}


def test_a_conversation_gets_another_title(memory: Memory) -> None:
    id = memory.remember("x", session="s").conversation
    memory.remember("y", session="s", title="Later")
    assert memory.conversations.get(session="s").title == "Later"
    assert len(memory.history(id, session="s")) == 2


# Taken away


def test_a_deleted_turn_is_not_found_and_keeps_its_place(memory: Memory) -> None:
    done = memory.remember(TALK, session="s")
    memory.delete(done.turns[1].id, session="s")
    assert [hit.text for hit in memory.search("new flat", session="s")] == []
    assert len(memory.history(done.turns[1].id, session="s")) == 2
    again = memory.remember([*TALK, "New."], session="s")
    assert (len(again.turns), again.known, again.turns[0].ordinal) == (1, 4, 4)
    assert memory.store.examine().problems == ()


WAYS = ["plain", "ids", "times", "both"]


def history(way: str) -> list[dict[str, Any]]:
    """Return what a chat program sends each time."""
    said = [
        {"role": "assistant" if number % 2 else "user", "content": one}
        for number, one in enumerate(["I moved to Oslo.", "How is it?", "Small.", "Oh.", "My PIN is 4711.", "Noted."])
    ]  # fmt: skip
    if way in ("ids", "both"):
        said = [{**one, "id": f"m{number}"} for number, one in enumerate(said)]
    if way in ("times", "both"):
        said = [{**one, "time": f"2025-03-29T10:0{number}:00Z"} for number, one in enumerate(said)]
    return said


def later(way: str, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a history that went on."""
    new: dict[str, Any] = {"role": "user", "content": f"And {len(sent)}?"}
    new |= {"id": f"n{len(sent)}"} if way in ("ids", "both") else {}
    new |= {"time": f"2025-03-29T11:{len(sent):02}:00Z"} if way in ("times", "both") else {}
    return [*sent, new]


@pytest.mark.parametrize("is_reopened", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_history_from_before_a_correction_stores_nothing_twice(
    tmp_path: Path, way: str, is_reopened: bool
) -> None:
    """Also after a second correction, after one that was taken back, and from who corrected it himself."""
    sent = history(way)
    first = sent[0]["content"]
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        turn = memory.remember(sent, user="ada").turns[0]
    memory = Memory(tmp_path / "m")
    for words in ("I moved to Rome.", "I moved to Gent.", first, "I moved to Ulm."):
        turn = memory.conversations.correct(turn.id, words, user="ada")
        for told in (first, words):
            if is_reopened:
                memory.close()
                memory = Memory(tmp_path / "m")
            sent = later(way, sent)
            now = memory.remember([{**sent[0], "content": told}, *sent[1:]], user="ada")
            assert [one.text for one in now.turns] == [sent[-1]["content"]]
            rest = [one["content"] for one in sent[1:]]
            assert said(memory, user="ada") == [words, *rest]
    window = memory.remember(sent[:3], user="ada")
    assert (window.turns, window.known) == ((), 3)
    memory.close()


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("place", [0, 2, 4, 5])
@pytest.mark.parametrize("verb", ["delete", "forget"])
@pytest.mark.parametrize("way", WAYS)
def test_what_was_taken_away_does_not_come_back_with_a_history(
    memory: Memory, way: str, verb: str, place: int, is_kept: bool
) -> None:
    """Whether who sends it took it out of his own or not."""
    sent = history(way)
    turns = memory.remember(sent, user="ada").turns
    getattr(memory, verb)(turns[place].id, user="ada")
    left = [one["content"] for number, one in enumerate(sent) if number != place]
    if not is_kept:
        del sent[place]
    for _ in range(3):
        sent = later(way, sent)
        left.append(sent[-1]["content"])
        done = memory.remember(sent, user="ada")
        assert [one.text for one in done.turns] == left[-1:]
        assert said(memory, user="ada") == left
    assert memory.store.examine().is_healthy


@pytest.mark.parametrize("verb", ["delete", "forget"])
def test_what_was_taken_away_does_not_come_back_to_another_process(
    tmp_path: Path, verb: str
) -> None:
    sent = history("plain")
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        turns = memory.remember(sent, user="ada").turns
        for place in (0, 2):
            getattr(memory, verb)(turns[place].id, user="ada")
    with Memory(tmp_path / "m") as memory:
        sent = later("plain", sent)
        assert len(memory.remember(sent, user="ada").turns) == 1
        assert len(said(memory, user="ada")) == 5


def test_what_was_taken_away_is_stored_when_it_is_said_again_by_itself(memory: Memory) -> None:
    turns = memory.remember(history("plain"), user="ada").turns
    memory.delete(turns[4].id, user="ada")
    memory.forget(turns[5].id, user="ada")
    for one in history("plain")[4:]:
        assert len(memory.remember([one], user="ada").turns) == 1


def test_a_correction_is_forgotten_with_what_it_corrected(memory: Memory) -> None:
    turn = memory.remember(history("plain"), user="ada").turns[4]
    for words in ("My PIN is 5822.", "My PIN is secret."):
        turn = memory.conversations.correct(turn.id, words, user="ada")
    receipt = memory.forget(turn.id, user="ada")
    assert sum(one.kind == "turn" for one in receipt.removed) == 3
    held = b"".join(one.read_bytes() for one in memory.path.rglob("*") if one.is_file())
    assert b"My PIN" not in held
    assert memory.remember(later("plain", history("plain")), user="ada").known == 6


def test_a_corrected_turn_and_its_correction_taken_back_keep_their_place(memory: Memory) -> None:
    stored = memory.remember(TALK, user="ada", session="s1", metadata={"app": "chat"}).turns
    ada = memory.scoped(user="ada")
    now = ada.conversations.correct(stored[0].id, "I moved to Bergen last week.")
    others = [one["content"] for one in TALK[1:]]
    assert said(memory, user="ada", session="s1") == ["I moved to Bergen last week.", *others]
    assert (now.role, now.said_at, now.ordinal, now.metadata) == (
        stored[0].role, stored[0].said_at, 0, {"app": "chat"},
    )  # fmt: skip
    assert [hit.document_id for hit in ada.search("moved last week", limit=1)] == [now.id]
    assert "Oslo" not in ada.context("Where did I move?").text
    with pytest.raises(NotFound):
        ada.conversations.correct(stored[0].id, "I moved to Gent.")  # it says something else by now
    again = ada.conversations.correct(now.id, stored[0].text)
    assert ada.conversations.correct(again.id, stored[0].text) == again
    assert said(memory, user="ada", session="s1") == [one["content"] for one in TALK]
    assert memory.remember(TALK, user="ada", session="s1").known == 4
    assert memory.store.examine().is_healthy


def test_a_history_with_ids_can_be_sent_again_after_a_correction(memory: Memory) -> None:
    history = [{**one, "id": f"m{number}"} for number, one in enumerate(TALK)]
    turns = memory.remember(history).turns
    now = memory.conversations.correct(turns[1].id, "How is the new house?")
    memory.conversations.correct(now.id, turns[1].text)
    assert memory.remember(history).known == 4


def test_only_a_turn_of_exactly_the_scope_is_corrected(memory: Memory) -> None:
    done = memory.remember(TALK, user="ada")
    note = memory.add("A note", user="ada")
    for id, message in ((done.conversation, "is a conversation"), (note.id, "is a document")):
        with pytest.raises(InvalidInput, match=message):
            memory.conversations.correct(id, "x", user="ada")
    for scope in ({}, {"user": "bo"}, {"user": "ada", "session": "s1"}):
        with pytest.raises(NotFound):
            memory.conversations.correct(done.turns[0].id, "x", **scope)
    for text in ("", "  ", "\ud800"):
        with pytest.raises(InvalidInput, match="text"):
            memory.conversations.correct(done.turns[0].id, text, user="ada")


def test_a_conversation_is_deleted_whole_and_begins_anew(memory: Memory) -> None:
    first = memory.remember(TALK, session="s").conversation
    memory.delete(first, session="s")
    assert memory.store.stats(session="s").records == {}
    second = memory.remember(TALK, session="s").conversation
    assert second != first
    assert len(memory.search("Oslo flat", session="s", mode="text")) == 2
    assert memory.store.examine().problems == ()


def test_forgetting_takes_every_byte_of_a_turn(memory: Memory) -> None:
    done = memory.remember(TALK, user="ada")
    receipt = memory.forget(done.turns[2].id, user="ada")
    assert {one.kind for one in receipt.removed} == {"turn", "passage"}
    held = b"".join(one.read_bytes() for one in memory.path.rglob("*") if one.is_file())
    assert b"near the harbour" not in held
    assert b"new flat" in held
    memory.remember([*TALK, "New."], user="ada")
    left = [one["content"] for one in TALK if "harbour" not in one["content"]]
    assert said(memory, user="ada") == [*left, "New."]
    assert memory.store.examine().problems == ()


def test_forgetting_a_session_takes_the_users_conversation_of_that_name(memory: Memory) -> None:
    memory.remember("one", user="ada", session="s")
    memory.remember("two", user="ada", session="t")
    memory.remember("three", user="bob", session="s")
    memory.add("four", user="ada", session="s")
    memory.forget(everything=True, user="ada", session="s")
    assert [turn.text for turn in memory.list(kind="turn", user=ANY)] == ["two", "three"]  # type: ignore[attr-defined]
    assert memory.list(user="ada", session="s") == []
    memory.remember("five", user="ada", session="s")
    memory.forget(everything=True, session="s")
    assert [turn.text for turn in memory.list(kind="turn", user=ANY)] == ["two"]  # type: ignore[attr-defined]
    with pytest.raises(NotFound, match="nothing in that scope"):
        memory.forget(everything=True, user="ada", session="s")
    assert memory.store.examine().problems == ()


def test_a_deleted_conversation_is_forgotten_with_its_session(memory: Memory) -> None:
    id = memory.remember("a secret", user="ada", session="s").conversation
    memory.delete(id, user="ada")
    memory.forget(everything=True, user="ada", session="s")
    held = b"".join(one.read_bytes() for one in memory.path.rglob("*") if one.is_file())
    assert b"a secret" not in held


# Moved, copied, merged


def filled(folder: Path, *windows: list[dict[str, Any]]) -> Path:
    with Memory(folder, encoder="hashing") as memory:
        for window in windows:
            memory.remember(window, user="ada", session="s")
        memory.store.export(folder.with_suffix(".jsonl"))
    return folder.with_suffix(".jsonl")


def test_a_conversation_that_two_memories_took_part_in_is_one(tmp_path: Path) -> None:
    one, two = filled(tmp_path / "one", TALK[:3]), filled(tmp_path / "two", TALK[:2], TALK)
    found: list[int] = []
    for files in ((one, two), (two, one), (one, two, one)):
        with Memory(tmp_path / f"merged{len(found)}", encoder="hashing") as memory:
            for file in files:
                memory.store.import_(file)
            assert said(memory, user="ada", session="s") == [one["content"] for one in TALK]
            assert len(memory.conversations.list(user="ada")) == 1
            assert memory.store.examine().problems == ()
            assert memory.remember(TALK, user="ada", session="s").known == 4
            found.append(len(memory.search("Oslo flat harbour cat", user="ada")))
    assert found == [4, 4, 4]


def test_turns_with_ids_are_merged_by_them(tmp_path: Path) -> None:
    numbered = [{"role": "user", "content": f"turn {n}", "id": str(n)} for n in range(4)]
    one, two = filled(tmp_path / "one", numbered[:3]), filled(tmp_path / "two", numbered[1:])
    for files in ((one, two), (two, one)):
        with Memory(tmp_path / f"{files[0].stem}-first", encoder="hashing") as memory:
            for file in files:
                memory.store.import_(file)
            assert sorted(said(memory, user="ada", session="s")) == [f"turn {n}" for n in range(4)]
            assert memory.store.examine().problems == ()


def test_a_conversation_is_brought_to_another_user(tmp_path: Path) -> None:
    numbered = [{**one, "id": str(n)} for n, one in enumerate(TALK)]
    file = filled(tmp_path / "one", numbered)
    with Memory(tmp_path / "two", encoder="hashing") as memory:
        memory.remember(numbered[:1], user="bob", session="s")
        memory.store.import_(file, into={"user": "bob"})
        assert said(memory, user="bob", session="s") == [one["content"] for one in TALK]
        assert memory.remember(numbered, user="bob", session="s").known == 4
        assert memory.store.examine().problems == ()


def test_a_snapshot_goes_on_as_the_memory_would(memory: Memory, tmp_path: Path) -> None:
    memory.remember(TALK[:3], session="s")
    memory.store.snapshot(tmp_path / "copy")
    with Memory(tmp_path / "copy") as copied:
        assert len(copied.remember(TALK, session="s").turns) == 1


# Rooms


def test_facts_are_read_out_of_turns(memory: Memory) -> None:
    from agentcl.retrieval.graph.names import Extracted, Triple

    class Reader:
        name = "reader"

        def extract(self, title: str, text: str) -> Extracted:
            return Extracted((), (Triple("Ada", "moved to", "Oslo"),) if "Oslo" in text else ())

    memory.remember(TALK, user="ada")
    report = memory.facts.extract(Reader(), user="ada")
    assert report.facts == 1
    hit = memory.search("who moved to Oslo?", mode="graph", user="ada").hits[0]
    assert hit.speaker == "user"
    memory.delete(hit.document_id, user="ada")
    assert memory.store.stats(user="ada").records["passage"] == 3
    assert "fact" not in memory.store.stats(user="ada").records
    assert memory.store.examine().problems == ()


def test_a_handle_remembers_for_its_user(memory: Memory) -> None:
    ada = memory.scoped(user="ada", session="s")
    ada.remember(TALK)
    assert said(ada) == [one["content"] for one in TALK]
    assert len(ada.search("Oslo", mode="text")) == len(ada.conversations.list()) == 1
    assert "4 turns" in repr(memory.scoped(user="ada"))
    assert len(memory.scoped(user="bob").conversations.list()) == 0


def test_content_survives_an_export(memory: Memory, tmp_path: Path) -> None:
    parts = [{"type": "tool_use", "id": "t", "name": "seek", "input": {"a": [1, None, "ü"]}}]
    (turn,) = memory.remember([{"role": "assistant", "content": parts, "extra": 1.5}]).turns
    memory.store.export(tmp_path / "e.jsonl")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.store.import_(tmp_path / "e.jsonl")
        kept = other.get(turn.id)
    assert isinstance(kept, Turn)
    assert (kept.content, kept.more) == (parts, {"extra": 1.5})
